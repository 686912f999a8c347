"""Where the elements of a JSON document begin and end, found in one pass over its text, broken ones too.

Brackets and strings are told apart, nothing else: what an element holds is parsed by itself. So an element that
is no JSON costs no other one, as long as its end can be seen. A string ends with its line at the latest.
"""

import json
import re
from dataclasses import dataclass, field

_STRING = r'[^"\\\r\n]*+(?:\\.[^"\\\r\n]*+)*+'
_TOKEN = re.compile(rf'"{_STRING}(?P<end>["\r\n]|\\?\Z)|[\[\]{{}},]', re.DOTALL)
_REST = re.compile(rf'{_STRING}(?P<end>["\r\n]|\\?\Z)', re.DOTALL)
_NEXT = re.compile(r"[}\]]\s*(,)\s*[{\[]")  # where another element most likely begins
_OPENS = {"}": "{", "]": "["}
DEPTH = 1_024  # brackets in each other whose kind is remembered; what lies deeper, orjson does not read
BLANK = " \t\r\n"


@dataclass(slots=True)
class Scanner:
    """Elements of a text that comes in pieces: of one array, or else of values that follow each other.

    Of an element over `longest` characters it may keep only so many and one more.
    """

    longest: int
    _array: bool | None = None  # None: nothing was seen yet
    _closed: bool = False  # the array is over: whatever comes now is too much
    _commas: bool = False  # whether the array has more than one element
    _kept: str = ""  # of the element that is not over yet
    _stack: list[str] = field(default_factory=list)  # its open brackets
    _deeper: int = 0  # how many more are open than that list holds
    _string: bool = False  # inside a string
    _escape: bool = False  # after a backslash in it

    @property
    def closed(self) -> bool:
        """Whether the array is over."""
        return self._closed

    def feed(self, text: str) -> list[str]:
        """The elements that end in a further piece of the text, blank ones included."""
        if self._array is None:
            text = text.lstrip(BLANK)
            self._array = text.startswith("[") if text else None
            text = text[1:] if self._array else text
        found: list[str] = []
        while text:
            text = self._scan(text, found)
        return found

    def finish(self) -> list[str]:
        """What is left when the text is over: an element without an end, and whole ones that it swallowed."""
        found: list[str] = []
        text = self._break_off(found) if self._stack or self._string else ""
        while text:
            text = self._scan(text, found)
            text = text or (self._break_off(found) if self._stack or self._string else "")
        whole = not (self._stack or self._string)
        if self._kept.strip(BLANK):
            found.append(("]" if self._closed else "") + self._kept.strip(BLANK))  # after the end nothing is JSON
        if self._array and not self._closed and whole:
            found.append("[")  # an array that nothing closed is no JSON, whatever its elements are
        return found

    def _scan(self, text: str, found: list[str]) -> str:
        """Go through a text; returns what is to be scanned anew."""
        start = 0
        for token in _TOKEN.finditer(text, self._inside(text)):
            mark = token[0]
            if mark[0] == '"':
                self._string, self._escape = token["end"] in ("", "\\"), token["end"] == "\\"
            elif mark in "[{":
                if len(self._stack) < DEPTH:
                    self._stack.append(mark)
                else:
                    self._deeper += 1
            elif self._ends(mark):
                end = token.end() if not self._array else token.start()
                self._emit(text[start:end], found, mark)
                start = token.end()
        before = len(self._kept)
        if before <= self.longest:
            self._kept += text[start:]
            if len(self._kept) > self.longest:
                again = self._break_off(found)
                self._kept = self._kept[: self.longest + 1]
                return again
        return ""

    def _inside(self, text: str) -> int:
        """Where a string ends that began in an earlier piece."""
        if not self._string:
            return 0
        match = _REST.match(text, 1 if self._escape else 0)
        end = match["end"] if match else ""
        self._string, self._escape = end in ("", "\\"), end == "\\"
        return match.end() if match else len(text)

    def _ends(self, mark: str) -> bool:
        """Whether a comma or a closing bracket ends an element of the document."""
        if mark == ",":
            return bool(self._array) and not self._stack and not self._closed
        if self._deeper:
            self._deeper -= 1
            return False
        if _OPENS[mark] in self._stack:
            while self._stack.pop() != _OPENS[mark]:
                pass  # what is closed across another bracket is broken, and over all the same
            return not self._array and not self._stack
        return bool(self._array) and mark == "]" and not self._stack and not self._closed

    def _emit(self, text: str, found: list[str], mark: str) -> None:
        element, self._kept = (self._kept + text).strip(BLANK), ""
        if self._array and mark == "]":
            self._closed = True
            if not element and not self._commas:
                return
        self._commas = self._commas or mark == ","
        found.append(element)

    def _break_off(self, found: list[str]) -> str:
        """End an element before the place where it stops being JSON, if others seem to follow it there.

        A quote too few or too many makes strings of what stands between strings: then no end is ever found.

        Returns:
            the text after the broken element, empty when it may still become JSON.
        """
        fault = _fault(self._kept)
        commas = [match.start(1) for match in _NEXT.finditer(self._kept)] if fault is not None else []
        if fault is None or not commas:
            return ""
        comma = max((place for place in commas if place < fault), default=commas[0])
        found.append(self._kept[:comma].strip(BLANK))
        rest, self._kept = self._kept[comma + 1 :], ""
        self._stack, self._deeper, self._string, self._escape = [], 0, False, False
        return rest


def _fault(text: str) -> int | None:
    """Where a text stops being JSON; None for one that is only cut off."""
    try:
        json.JSONDecoder().raw_decode(text.lstrip(BLANK))
    except json.JSONDecodeError as error:
        place = error.pos + len(text) - len(text.lstrip(BLANK))
        return None if error.msg.startswith("Unterminated") or place >= len(text) - 10 else place
    except (ValueError, RecursionError):
        pass
    return None
