"""Words replaced by synonyms of a user's dictionary: English by whole words, Chinese by the longest match."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.common.draws import Draws
from pipeline.common.errors import GraftError

_SHARE = 0.5  # of the words that have synonyms; one at least


@dataclass(frozen=True, kw_only=True, slots=True)
class Dictionary:
    """Synonyms by lower-cased word or phrase."""

    words: Mapping[str, Sequence[str]]
    lengths: tuple[int, ...]  # of the words, longest first


def load(path: Path) -> Dictionary:
    """Read lines of a word and its synonyms, parted by tabs; empty lines and those that begin with # say nothing.

    Raises:
        GraftError: the file cannot be read, or a line has no synonym or one with other digits; all at once.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"not UTF-8 at byte {error.start}"
        raise GraftError(f"{path}: cannot be read: {why}", help="assemble.augment.synonyms names it") from None
    words: dict[str, list[str]] = defaultdict(list)
    problems = []
    for number, line in enumerate(lines, 1):
        word, *others = (part.strip() for part in line.split("\t"))
        others = [other for other in others if other]
        if not line.strip() or line.startswith("#"):
            continue
        if not word or not others:
            problems.append(f"{path}:{number}: no word and synonym with a tab between them")
        elif any(_digits(other) != _digits(word) for other in others):
            problems.append(f"{path}:{number}: other digits: a number that changes is another product")
        else:
            words[word.lower()] += others
    if problems:
        raise GraftError(problems[0], problems[1:], help="one word a line, then its synonyms, with tabs between them")
    return Dictionary(words=words, lengths=tuple(sorted({len(word) for word in words}, reverse=True)))


def replace(text: str, dictionary: Dictionary, draws: Draws) -> str | None:
    """The text with synonyms for some of its words; None where the dictionary knows none of them."""
    found = _matches(text, dictionary)
    if not found:
        return None
    chosen = [match for match in found if draws.chance(_SHARE)] or [draws.one(found)]
    for start, end in reversed(chosen):
        word = text[start:end]
        synonym = draws.one(dictionary.words[word.lower()])
        text = text[:start] + _cased(synonym, word) + text[end:]
    return text


def _matches(text: str, dictionary: Dictionary) -> list[tuple[int, int]]:
    found, start = [], 0
    while start < len(text):
        end = next(
            (start + size for size in dictionary.lengths if _stands(text, start, start + size, dictionary)), None
        )
        if end:
            found.append((start, end))
        start = end or start + 1
    return found


def _stands(text: str, start: int, end: int, dictionary: Dictionary) -> bool:
    if end > len(text) or text[start:end].lower() not in dictionary.words:
        return False
    return not (_inside_a_word(text, start) or _inside_a_word(text, end))


def _inside_a_word(text: str, place: int) -> bool:
    around = text[max(0, place - 1) : place + 1]
    return len(around) == 2 and place > 0 and all(_spells(character) for character in around)


def _spells(character: str) -> bool:
    return character.isalnum() and not "\u3040" <= character <= "\ufaff"


def _cased(synonym: str, word: str) -> str:
    if word.isupper() and len(word) > 1:
        return synonym.upper()
    return synonym[0].upper() + synonym[1:] if word[0].isupper() else synonym


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))
