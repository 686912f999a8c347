"""Slices -> the items to evaluate: each once, with every slice that it stands in.

Golden slices, and what must pass, are evaluated whole. Of the others a budget takes the lowest hashes of each, equally
many of each, and all of one that has fewer: what a smaller budget takes, a larger one takes, too, and a further slice
leaves most of the old ones' items in place, so that the parent's predictions stay of use.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.common.errors import GraftError
from pipeline.data.records import records
from pipeline.data.records.item_marks import Marks
from pipeline.data.records.records import Record
from pipeline.evaluation import fields

GOLDEN = "golden-"  # so begin the names of slices that are kept by hand
SHOWN = 5  # names of items that a line shows

Slices = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A record to evaluate."""

    record: Record
    slices: tuple[str, ...]  # sorted
    must_pass: bool
    cluster: str  # what variants of one source have in common: else its own id


@dataclass(frozen=True, kw_only=True, slots=True)
class Items:
    """What is evaluated."""

    items: tuple[Item, ...]  # by id
    slices: tuple[str, ...]  # sorted; those without items, too
    left_out: Mapping[str, int]  # slice -> items above the budget

    @property
    def records(self) -> list[Record]:
        """Every item's record."""
        return [item.record for item in self.items]


def items(slices: Slices, marks: Marks, slice_by: Sequence[str] = (), max_items: int | None = None) -> Items:
    """Every item once, with its slices.

    Args:
        slices: by name; an item may stand in several.
        marks: of golden items.
        slice_by: fields whose values make further slices.
        max_items: at most so many items; None: all.

    Raises:
        GraftError: what is evaluated whole is more than the budget.
    """
    known = {record.id: record for name in sorted(slices, reverse=True) for record in slices[name]}
    taken = set(known) if max_items is None else budgeted(slices, marks, max_items)
    chosen = [known[id_] for id_ in sorted(taken)]
    members = {name: {record.id for record in held} & taken for name, held in slices.items()}
    for asked in slice_by:
        for record, value in zip(chosen, fields.names(asked, chosen), strict=True):
            if value is not None:
                members.setdefault(value, set()).add(record.id)
    stands_in = defaultdict[str, list[str]](list)
    for name in sorted(members):
        for id_ in members[name]:
            stands_in[id_].append(name)
    return Items(
        items=tuple(
            Item(
                record=record,
                slices=tuple(stands_in[record.id]),
                must_pass=record.id in marks.must_pass,
                cluster=marks.clusters.get(record.id, record.id),
            )
            for record in chosen
        ),
        slices=tuple(sorted(members)),
        left_out={name: len({record.id for record in slices[name]} - taken) for name in sorted(slices)},
    )


def budgeted(slices: Slices, marks: Marks, max_items: int) -> set[str]:
    """Ids of at most `max_items` items: golden and must-pass ones whole, of the others each slice's lowest hashes."""
    whole = {record.id for name in slices if name.startswith(GOLDEN) for record in slices[name]}
    whole |= {record.id for held in slices.values() for record in held if record.id in marks.must_pass}
    if len(whole) > max_items:
        raise GraftError(
            f"evaluate.max_items: {max_items}, and the golden items alone are {len(whole)}",
            help="golden items are always evaluated whole: raise evaluate.max_items",
        )
    others = {name: held for name, held in slices.items() if not name.startswith(GOLDEN)}
    return whole | stratified(others, max_items - len(whole), whole)


def stratified(slices: Slices, count: int, without: Collection[str] = ()) -> set[str]:
    """Ids of at most `count` items that are not in `without`: the lowest hashes, as many of each slice as will fit."""
    hashes = {record.id: _hash(record) for held in slices.values() for record in held}
    ranked = [sorted((record.id for record in held), key=hashes.__getitem__) for held in slices.values()]

    def first(many: int) -> set[str]:
        return {id_ for ids in ranked for id_ in ids[:many]}.difference(without)

    low, high = 0, max(map(len, ranked), default=0)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(first(middle)) <= count else (low, middle - 1)
    taken = first(low)
    following = sorted(first(low + 1) - taken, key=hashes.__getitem__)
    return taken | set(following[: count - len(taken)])


def sources(found: Items, count: int) -> list[Record]:
    """At most `count` classifications to perturb, stratified over the slices, by id."""
    by_slice = defaultdict[str, list[Record]](list)
    for item in found.items:
        for name in item.slices:
            if item.record.kind == "classification":
                by_slice[name].append(item.record)
    taken = stratified(by_slice, count)
    return [record for record in found.records if record.id in taken]


def budget(found: Items) -> list[str]:
    """A line that says how many items of which slices are above the budget; none where nothing is left out."""
    over = [f"{name} {count}" for name, count in found.left_out.items() if count]
    return [f"above evaluate.max_items, and not evaluated: {', '.join(over)}"] if over else []


def place(record: Record) -> str:
    """Where a record comes from, such as winter/raw/a.csv:3."""
    return f"{record.increment}/{record.file}:{record.line}"


def cut(cut_off: Iterable[Record]) -> list[str]:
    """A line that names items which were longer than the context; none for none."""
    places = [place(record) for record in cut_off]
    if not places:
        return []
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return [f"longer than train.max_length, and cut: {', '.join(places[:SHOWN])}{more}"]


def _hash(record: Record) -> tuple[str, str]:
    """What decides who is taken: the prompt, as slices of an increment and `history` are drawn, too."""
    if record.kind == "text":
        return record.id, record.id
    return records.content_id(record.prompt, {"tools": record.tools, "images": record.images}), record.id
