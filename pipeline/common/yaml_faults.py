"""What is wrong with a YAML text, in words: of a parser's sentences, and of what Graft takes from no file."""

import re
from collections.abc import Iterable
from typing import Any

from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, MappingStartEvent

_SENTENCES = (  # of ruamel and libyaml
    (r"duplicate key \"(.+?)\" with value", r"the key '\1' is there twice"),
    (r"^(the key .*) twice$", r"\1 is there twice"),
    (r"character '\\t'", "a tab: YAML is indented by spaces"),
    (r"character '(.)' that cannot start", r"a text that begins with \1 needs quotes"),
    (r"mapping values are not allowed", "a colon where none fits: indent the line like its neighbours, or quote it"),
    (r"expected <block end>", "indented otherwise than the lines above, or text after a closing quote"),
    (r"did not find expected key", "indented otherwise than the lines above"),
    (r"(?:expected|did not find) .*',' or '(.)'", r"a bracket is not closed: \1 is missing"),
    (r"unexpected end of stream", "a quote is not closed"),
    (r"could not find expected ':'", "a line that is no `key: value`"),
    (r"another document", "a second document (---): only one is read"),
    (r"unknown escape character", 'a backslash in "...": use single quotes'),
    (r"expected the node content", "a bracket that was not opened"),
    (r"special characters|control characters", "a control character"),
    (r"unhashable|while constructing a mapping", "a list or keys with values in place of a key"),
)
CONFLICT_HELP = "keep one side and delete the lines of <<<<<<<, ======= and >>>>>>>; git status lists such files"


def words(error: Exception) -> str:
    """What a reader's exception says, with the line where it is known."""
    mark = getattr(error, "problem_mark", None)  # of either library's errors
    said = str(getattr(error, "problem", None) or getattr(error, "context", None) or error or type(error).__name__)
    said = said.splitlines()[0].partition(";")[0]
    for pattern, plain in _SENTENCES:
        if match := re.search(pattern, said):
            said = match.expand(plain)
            break
    return said if mark is None else f"line {mark.line + 1}: {said}"


def unplain(events: Iterable[Any]) -> tuple[int, str] | None:
    """The first line with what people's files may not hold: an anchor, an alias, a tag, a key that is no text."""
    keys: list[bool | None] = []  # of each open collection: whether a key comes next; None: a list
    for event in events:
        found = _unplain_part(event, is_key=bool(keys and keys[-1]))
        if found:
            return event.start_mark.line + 1, found
        if isinstance(event, CollectionEndEvent):
            keys.pop()
        if keys and keys[-1] is not None and _ends_node(event):
            keys[-1] = not keys[-1]
        if isinstance(event, CollectionStartEvent):
            keys.append(True if isinstance(event, MappingStartEvent) else None)
    return None


def _ends_node(event: Any) -> bool:
    return isinstance(event, CollectionEndEvent) or hasattr(event, "value")


def _unplain_part(event: Any, *, is_key: bool) -> str | None:
    if getattr(event, "anchor", None):
        return "an anchor or alias (& or *): write the value out in each place"
    if getattr(event, "tag", None):
        return f"a tag ({event.tag}): write the plain value"
    if is_key and isinstance(event, CollectionStartEvent):
        return "a list or keys with values in place of a key"
    return None
