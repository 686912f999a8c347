"""graft add --adopt: an adapter that another tool made becomes the parent of the first candidate."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from pipeline import terminal
from pipeline.chain.candidate import adopted_files, candidate
from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.commits import outputs
from pipeline.chain.history import releases
from pipeline.chain.lock import lockfile
from pipeline.chain.store import tracking
from pipeline.chain.store.objects import Store
from pipeline.common import files, params
from pipeline.common.errors import GraftError
from pipeline.data.assemble import golden, slices
from pipeline.data.index import index, runs
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.data.reading import increment
from pipeline.data.reading.increment import Increment
from pipeline.data.records import arrow
from pipeline.evaluation import predictions
from pipeline.settings import effective
from pipeline.stages import prepare

SCRATCH = Path(".graft/adopted")
GOLDEN = Path("data/golden")


def refuse_unready(tree: Tree, adapter: Path) -> None:
    """Only the first candidate has room for a parent that is no release, and its state is pushed at once.

    Raises:
        GraftError: the chain has releases; the folder is not an adapter's; or the folder of the remote is not there.
    """
    if tree.releases:
        raise GraftError(
            f"the chain has releases ({tree.releases[-1].tag}): an adapter is adopted before the first one",
            help="begin a chain of its own in a fresh clone of the code",
        )
    adopted_files.read_config(adapter)
    adopted_files.require_weights(adapter)
    if (store := Store()).remote_name():
        store.places.database("remote")


def adopt(adapter: Path) -> None:
    """Make the adapter in a folder the parent of the open candidate; the index of what was seen is empty.

    Raises:
        GraftError: it does not fit the pinned base or params.yaml; nothing is changed then.
    """
    lock, store = lockfile.load(), Store()
    tracking.reproduce(store, "base")
    from pipeline.chain.candidate import adopted
    from pipeline.model.adapter.settings import AdapterSettings
    from pipeline.model.base import pinned

    asked = effective.load()["train"]
    settings = AdapterSettings(**{name: asked[name] for name in ("rank", "alpha", "dropout", "targets")})
    made = files.empty_dir(SCRATCH)
    try:
        (made / "models/adapter").mkdir(parents=True)
        for warning in adopted.rewrite(adapter, pinned.load(), settings, made / "models/adapter"):
            terminal.echo(f"warning: {adapter}: {warning}", err=True)
        _nothing_seen(made, _labels(Path(lock.increment), store))
        state = {path: {"md5": store.save(made / path)} for path in outputs.STATE if (made / path).exists()}
    finally:
        shutil.rmtree(made)
    parent = lockfile.LockedParent(release=releases.ADOPTED, commit=releases.NO_COMMIT, state=state)
    if store.remote_name():  # a colleague or a runner trains this candidate before its release pushes anything
        store.push(output["md5"] for output in state.values())
    candidate.save(replace(lock, parent=parent))
    terminal.echo(f"parent: {releases.ADOPTED}: {adapter}; nothing counts as seen, and the gate compares with it")


def _nothing_seen(made: Path, labels: list[str]) -> None:
    """The state of an adapter that no data is known of; it is asked for the labels of the increment."""
    index.Index().extended(files.empty_dir(made / "data/assembled/index"), "", runs.none(), {})
    arrow.write_records(made / "data/assembled/reservoir.arrow", [])
    slices.write(made / "data/assembled/slices", {})
    files.write_json(made / "data/assembled/labels.json", labels)
    sides = dict.fromkeys(predictions.SIDES)
    nothing = {"models": sides, "releases": {"parent": None, "anchor": None}, "labels": labels}
    empty = {"version": predictions.VERSION, "items": [], "robustness": []}
    predictions.write(made / "reports/predictions.json", nothing | empty)
    files.write_json(made / "reports/matrix.json", {"version": 1, "releases": []})


def _labels(folder: Path, store: Store) -> list[str]:
    """Every label of the open increment and of the golden items."""
    if not (folder / increment.RAW).is_dir():
        candidate.check_out_data(folder, store)
    made: Increment = increment.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        options = params.build(PrepareSettings, effective.load()["prepare"])
        counted = prepare.prepare(made, folder, options, Path(scratch))["labels"]
    kept_by_hand = golden.load(GOLDEN, made.instruction, options.cleaning()).slices
    asked = (item.answer for items in kept_by_hand.values() for item in items)
    return sorted({*counted, *asked})
