"""Dates of rows as text that sorts by time: one notation for each file, or a refusal; never compared as written.

2026-09-30 stays as it is; 9/30/2026, 30.09.2026, 30 Sep 2026, 30-Sep-26, 2026年9月30日, 20260930 and seconds since
1970 become it. Whole numbers that are none of these are versions, and sort as numbers.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pipeline.common.errors import GraftError
from pipeline.data.records import date_kinds

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = (
    r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.?"
)
_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"(?:\s?(?P<half>[ap])\.?m\.?)?(?:\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?"
)
_DAY, _MONTH, _YEAR, _SHORT_YEAR = (
    r"(?P<day>\d{1,2})",
    r"(?P<month>\d{1,2})",
    r"(?P<year>\d{4})",
    r"(?P<year>\d{4}|\d{2})",
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
DAY_FIRST, MONTH_FIRST, SHORT_YEAR_FIRST, NUMBERS = "day first", "month first", "two digits of a year first", "numbers"
_NOTATIONS = {  # name -> patterns; a file's values are of one of them
    "year first": (
        rf"{_YEAR}-{_MONTH}",
        rf"{_YEAR}(?P<mark>[-/.])\s?{_MONTH}(?P=mark)\s?{_DAY}\.?{_TIME}",
        rf"{_YEAR}[年년]\s?{_MONTH}[月월](?:\s?{_DAY}[日일])?{_TIME}",
    ),
    DAY_FIRST: (rf"{_DAY}(?P<mark>[-/.])\s?{_MONTH}(?P=mark)\s?{_SHORT_YEAR}\.?{_TIME}",),
    SHORT_YEAR_FIRST: (rf"(?P<year>\d{{2}})(?P<mark>[-/.]){_MONTH}(?P=mark){_DAY}{_TIME}",),
    MONTH_FIRST: (rf"{_MONTH}(?P<mark>[-/]){_DAY}(?P=mark){_SHORT_YEAR}{_TIME}",),
    "month by name": (
        rf"{_WEEKDAY}{_DAY}(?:st|nd|rd|th)?[\s/-]?{_NAME},?[\s/-]?{_SHORT_YEAR}{_TIME}",
        rf"{_WEEKDAY}{_NAME}\s{_DAY}(?:st|nd|rd|th)?,?\s{_YEAR}{_TIME}",
        rf"{_WEEKDAY}{_NAME}\s{{1,2}}{_DAY}{_TIME}\s{_YEAR}",
    ),
    "YYYYMMDD": (r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})",),
    "YYYYMMDDhhmm": (
        r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})T?(?P<hour>\d{2})(?P<minute>\d{2})"
        r"(?:(?P<second>\d{2})(?:\.(?P<part>\d{1,9}))?)?(?P<zone>Z)?",
    ),
    "seconds since 1970": (r"(?P<seconds>1\d{9}(?:\.\d{1,9})?)",),
    "milliseconds since 1970": (r"(?P<milliseconds>1\d{12})",),
    NUMBERS: (r"(?P<number>\d{1,19})",),
}
_COMPILED = {
    name: tuple(re.compile(pattern.replace(r"\d", "[0-9]"), re.IGNORECASE) for pattern in patterns)
    for name, patterns in _NOTATIONS.items()
}
_UNCLEAR = (DAY_FIRST, MONTH_FIRST, SHORT_YEAR_FIRST)  # notations that the same values may be in
_TIMED = ("YYYYMMDD", "YYYYMMDDhhmm", "seconds since 1970", "milliseconds since 1970")  # that numbers may be in
_SHOWN = 5  # values that a refusal shows
_HELP = date_kinds.HELP

Places = Mapping[str, str]  # a value -> where it stands first, FILE:LINE


def sortable(values: Mapping[str, Places]) -> dict[str, dict[str, str]]:
    """For each file its dates as text that sorts by time.

    Args:
        values: file -> its different dates as they are written, each with its first place.

    Raises:
        GraftError: the dates of a file are of no one notation, or 01/02/2026 may be January or February.
    """
    notations = {file: _of_all(places) for file, places in values.items()}
    problems = [line for file, places in values.items() if not notations[file] for line in _odd(file, places)]
    if problems:
        raise GraftError("dates are not of one notation", problems, help=_HELP)
    sure = {found[0] for found in notations.values() if len(found) == 1} & {*_UNCLEAR}
    for file, found in notations.items():
        ways = [name for name in found if name in _UNCLEAR]
        if len(ways) > 1 and (chosen := _likelier(values[file], ways, sure)):
            notations[file] = [chosen]
        elif len(ways) > 1:
            value, place = next(iter(values[file].items()))
            problems.append(f"{place}: {value!r} may have the {' or the '.join(ways)}, and so may all of {file}")
    if problems:
        raise GraftError("dates can be read in two ways", problems, help=_HELP)
    read_as = {
        file: {value: str(read(value, notations[file][0])) for value in places} for file, places in values.items()
    }
    date_kinds.require_one({f"{file}:": next(iter(found.values())) for file, found in read_as.items() if found})
    return read_as


def _likelier(places: Places, ways: list[str], sure: set[str]) -> str | None:
    """Of several notations the one that another file has, or in which all dates are alike, or with the fewest years."""
    dates = {name: [str(read(value, name)) for value in places] for name in ways}
    if len({tuple(found) for found in dates.values()}) == 1:
        return ways[0]
    if len(sure) == 1 and (known := next(iter(sure))) in ways:
        return known
    years = {name: len({date[:4] for date in found}) for name, found in dates.items()}
    fewest = [name for name in ways if years[name] == min(years.values())]
    dotted = DAY_FIRST in fewest and all("." in value for value in places)
    return DAY_FIRST if dotted else fewest[0] if len(fewest) == 1 else None


def read(value: str, notation: str) -> str | None:
    """A date as YYYY-MM-DD, with its time in UTC if there is one; a number filled up with zeros; None for no date."""
    for pattern in _COMPILED[notation]:
        match = pattern.fullmatch(value.strip())
        if match:
            return _canonical({name: part for name, part in match.groupdict().items() if part is not None})
    return None


def _of_all(places: Places) -> list[str]:
    """The notations that all values of a file are in; plain numbers count where no value can be anything else."""
    found = [name for name in _COMPILED if all(read(value, name) is not None for value in places)]
    timed = any(read(value, name) is not None for value in places for name in _TIMED)
    if found == [NUMBERS] and (timed or all(map(_is_year_last, places))):
        return []
    return found if len(found) < 2 else [name for name in found if name != NUMBERS]


def _is_year_last(value: str) -> bool:
    """Whether a number is most likely a date without marks, day or month first: as numbers these are in no order."""
    marked = re.sub(r"^([0-9]{2})([0-9]{2})((?:19|20)[0-9]{2})$", r"\1.\2.\3", value.strip())
    return any(read(marked.replace(".", "/"), name) is not None for name in (DAY_FIRST, MONTH_FIRST))


def _odd(file: str, places: Places) -> list[str]:
    """The values of a file that are not as most of it is."""
    fitting = {name: {value for value in places if read(value, name) is not None} for name in _COMPILED}
    dates = {name: values for name, values in fitting.items() if name != NUMBERS}
    most = max(dates, key=lambda name: len(dates[name]))
    usual = f" ({most}), as most of {file} is" if fitting[most] else ""
    return [f"{places[value]}: {value!r} is no date{usual}" for value in places if value not in fitting[most]][:_SHOWN]


def _canonical(parts: Mapping[str, str]) -> str | None:
    if "number" in parts:
        return parts["number"].rjust(20, "0")
    try:
        if "seconds" in parts or "milliseconds" in parts:
            seconds = float(parts["seconds"]) if "seconds" in parts else int(parts["milliseconds"]) / 1000
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
        year = _full(parts["year"])
        month = _MONTHS.index(parts["name"].casefold()) + 1 if "name" in parts else int(parts["month"])
        if "day" not in parts:
            return datetime(year, month, 1).strftime("%Y-%m")
        if "hour" not in parts:
            return datetime(year, month, int(parts["day"])).strftime("%Y-%m-%d")
        moment = datetime(
            year, month, int(parts["day"]), _hour(parts), int(parts["minute"]), int(parts.get("second", 0)),
            int(parts.get("part", "0")[:6].ljust(6, "0")),
        )  # fmt: skip
        return (moment - _offset(parts.get("zone", "Z"))).isoformat()
    except (ValueError, OverflowError):
        return None


def _full(year: str) -> int:
    """A year of four digits: of two, 69 to 99 are of the last century, as POSIX has it."""
    return int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 69 else 2000)


def _hour(parts: Mapping[str, str]) -> int:
    hour, half = int(parts["hour"]), parts.get("half", "").casefold()
    if half and not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if half == "p" else 0) if half else hour


def _offset(zone: str) -> timedelta:
    if zone[0] not in "+-":
        return timedelta(0)
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].lstrip(":") or 0))
    return size if zone[0] == "+" else -size
