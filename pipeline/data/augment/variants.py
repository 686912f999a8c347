"""The variants of training records that may be added, best first."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.common.draws import Draws
from pipeline.data.augment import rare_labels, recombine
from pipeline.data.records import records

Change = Callable[[str, Draws], str | None]
PARAPHRASE, RECOMBINE = "paraphrase", "recombine"
_TEXT = "{text}"  # of an instruction: here stands the text


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A training record that may be varied."""

    id: str
    place: int  # in the table
    instruction: str  # "" for none
    text: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A record that may be added."""

    source: Source
    method: str
    instruction: str
    text: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """The record's messages."""
        label = self.source.label
        if self.method == PARAPHRASE and _TEXT in self.instruction:
            return records.classification(self.instruction.replace(_TEXT, self.text), label)
        return records.classification(self.text, label, self.instruction)


def varied(
    sources: Sequence[Source], changes: Mapping[str, Change], paraphrases: Sequence[str], seed: int
) -> Iterator[Variant]:
    """One variant by each method of each source that the method can change, in the order of their hashes."""
    methods = [*changes, *([PARAPHRASE] if paraphrases else [])]
    order = [(Draws(seed, method, source.id).number(), method, source) for method in methods for source in sources]
    for _, method, source in sorted(order, key=lambda item: (item[0], item[1], item[2].id)):
        draws = Draws(seed, method, source.id, "change")
        if method == PARAPHRASE:
            yield Variant(source=source, method=method, instruction=draws.one(paraphrases), text=source.text)
            continue
        text = changes[method](source.text, draws)
        if text and text != source.text:
            yield Variant(source=source, method=method, instruction=source.instruction, text=text)


def recombined(sources: Sequence[Source], below: int, seed: int) -> Iterator[Variant]:
    """Variants that fill every label of fewer than `below` records up to as many, in turn over the labels."""
    by_label: dict[str, dict[str, Source]] = defaultdict(dict)
    for source in sources:
        by_label[source.label].setdefault(source.text, source)
    streams = []
    for label, wanted in rare_labels.rare(Counter(source.label for source in sources), below).items():
        known = list(by_label[label].values())
        streams.append((known, recombine.titles([source.text for source in known], wanted, seed, RECOMBINE, label)))
    while streams:
        left = []
        for known, titles in streams:
            if found := next(titles, None):
                source = known[found[0]]
                yield Variant(source=source, method=RECOMBINE, instruction=source.instruction, text=found[1])
                left.append((known, titles))
        streams = left
