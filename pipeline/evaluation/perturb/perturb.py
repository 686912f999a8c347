"""Perturbations: a question as a hurried person, another keyboard or a careless program would write it.

Each changes the text that is asked about, the last line of the last user message, and nothing else: neither the
instruction above it nor the answer. What is changed follows from the item's id, the kind and the strength alone.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.common.draws import Draws
from pipeline.data.records import records
from pipeline.data.records.records import Record
from pipeline.evaluation.perturb.perturbations import KINDS

_TRIES = 4  # other draws, where one changes nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class PerturbedItem:
    """A record whose text was changed in one way."""

    source: str  # id of the record that it is a variant of
    kind: str
    strength: float  # share of the letters, or words, that change
    record: Record


def variants(sources: Iterable[Record], kinds: Iterable[str], strengths: Iterable[float]) -> list[PerturbedItem]:
    """Every variant of every record, by source, kind and strength.

    A kind that can change nothing of a text (no letter with a case, one word) gives none: no variant is like its
    source, and none is empty.

    Args:
        sources: of any kind; plain texts have no variants.
        kinds: of KINDS.
        strengths: above 0, at most 1.
    """
    asked = sorted({(kind, float(strength)) for kind in kinds for strength in strengths})
    made = [_variant(record, *one) for record in sorted(sources, key=lambda item: item.id) for one in asked]
    return [one for one in made if one is not None]


def perturbed(text: str, kind: str, strength: float, name: str) -> str | None:
    """The text, changed; None where the kind can change nothing of it.

    Args:
        text: of one line.
        kind: of KINDS.
        strength: share of the letters, or words, that change; one at least.
        name: what the choices are drawn from, such as an item's id.
    """
    for attempt in range(_TRIES):
        found = KINDS[kind](text, strength, Draws(name, kind, strength, attempt))
        if found.strip() and found != text:
            return found
    return None


def _variant(record: Record, kind: str, strength: float) -> PerturbedItem | None:
    asked = [place for place, message in enumerate(record.messages[:-1]) if message["role"] == "user"]
    if not asked:
        return None
    content = record.messages[asked[-1]]["content"]
    begin = content.rfind("\n") + 1  # a cleaned text is one line, below its instruction
    text = perturbed(content[begin:], kind, strength, record.id)
    if text is None:
        return None
    messages = list(record.messages)
    messages[asked[-1]] = {**messages[asked[-1]], "content": content[:begin] + text}
    more = {name: getattr(record, name) for name in ("rejected", "desirable", "tools", "images")}
    changed = dataclasses.replace(record, id=records.content_id(messages, more), messages=messages)
    return PerturbedItem(source=record.id, kind=kind, strength=strength, record=changed)
