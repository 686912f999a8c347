"""Parts of a Markdown text: what came from data made harmless, tables, lists, and a whole that fits its limit.

As GitHub reads it: https://github.github.com/gfm/. There, a name after @ calls somebody and # with a number links to
an issue, so that outside of code neither may come from data.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from pipeline.report.parts.html_parts import line

_START = re.compile(r"^(\d{0,9})([-+=.)](?= |$)|=)")  # of a list, or what makes a headline of the line above
LONGEST = 60  # characters shown of a name
_JOINER = "\N{WORD JOINER}"  # shows nothing, and ends what would be a name or a number
_OWN, _LEFT, _CLOSE = "\N{FIRST STRONG ISOLATE}", "\N{LEFT-TO-RIGHT ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_SIGNS = re.compile(r"([\\`*\[\]<>|~&$!#@])|(?<![^\W_])_|_(?![^\W_])|(?<=http):|(?<=https):|(?<=www)\.", re.IGNORECASE)


def plain(value: object, longest: int = 600) -> str:
    """Words that may hold names from data, as one line of text: every sign that means something is escaped."""
    return _isolated(_START.sub(r"\1\\\2", _SIGNS.sub(_escaped, line(value, longest))), _LEFT)


def code(value: object, longest: int = LONGEST) -> str:
    """A name or text from data as code, in which nothing is Markdown; in a table's cell, too."""
    shown = line(value, longest).replace("`", "'")
    shown = re.sub(r"(\\+)\|", r"\1 |", shown).replace("|", "\\|")  # a cell ends at | unless there is one \ before it
    return _isolated(f"`{shown}`", _OWN) if shown else "*none*"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()) -> str:
    """A table of cells that are Markdown already; nothing without rows.

    Args:
        titles: of the columns.
        rows: cells.
        numbers: which columns stand flush right.
    """
    right = set(numbers)
    ruler = ["---:" if place in right else "---" for place in range(len(titles))]
    lines = ["| " + " | ".join(cells) + " |" for cells in (titles, ruler, *rows)]
    return "\n".join(lines) if len(lines) > 2 else ""


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def fitted(blocks: Iterable[str], limit: int, instead: str) -> str:
    """Blocks one below the other, as many as fit into `limit` characters; where one does not, `instead` stands."""
    text, missing = "", False
    for block in filter(None, blocks):
        if len(text) + len(block) + len(instead) + 4 > limit:
            missing = True
            continue
        text += block + "\n\n"
    return text.rstrip("\n") + (f"\n\n{instead}" if missing else "") + "\n"


def _escaped(match: re.Match[str]) -> str:
    sign = match[0]
    return f"\\{sign}{_JOINER}" if sign in "@#" else f"\\{sign}"


def _isolated(text: str, opening: str) -> str:
    """A text with letters that run from right to left does not turn its surroundings around."""
    foreign = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)
    return f"{opening}{text}{_CLOSE}" if foreign else text
