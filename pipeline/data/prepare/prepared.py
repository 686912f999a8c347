"""What is said of an increment that was prepared, and when it is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.clean.unusable import UNDECODABLE
from pipeline.data.prepare.selection import DUPLICATE, NEAR, OLDER

REPEATED = (DUPLICATE, OLDER, NEAR)  # leaving these out loses nothing


def check(report: Mapping[str, Any], max_reject_share: float) -> None:
    """Refuse an increment of which too much, or all, was rejected.

    Raises:
        GraftError: names the reasons, most frequent first, with the first rows of each.
    """
    name, read = report["increment"], report["read"]
    lost = sum(count for reason, count in report["rejects"].items() if reason not in REPEATED)
    if not read:
        raise GraftError(
            f"{name}: no row in {', '.join(report['files'])}", help="give files with rows below the header"
        )
    if report["records"] and lost <= max_reject_share * read:
        return
    help_ = "correct the files, or how increment.yaml says to read them"
    if report["rejects"].get(UNDECODABLE, 0) > 0.5 * lost:
        help_ += ": encoding (graft add: --set encoding=NAME)"
    if report["records"]:
        message = (
            f"{name}: {lost} of {read} rows rejected ({lost / read:.1%}), "
            f"prepare.max_reject_share allows {max_reject_share:.1%}"
        )
        help_ += ", or raise prepare.max_reject_share"
    else:
        message = f"{name}: none of {read} rows can be trained on"
    raise GraftError(message, list(summary(report)), help=help_)


def summary(report: Mapping[str, Any]) -> Iterator[str]:
    """Reasons, most frequent first, with their first rows."""
    for reason, count in sorted(report["rejects"].items(), key=lambda item: (-item[1], item[0])):
        shown = report["examples"][reason]
        places = ", ".join(f"{row['file']}:{row['line']}" for row in shown)
        yield f"{reason}: {count} ({places}{', ...' if count > len(shown) else ''})"
