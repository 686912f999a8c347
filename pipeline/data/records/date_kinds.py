"""The two kinds of what orders the versions of an item: points in time, and plain numbers."""

from collections.abc import Mapping

from pipeline.common.errors import GraftError

HELP = "write all dates of the column in one notation, such as 2026-09-30, or leave the date out of increment.yaml"


def require_one(dates: Mapping[str, str]) -> None:
    """Refuse points in time beside plain numbers: none is before the other.

    Args:
        dates: where dates come from -> one of them, as text that sorts: a number has digits alone.

    Raises:
        GraftError: some are numbers, some are not.
    """
    numbers = [where for where, date in dates.items() if date.isdigit()]
    if numbers and len(numbers) < len(dates):
        raise GraftError("plain numbers stand beside dates, and cannot be ordered", numbers, help=HELP)
