"""A record's way through the chain, in words: a line for each release that knows it, then what it comes to."""

from collections.abc import Iterable, Iterator, Sequence

from pipeline.chain.compare.record_history import History, RecordEvent
from pipeline.common.words import counted

TRAINED = {"train": "trained on", "replay": "replayed", "augmented": "trained on, made by augmentation"}
SUPERSEDED, WITHDRAWN = "superseded", "withdrawn"  # what the reasons of a record that leaves begin with
NAMES = 6  # releases named in a list; of more, the first and the last
SHOWN = 5  # records made from it


def table(history: History) -> Iterator[str]:
    """The steps in columns, then the summary."""
    yield history.id
    rows = [_cells(step) for step in history.steps]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *cells, last in rows:
        yield "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last])
    yield ""
    yield from summary(history)


def summary(history: History) -> Iterator[str]:
    """What the steps come to, a sentence a line."""
    steps = history.steps
    yield from _origin(steps)
    trained = [step.release for step in steps if step.fate in TRAINED]
    known = "recorded " if history.not_recorded or history.gone else ""
    yield f"trained on by {_named(trained)}" if trained else f"no {known}release trained on it"
    yield from _evaluation(steps)
    yield from _leaving(steps)
    yield from _related(history.related)
    if taken_back := {step.release: step.withdrawn for step in steps if step.withdrawn is not None}:
        yield "withdrawn by a rollback: " + ", ".join(f"{tag} ({why})" for tag, why in taken_back.items())
    if history.not_recorded:
        yield f"not recorded: {_named(history.not_recorded)}, made before lineage was kept"
    if history.gone:
        yield f"not known: {_named(history.gone)}, whose lineage is neither in the cache nor in the remote"


def _cells(step: RecordEvent) -> list[str]:
    release = f"{step.release} (withdrawn)" if step.withdrawn is not None else step.release
    return [release, step.increment or "", _place(step), fate(step)]


def _place(step: RecordEvent) -> str:
    return f"{step.file}:{step.line}" if step.file else ""


def fate(step: RecordEvent) -> str:
    """What one release did with it."""
    if step.fate == "eval":
        return f"held out for evaluation, slice {step.reason}"
    if step.fate in TRAINED:
        return TRAINED[step.fate] + (f" from {step.near}" if step.near else "")
    beside = step.near if step.near and not step.id.startswith(step.near) else None  # a repeat stands beside itself
    return f"dropped: {step.reason}" + (f", beside {beside}" if beside else "")


def _origin(steps: Sequence[RecordEvent]) -> Iterator[str]:
    if not steps:
        yield "never a record of its own in what is recorded here"
        return
    origins = [(step.increment, step) for step in steps if step.increment is not None]
    if not origins:
        yield "the increment that brought it is not recorded here"
        return
    increment, first = origins[0]
    place = f" ({_place(first)})" if first.file else ""
    yield f"brought by increment {increment}{place}, first in {first.release}"
    later = sorted({name for name, _ in origins} - {increment})
    if later:
        yield f"brought again by {', '.join(later)}"


def _evaluation(steps: Sequence[RecordEvent]) -> Iterator[str]:
    for name in dict.fromkeys(step.reason for step in steps if step.fate == "eval"):
        since = next(step.release for step in steps if step.fate == "eval" and step.reason == name)
        yield f"evaluated on in slice {name}, since {since}"


def _leaving(steps: Sequence[RecordEvent]) -> Iterator[str]:
    for place, step in enumerate(steps):
        reason = step.reason or ""
        if step.fate == "dropped" and reason.startswith((SUPERSEDED, WITHDRAWN)):
            by = f" by {step.near}" if step.near else ""
            word = SUPERSEDED if reason.startswith(SUPERSEDED) else WITHDRAWN
            back = next((later.release for later in steps[place + 1 :] if later.fate != "dropped"), None)
            end = f", until {back} takes it back in" if back else ""
            yield f"{word} in {step.release}{by}: from there on neither replayed nor evaluated{end}"


def _related(related: Sequence[RecordEvent]) -> Iterator[str]:
    for title, wanted in (("made from it", "augmented"), ("left out beside it", "dropped")):
        first = {step.id: step.release for step in reversed(related) if step.fate == wanted}
        if first:
            shown = ", ".join(f"{name[:12]} ({release})" for name, release in sorted(first.items())[:SHOWN])
            more = f" and {len(first) - SHOWN:,} more" if len(first) > SHOWN else ""
            yield f"{title}: {counted(len(first), 'record')}: {shown}{more}"


def _named(releases: Iterable[str]) -> str:
    """Releases by name, each once; of many the first, the last and how many."""
    names = list(dict.fromkeys(releases))
    if len(names) <= NAMES:
        return ", ".join(names)
    return f"{names[0]} to {names[-1]}, {counted(len(names), 'release')} in all"
