"""Dates of rows as text that sorts by time: one notation for each file, or a refusal; never compared as written.

2026-09-30 stays as it is; 9/30/2026, 30.09.2026, 30 Sep 2026, 2026年9月30日, 20260930 and seconds since 1970 become it.
Whole numbers that are none of these are versions, and sort as numbers.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pipeline.common.errors import GraftError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = (
    r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.?"
)
_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"(?:\s?(?P<half>[ap])\.?m\.?)?(?:\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?"
)
_DAY, _MONTH, _YEAR, _SHORT_YEAR = (
    r"(?P<day>\d{1,2})",
    r"(?P<month>\d{1,2})",
    r"(?P<year>\d{4})",
    r"(?P<year>\d{4}|\d{2})",
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
DAY_FIRST, MONTH_FIRST = "day first", "month first"
_NOTATIONS = {  # name -> patterns; a file's values are of one of them
    "year first": (
        rf"{_YEAR}-{_MONTH}",
        rf"{_YEAR}(?P<mark>[-/.])\s?{_MONTH}(?P=mark)\s?{_DAY}\.?{_TIME}",
        rf"{_YEAR}[年년]\s?{_MONTH}[月월](?:\s?{_DAY}[日일])?{_TIME}",
    ),
    DAY_FIRST: (rf"{_DAY}(?P<mark>[-/.])\s?{_MONTH}(?P=mark)\s?{_SHORT_YEAR}\.?{_TIME}",),
    MONTH_FIRST: (rf"{_MONTH}(?P<mark>[-/]){_DAY}(?P=mark){_SHORT_YEAR}{_TIME}",),
    "month by name": (
        rf"{_WEEKDAY}{_DAY}(?:st|nd|rd|th)?[\s-]{_NAME},?[\s-]{_YEAR}{_TIME}",
        rf"{_WEEKDAY}{_NAME}\s{_DAY}(?:st|nd|rd|th)?,?\s{_YEAR}{_TIME}",
    ),
    "YYYYMMDD": (r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})",),
    "seconds since 1970": (r"(?P<seconds>1\d{9})",),
    "milliseconds since 1970": (r"(?P<milliseconds>1\d{12})",),
    "numbers": (r"(?P<number>\d{1,19})",),
}
_COMPILED = {
    name: tuple(re.compile(pattern.replace(r"\d", "[0-9]"), re.IGNORECASE) for pattern in patterns)
    for name, patterns in _NOTATIONS.items()
}
_SHOWN = 5  # values that a refusal shows
_HELP = "write all dates of the column in one notation, such as 2026-09-30, or leave the date out of increment.yaml"

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
    sure = {found[0] for found in notations.values() if len(found) == 1} & {DAY_FIRST, MONTH_FIRST}
    for file, found in notations.items():
        if {DAY_FIRST, MONTH_FIRST} <= set(found):
            if len(sure) != 1:
                value, place = next(iter(values[file].items()))
                problem = f"{place}: {value!r} may begin with the day or with the month, and so may all of {file}"
                problems.append(problem)
            notations[file] = list(sure)
    if problems:
        raise GraftError("dates can be read in two ways", problems, help=_HELP)
    return {file: {value: str(read(value, notations[file][0])) for value in places} for file, places in values.items()}


def read(value: str, notation: str) -> str | None:
    """A date as YYYY-MM-DD, with its time in UTC if there is one; a number filled up with zeros; None for no date."""
    for pattern in _COMPILED[notation]:
        match = pattern.fullmatch(value.strip())
        if match:
            return _canonical({name: part for name, part in match.groupdict().items() if part is not None})
    return None


def _of_all(places: Places) -> list[str]:
    """The notations that all values of a file are in; plain numbers count where nothing else does."""
    found = [name for name in _COMPILED if all(read(value, name) is not None for value in places)]
    return found if len(found) < 2 else [name for name in found if name != "numbers"]


def _odd(file: str, places: Places) -> list[str]:
    """The values of a file that are not as most of it is."""
    fitting = {name: {value for value in places if read(value, name) is not None} for name in _COMPILED}
    most = max(fitting, key=lambda name: len(fitting[name]))
    usual = f" ({most}), as most of {file} is" if fitting[most] else ""
    return [f"{places[value]}: {value!r} is no date{usual}" for value in places if value not in fitting[most]][:_SHOWN]


def _canonical(parts: Mapping[str, str]) -> str | None:
    if "number" in parts:
        return parts["number"].rjust(20, "0")
    try:
        if "seconds" in parts or "milliseconds" in parts:
            seconds = int(parts["seconds"]) if "seconds" in parts else int(parts["milliseconds"]) / 1000
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
        year = int(parts["year"]) + (2000 if len(parts["year"]) == 2 else 0)
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


def _hour(parts: Mapping[str, str]) -> int:
    hour, half = int(parts["hour"]), parts.get("half", "").casefold()
    if half and not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if half == "p" else 0) if half else hour


def _offset(zone: str) -> timedelta:
    if zone[0] not in "+-":
        return timedelta(0)
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return size if zone[0] == "+" else -size
