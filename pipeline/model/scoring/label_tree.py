"""Labels as a tree of tokens: what several of them begin with is computed once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelTree:
    """Some labels, and the nodes that a model is asked at: every beginning of a label but the whole, once each."""

    labels: Sequence[int]  # their places
    tokens: Sequence[int]  # of each node
    above: Sequence[Sequence[int]]  # of each node the places of those on its way from the root, itself included
    steps: Sequence[tuple[int, int, int]]  # label's place in `labels`, node, the token that the label has after it


def trees(labels: Sequence[Sequence[int]], nodes: int) -> Iterator[LabelTree]:
    """Labels in parts of about so many nodes.

    Args:
        labels: token ids, at least one each.
        nodes: a part's, at most, unless a single label has more.
    """
    part: list[int] = []
    known: set[tuple[int, ...]] = set()
    for place in sorted(range(len(labels)), key=lambda place: tuple(labels[place])):  # alike ones side by side
        own = {tuple(labels[place][:end]) for end in range(1, len(labels[place]))}
        if part and len(known | own) > nodes:
            yield _tree(labels, part)
            part, known = [], set()
        part.append(place)
        known |= own
    if part:
        yield _tree(labels, part)


def _tree(labels: Sequence[Sequence[int]], places: Sequence[int]) -> LabelTree:
    known: dict[tuple[int, ...], int] = {}
    above: list[list[int]] = []
    steps = []
    for number, place in enumerate(places):
        label, way = labels[place], list[int]()
        for end in range(1, len(label)):
            node = known.setdefault(tuple(label[:end]), len(known))
            way = [*way, node]
            if node == len(above):
                above.append(way)
            steps.append((number, node, label[end]))
    return LabelTree(
        labels=places,
        tokens=[beginning[-1] for beginning in known],
        above=above,
        steps=steps,
    )


def common(prompts: Sequence[list[int]]) -> int:
    """How many tokens all prompts begin with, one less than the shortest has at most."""
    least, most = min(prompts), max(prompts)
    for place, (one, other) in enumerate(zip(least, most, strict=False)):
        if one != other:
            return min(place, min(map(len, prompts)) - 1)
    return min(map(len, prompts)) - 1
