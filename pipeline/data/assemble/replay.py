"""train.replay: how much of what was trained on before is trained on again, and which records of it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.assemble import reservoir, shift
from pipeline.data.assemble.shift import Shift
from pipeline.data.records import message_columns

AUTO = "auto"
BASE = 0.10  # without any shift: TRACE (arXiv:2310.06762) found a tenth to keep most of what sequential training loses
PER_SHIFT = 8.0  # of a measured shift of balance or texts: one of 0.06 is worth HALF; docs/decisions/replay.md
HALF = 0.55  # more was no better for labels that come again
MOST = 0.8  # never more than four old tokens for one new
LITTLE = 0.01  # a share under it is as good as none
MARKS = 16  # bytes that a chat template puts around a message, about
SPREAD = 4  # epochs, until an old record is drawn again: what is drawn twice says little the second time
MOST_OFTEN = 4.0  # that one old record is drawn in an epoch, where the reservoir is small


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A share, and why it is that."""

    share: float  # of the tokens trained on
    why: str
    measured: Shift | None = None  # None: there is nothing to replay, or nothing to replay beside
    warning: str | None = None
    reached: float = 0.0  # of the bytes trained on, by what was drawn
    an_epoch: int = 0  # records drawn in one: of those in train.arrow each is drawn by its weight

    def report(self) -> dict[str, Any]:
        """What data/assembled/report.json holds of it."""
        return asdict(self)


def choose(
    asked: str | float, learned: pa.Table, old: pa.Table, before: Mapping[str, int], *, fresh: bool = False
) -> Choice:
    """The share to replay.

    Args:
        asked: train.replay: `auto`, or a share of tokens.
        learned: the increment's records to train on.
        old: what may be replayed.
        before: label -> records of the whole chain.
        fresh: whether a new adapter is trained, over the union of the chain's increments.
    """
    if not learned.num_rows:
        return Choice(share=0.0, why="there is nothing new")
    if fresh:
        return Choice(share=0.0, why="train.chain: fresh draws nothing")
    if not old.num_rows:
        lost = (
            "the reservoir is empty: nothing of what the chain knew is trained on again" if before and asked else None
        )
        return Choice(share=0.0, why="there is nothing old", warning=lost)
    found = shift.measure(learned, old, before)
    if asked != AUTO:
        return Choice(
            share=float(asked), why="train.replay asks for it", measured=found, warning=_warning(float(asked))
        )
    return _by_shift(found)


def _by_shift(found: Shift) -> Choice:
    labels = found.absent_labels + found.present_labels
    wanted = {
        f"{found.absent_labels} of {labels} labels are not in the increment, and are to be drawn as often as its own": (
            found.absent_labels / labels if labels else 0.0
        ),
        f"the balance of labels has shifted by {found.balance:.2f}": min(HALF, BASE + PER_SHIFT * found.balance),
        f"the texts have drifted by {found.drift:.2f}": min(HALF, BASE + PER_SHIFT * found.drift),
    }
    why, share = max(wanted.items(), key=lambda item: item[1])
    if share <= BASE:
        return Choice(share=BASE, why="no shift of labels, balance or texts was measured", measured=found)
    return Choice(share=round(min(MOST, share), 2), why=why, measured=found)


def after(chosen: Choice, drawn: pa.Table, learned: pa.Table) -> Choice:
    """The choice with the share that was reached, and a warning where the reservoir was too small for it.

    Args:
        chosen: what was to be reached.
        drawn: old records to train on.
        learned: the others.
    """
    old, new = float(sizes(drawn).sum()), float(sizes(learned).sum())
    reached = old / (old + new) if old else 0.0
    warning = chosen.warning
    if warning is None and reached < min(max(LITTLE, chosen.share / 2), chosen.share):
        warning = f"only {reached:.1%} of the tokens are replayed, not {chosen.share:.0%}: the reservoir is too small"
    an_epoch = round(float(pc.sum(pc.fill_null(drawn.column("weight"), 1.0)).as_py() or 0))
    return replace(chosen, warning=warning, reached=round(reached, 4), an_epoch=an_epoch)


def _warning(share: float) -> str | None:
    """What is to be said of a share that is as good as none."""
    if share >= LITTLE:
        return None
    return f"train.replay: {share}: with less than {LITTLE} a chain forgets what it knew; see docs/decisions/replay.md"


def drawn(old: pa.Table, learned: pa.Table, share: float, *, salt: str) -> pa.Table:
    """Old records to train on, so that they are `share` of all tokens, as far as bytes tell tokens.

    Each label equally often, whatever the increment brings of it: its old records say what the new ones do not. Of a
    label the lowest salted hashes: each increment draws another sample, and draws it again when run again. They are
    more than an epoch takes, and weigh less than one for it, so that every epoch draws others. Where all there is does
    not suffice, every record is drawn several times.
    """
    costs = sizes(old)
    wanted = float(sizes(learned).sum()) * share / (1 - share)
    room = round(wanted / float(costs.mean())) if old.num_rows else 0
    if not room:
        return old.slice(0, 0)
    labels = pc.fill_null(message_columns.view(old).labels, "").to_pylist()
    spread = (
        1 if "text" in pc.unique(old.column("kind")).to_pylist() else SPREAD
    )  # texts are packed once for all epochs
    places, weights = _evenly(labels, _hashes(old, salt), room, spread)
    often = min(MOST_OFTEN, wanted / float(costs[places] @ weights))
    found = old.take(pa.array(places))
    own = pc.fill_null(found.column("weight"), 1.0).to_numpy()
    return found.set_column(found.column_names.index("weight"), "weight", pa.array(own * weights * often, pa.float32()))


def _evenly(
    labels: Sequence[str], hashes: Sequence[bytes], room: int, spread: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Places of the lowest hashes of each label, `spread` times as many as it has room for; and their weights.

    Args:
        labels: of all there is.
        hashes: of the same.
        room: records to draw in an epoch.
        spread: epochs until one is drawn again.
    """
    waiting: dict[str, list[int]] = {}
    for place in sorted(range(len(hashes)), key=hashes.__getitem__):
        waiting.setdefault(labels[place], []).append(place)
    rooms = reservoir.divided({label: len(places) for label, places in waiting.items()}, room)
    chosen = {label: places[: spread * rooms[label]] for label, places in waiting.items()}
    weights = {place: rooms[label] / len(places) for label, places in chosen.items() for place in places}
    return np.array(sorted(weights), np.int64), np.array([weights[place] for place in sorted(weights)])


def _hashes(table: pa.Table, salt: str) -> list[bytes]:
    return [hashlib.sha256(f"{salt}\n{id_}".encode()).digest() for id_ in table.column("id").to_pylist()]


def sizes(table: pa.Table) -> npt.NDArray[np.int64]:
    """What each record costs to train on, in bytes: of its messages, with what a template puts around them.

    Weights count: a record that is drawn twice costs twice.
    """
    messages = table.column("messages").combine_chunks() if table.num_rows else pa.array([], pa.list_(pa.string()))
    if not table.num_rows:
        return np.zeros(0, np.int64)
    offsets = message_columns.offsets_of(messages)
    lengths = pc.fill_null(pc.binary_length(messages.flatten().field("content")), 0).to_numpy(zero_copy_only=False)
    total = np.concatenate(([0], np.cumsum(lengths + MARKS)))
    often = pc.fill_null(table.column("weight"), 1.0).to_numpy()
    found: npt.NDArray[np.int64] = np.round((total[offsets[1:]] - total[offsets[:-1]]) * often).astype(np.int64)
    return found
