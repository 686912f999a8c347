"""The models that a release compared, from its own objects: what it publishes, and the parent and anchor beside it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.chain.commits import outputs
from pipeline.chain.rescore import recorded_rows, release_files
from pipeline.chain.rescore.release_files import ScoringSettings
from pipeline.chain.store.objects import Store
from pipeline.chain.verify.manifest_check import Commit
from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.evaluation import predictions
from pipeline.model.base import pinned

MERGED, ADAPTER, BASE = "models/merged", "models/adapter", "models/base"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseFiles:
    """A release's files in a scratch folder."""

    commit: Commit
    folder: Path
    settings: ScoringSettings
    merged: bool  # whether its merged weights are stored; else base and adapter make them


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedModel:
    """One of the models that were compared."""

    name: str  # candidate | parent | anchor
    load: Callable[[], Any]  # returns a pipeline.evaluation.predict.predict.Served; imports torch


def bring(commit: Commit, revision: str | None, folder: Path) -> ReleaseFiles:
    """Check out what scoring reads.

    Args:
        commit: what the revision says of its outputs.
        revision: tag or commit; None: the working tree.
        folder: an empty scratch folder.

    Raises:
        GraftError: an object or a setting is missing or wrong.
    """
    store, md5s = Store(), {output.path: output.md5 for output in commit.outputs}
    merged = not commit.on_demand or _is_stored(md5s[MERGED], store)
    paths = [recorded_rows.SLICES, recorded_rows.LABELS, recorded_rows.PREDICTIONS, MERGED if merged else ADAPTER]
    paths += [BASE] if _before(commit) or not merged else []
    state = {path: md5 for name in _before(commit) for path, md5 in _state(commit, name).items()}
    release_files.check_out(commit, {path: md5s[path] for path in paths} | state, store, folder)
    return ReleaseFiles(commit=commit, folder=folder, settings=release_files.settings(revision), merged=merged)


def models(release: ReleaseFiles, labels: Sequence[str]) -> Iterator[ComparedModel]:
    """The candidate, then parent and anchor where there are.

    Args:
        release: its files.
        labels: that the candidate knows.
    """
    settings, folder = release.settings, release.folder
    own = {"template": settings.template, "dtype": settings.dtype, "max_length": settings.max_length}
    if release.merged:
        yield ComparedModel(name="candidate", load=partial(_published, folder / MERGED, labels, settings))
    else:
        yield ComparedModel(
            name="candidate", load=partial(_adapted, folder, folder / ADAPTER, labels, own, settings.threads)
        )
    for name in _before(release.commit):
        state = folder / "models" / name
        known = predictions.read(state / "predictions.json")["models"]["candidate"]
        form = own if known is None else _form(known)  # an adopted adapter was never evaluated
        knows = files.read_json(state / "labels.json")
        yield ComparedModel(name=name, load=partial(_adapted, folder, state / "adapter", knows, form, settings.threads))


def _published(folder: Path, labels: Sequence[str], settings: ScoringSettings) -> Any:
    from pipeline.chain.rescore import scored_again

    return scored_again.load_published(folder, labels, settings.max_length, settings.threads)


def _adapted(folder: Path, adapter: Path, labels: Sequence[str], form: Mapping[str, Any], threads: int) -> Any:
    from pipeline.chain.rescore import scored_again

    return scored_again.load_adapted(pinned.load(folder / BASE), adapter, labels, **form, threads=threads)


def _form(model: Mapping[str, Any]) -> dict[str, Any]:
    """Template, type of the weights and context, as a predictions.json holds them."""
    return {"template": model["chat_template"], "dtype": model["dtype"], "max_length": model["max_length"]}


def _is_stored(md5: str, store: Store) -> bool:
    try:
        store.fetch([md5])
    except GraftError:  # nowhere: that is what on demand means
        return False
    return True


def _before(commit: Commit) -> list[str]:
    """Those of parent and anchor that there are."""
    return [name for name in ("parent", "anchor") if getattr(commit.lock, name) is not None]


def _state(commit: Commit, name: str) -> dict[str, str]:
    """What scores with parent or anchor: path below models/NAME -> DVC's hash."""
    state = getattr(commit.lock, name).state
    return {f"models/{name}/{Path(path).name}": state[path]["md5"] for path in outputs.ANCHOR if path in state}
