"""Text from files made harmless for a terminal, a page or a report: the one escaping function.

A label, a reason, a file's name or git's own message may hold what moves the cursor, sets the window's title,
turns the reading direction around or ends the line. All of it is shown as a sign in its place.
"""

import re

# C0 but tab and newline, DEL, C1; line and paragraph separator; embeddings, overrides and isolates; lone surrogates.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ISOLATES = "\u2066\u2067\u2068\u2069"
_PICTURES = 0x2400  # control pictures are in the order of the characters that they show
_NEWLINE = chr(_PICTURES + ord("\n"))


def visible(text: str) -> str:
    """A text whose unsafe characters are signs; newlines and tabs stay."""
    return UNSAFE.sub(_sign, text)


def one_line(text: str) -> str:
    """As `visible`, in one line: a newline is a sign, too."""
    return visible(text).replace("\n", _NEWLINE)


def visible_markdown(text: str) -> str:
    """As `visible`, but keeps the isolates that `markdown_parts` puts around names from right to left."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in _ISOLATES else _sign(match), text)


def json_text(text: str) -> str:
    """A JSON text with the same values, its unsafe characters written as JSON's own escapes."""
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _sign(match: re.Match[str]) -> str:
    point = ord(match[0])
    return chr(_PICTURES + point) if point < 0x20 else "\N{REPLACEMENT CHARACTER}"
