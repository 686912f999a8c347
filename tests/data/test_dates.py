"""Dates of rows: one notation a file, compared by time."""

import pytest

from pipeline.common.errors import GraftError
from pipeline.data.prepare import dates


def sortable(*values: str, file: str = "raw/a.csv") -> list[str]:
    found = dates.sortable({file: {value: f"{file}:{line}" for line, value in enumerate(values, 2)}})
    return [found[file][value] for value in values]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("2026-09-30", "2026-10-01"), ["2026-09-30", "2026-10-01"]),
        (("9/30/2026", "10/01/2026"), ["2026-09-30", "2026-10-01"]),
        (("30.9.2026", "01.10.2026"), ["2026-09-30", "2026-10-01"]),
        (("30/09/26", "1/10/26"), ["2026-09-30", "2026-10-01"]),
        (("Sep 30, 2026", "1 October 2026"), ["2026-09-30", "2026-10-01"]),
        (("30-Sep-26", "01-OCT-26"), ["2026-09-30", "2026-10-01"]),
        (("30SEP2026", "1 Oct 2026"), ["2026-09-30", "2026-10-01"]),
        (("Wed Sep 30 13:05:00 2026", "Thu Oct  1 09:00:00 2026"), ["2026-09-30T13:05:00", "2026-10-01T09:00:00"]),
        (("Wed Sep 30 13:05:00 UTC 2026",), ["2026-09-30T13:05:00"]),
        (("2026年9月30日", "2026年10月1日"), ["2026-09-30", "2026-10-01"]),
        (("20260930", "20261001"), ["2026-09-30", "2026-10-01"]),
        (("1790726400", "1790812800"), ["2026-09-30T00:00:00", "2026-10-01T00:00:00"]),
        (("2026-09-30T23:00:00-05:00", "2026-10-01T01:00:00Z"), ["2026-10-01T04:00:00", "2026-10-01T01:00:00"]),
        (("9/30/2026 9:05 PM", "9/30/2026 10:00 AM"), ["2026-09-30T21:05:00", "2026-09-30T10:00:00"]),
        (("31/12/98", "13/01/26"), ["1998-12-31", "2026-01-13"]),
        (("26-09-29", "26-09-30", "26-10-01"), ["2026-09-29", "2026-09-30", "2026-10-01"]),
        (("30.09.26",), ["2026-09-30"]),
        (("5/5/2026", "6/6/2026"), ["2026-05-05", "2026-06-06"]),
        (("20260930235959", "20261001000000"), ["2026-09-30T23:59:59", "2026-10-01T00:00:00"]),
        (("1790726400.0", "1790726400.5"), ["2026-09-30T00:00:00", "2026-09-30T00:00:00.500000"]),
        (("2026-09-30 10:00:00+00",), ["2026-09-30T10:00:00"]),
        (("9", "10"), ["00000000000000000009", "00000000000000000010"]),
        (("2026-9", "2026-10"), ["2026-09", "2026-10"]),
    ],
)
def test_dates_become_text_that_sorts_by_time(values: tuple[str, ...], expected: list[str]) -> None:
    assert sortable(*values) == expected


def test_text_that_is_sorted_already_stays() -> None:
    values = ["2026-09-30", "2026-09-30T10:00:00", "2026-09-30T10:00:00.500000"]
    assert sortable(*values) == values == sorted(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("9/30/2026", "2026-10-01", "10/2/2026"), r"raw/a.csv:3: '2026-10-01' is no date \(month first\)"),
        (("9/30/2026", "30/9/2026", "9/29/2026"), r"raw/a.csv:3: '30/9/2026' is no date"),
        (("2026-02-28", "2026-02-30"), r"raw/a.csv:3: '2026-02-30' is no date"),
        (("soon", "later"), r"raw/a.csv:2: 'soon' is no date"),
        (("01/02/2026", "03/04/2026"), r"raw/a.csv:2: '01/02/2026' may have the day first or the month first"),
        (("26-09-30",), r"'26-09-30' may have the day first or the two digits of a year first"),
        (("1727654400000", "1790000000"), r"is no date \((milli)?seconds since 1970\)"),
        (("20260102", "20260101101010"), r"is no date \(YYYYMMDD"),
        (("30092026", "01102026"), r"'30092026' is no date"),
    ],
)
def test_what_is_of_no_one_notation_is_refused(values: tuple[str, ...], message: str) -> None:
    with pytest.raises(GraftError, match=f"(?s){message}.*help: .*2026-09-30"):
        sortable(*values)


def test_another_file_of_the_drop_tells_days_from_months() -> None:
    found = dates.sortable({"a": {"01/02/2026": "a:1"}, "b": {"31/01/2026": "b:1"}, "c": {"2026-05-05": "c:1"}})
    assert found == {
        "a": {"01/02/2026": "2026-02-01"},
        "b": {"31/01/2026": "2026-01-31"},
        "c": {"2026-05-05": "2026-05-05"},
    }


def test_plain_numbers_beside_dates_are_refused() -> None:
    with pytest.raises(GraftError, match=r"(?s)plain numbers stand beside dates.*b:"):
        dates.sortable({"a": {"2026-01-02": "a:1"}, "b": {"7": "b:1"}})
