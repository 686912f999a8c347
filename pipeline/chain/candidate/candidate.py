"""Opening a candidate: from the tree's release and new files to a new models.lock."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.chain.commits import git, outputs
from pipeline.chain.history import releases
from pipeline.chain.history.releases import Release, Unreadable
from pipeline.chain.lock import environment, lockfile
from pipeline.chain.lock.lockfile import Lock
from pipeline.chain.store import tracking
from pipeline.chain.store.objects import Store
from pipeline.common import documents, files, schema, sources, yaml
from pipeline.common.errors import GraftError
from pipeline.data.reading import increment
from pipeline.data.reading.increment import Increment

INCREMENTS = Path("data/increments")
WITHDRAWN = Path("withdrawn.json")  # in git, and no trailer of a commit: a shallow clone or a squash loses those
DVCIGNORE = Path(".dvcignore")
_IGNORED = """\
# Written by `graft add`: DVC looks only at the open increment, so that its cost does not
# grow with the chain. Earlier increments stay in git and in the remote.
/data/increments/*
/tests/
"""
_LEFT = "# What tools leave in folders on which stages depend, in the increment's, too.\n" + "".join(
    f"{line}\n" for line in sources.ignored()
)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Where the working tree stands in the chain."""

    lock: Lock
    releases: list[Release]
    unreadable: list[Unreadable]  # v* tags that may be releases, and cannot be read here
    other_tags: list[str]  # tags of a release's form that are none
    held: Release | None  # the release that it holds; None: a candidate is open
    sibling: Release | None  # a release of the same increment on the same parent
    withdrawn: dict[str, str]  # tags that a rollback took back -> why

    @cached_property
    def line(self) -> list[Release]:
        """The releases that the tree stands on, newest first: the one that it holds, then the parents."""
        return [*([self.held] if self.held else []), *releases.chain(self.lock, self.releases)]

    @property
    def latest(self) -> Release | None:
        """The newest release that no rollback took back. No commit's ancestry is asked: a squash merge loses it."""
        return next((release for release in reversed(self.releases) if release.tag not in self.withdrawn), None)


def tree() -> Tree:
    """Read where the working tree stands."""
    taken_back = WITHDRAWN.read_bytes() if WITHDRAWN.is_file() else None
    return _tree(lockfile.load(), git.object_id(releases.MANIFEST), taken_back)


def tree_of(revision: str) -> Tree:
    """Read where a commit stands, whatever the working tree holds."""
    text, at = git.show(revision, str(lockfile.PATH)), f"{revision}:{lockfile.PATH}"
    if text is None:
        raise GraftError(f"{at}: no such file", help="git log -- models.lock names the commits that have one")
    manifest = git.object_ids([f"{revision}:{releases.MANIFEST}"])[0]
    return _tree(lockfile.parse(text, at), manifest, git.show(revision, str(WITHDRAWN)), f"{revision}:")


def _tree(lock: Lock, manifest: str | None, taken_back: bytes | None, at: str = "") -> Tree:
    known = releases.read()
    releases.warn(known.unreadable)
    return Tree(
        lock=lock,
        releases=known.releases,
        unreadable=known.unreadable,
        other_tags=known.others,
        held=releases.held_by(lock, manifest, known.releases),
        sibling=releases.sibling(lock, known.releases),
        withdrawn=_withdrawn(taken_back, f"{at}{WITHDRAWN}"),
    )


def _withdrawn(text: bytes | None, where: str) -> dict[str, str]:
    if text is None:
        return {}
    withdrawn = documents.parse(text, where, help="keep the tags of both sides of a conflict; {} for none")
    if problems := schema.problems(withdrawn, "withdrawn"):
        raise GraftError(f"{where}: {problems[0]}", problems[1:], help="see schemas/withdrawn.schema.json")
    return dict(withdrawn)


def parent_of(release: Release) -> lockfile.LockedParent:
    """A release as the parent of a new candidate. Raises like `state_of`."""
    return lockfile.LockedParent(release=release.tag, commit=release.commit, state=state_of(release, outputs.STATE))


def state_of(release: Release, paths: Sequence[str]) -> dict[str, dict[str, str]]:
    """Hashes of these outputs of a release, from its own dvc.lock.

    Raises:
        GraftError: the tag's commit holds no finished pipeline, or one of an older Graft with another state.
    """
    dvc_yaml, dvc_lock = git.show(release.commit, "dvc.yaml"), git.show(release.commit, "dvc.lock")
    at = f"{release.tag}:"
    if dvc_yaml is None or dvc_lock is None or outputs.missing(dvc_yaml, dvc_lock, at):
        raise GraftError(f"{release.tag}: its commit holds no finished pipeline", help="graft verify " + release.tag)
    state = outputs.state(outputs.read(dvc_yaml, dvc_lock, at), paths)
    if absent := [path for path in paths if path not in {*state, *outputs.OPTIONAL}]:
        raise GraftError(
            f"{release.tag} was released by an older Graft: its state lacks {', '.join(absent)}",
            help="begin a chain of its own in a fresh clone; graft add --adopt takes the adapter along",
        )
    return state


def reopened(lock: Lock, parent: lockfile.LockedParent | None, name: str) -> Lock:
    """The lock of a new candidate: the increment in folder `name` on that parent, with today's toolchain."""
    return replace(lock, parent=parent, increment=name, toolchain=environment.toolchain())


def check_out_data(folder: Path, store: Store) -> None:
    """Bring an increment's raw files, by the hash in its raw.dvc, from the cache or the remote."""
    raw = folder / "raw.dvc"
    if not raw.is_file():
        raise GraftError(f"{raw}: no such file", help=f"git restore {raw}, or dvc add {folder / increment.RAW}")
    if outputs.is_import(raw.read_bytes(), str(raw)):
        tracking.reproduce(store, raw)  # the shipped sample is imported from examples/ of the same commit
        return
    md5 = outputs.raw_md5(raw.read_bytes(), str(raw))
    store.fetch([md5])
    store.check_out(md5, folder / increment.RAW)


def require_history(tree: Tree) -> None:
    """Refuse to judge what is released in a clone that lacks the tags which say so.

    Raises:
        GraftError: the lock's parent is no tag here, or origin has releases and this clone none.
    """
    parent = tree.lock.parent
    known = {releases.ADOPTED, *(release.tag for release in tree.releases)}
    for tag in tree.unreadable:
        if parent is not None and tag.tag == parent.release:
            raise GraftError(f"the parent, {tag.tag}, is not readable: {tag.why}", help=tag.help)
    unknown = parent is not None and parent.release not in known
    absent = releases.only_at_origin() if not tree.releases and git.has_origin() else []
    if unknown or absent:
        raise GraftError(
            "this clone lacks the tags that say what is released",
            [f"origin has {', '.join(absent[:5])}"] if absent else [],
            help="git fetch --tags; in a shallow clone git fetch --depth 1 --tags is enough",
        )


def unite(tree: Tree, folder: Path, store: Store) -> None:
    """Make one increment of all that the tree's chain was trained on: one folder object, no file copied.

    What each release of the chain was trained on is read from its own commit: the folder in the tree
    may be of a withdrawn release of the same name.

    Raises:
        GraftError: the increments have different instructions, or their data is nowhere to be had.
    """
    parts = {Path(release.lock.increment).name: release for release in _since_last_union(tree.line)}
    loaded = {name: _increment(release) for name, release in parts.items()}
    instructions = {part.instruction for part in loaded.values()}
    if len(instructions) > 1:
        raise GraftError("the chain's increments have different instructions", sorted(map(repr, instructions)))
    raw = {name: outputs.raw_md5(_at(release, "raw.dvc"), f"{release.tag}:raw.dvc") for name, release in parts.items()}
    store.fetch(raw.values())
    specs = {
        f"{increment.RAW}/{name}/{file.removeprefix('raw/')}": replace(
            spec, key=spec.key or part.key, date=spec.date or part.date
        )
        for name, part in loaded.items()
        for file, spec in part.files.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    increment.save(folder, instructions.pop(), specs, task=_one(loaded, "task"), more=_more(loaded))
    ignore_all_but([tree.lock.increment, folder.as_posix()])
    tracking.union(store, raw, folder / increment.RAW)


def _one(parts: Mapping[str, Increment], name: str) -> Any:
    """What all of the chain's increments say, those that say nothing aside.

    Raises:
        GraftError: they say different things.
    """
    said = {getattr(part, name) for part in parts.values()} - {None}
    if len(said) > 1:
        raise GraftError(f"the chain's increments differ in {name}", sorted(map(str, said)))
    return next(iter(said), None)


def _more(parts: Mapping[str, Increment]) -> dict[str, Any]:
    """Evaluation files of the chain's increments together; what was withdrawn the index knows."""
    evaluation = [
        f"{increment.RAW}/{name}/{file.removeprefix('raw/')}"
        for name, part in parts.items()
        for file in part.evaluation
    ]
    return {"evaluation": evaluation}


def _since_last_union(line: list[Release]) -> list[Release]:
    """Releases of a line, oldest first, from its newest refresh on: together they hold every record."""
    parts: list[Release] = []
    for release in line:
        parts.insert(0, release)
        if _is_union(_increment(release)):
            break
    return parts


def is_refresh(tree: Tree) -> bool:
    """Whether the tree's increment was made by `graft add --full`."""
    folder = Path(tree.lock.increment)
    return (folder / increment.NAME).is_file() and _is_union(increment.read(folder))


def _is_union(made: Increment) -> bool:
    return any(file.count("/") > 1 for file in made.files)  # one folder for each increment


def _increment(release: Release) -> increment.Increment:
    """A release's increment.yaml, as it was in its commit."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, Path(release.lock.increment).name)
        files.write_bytes(folder / increment.NAME, _at(release, increment.NAME))
        return increment.read(folder)


def _at(release: Release, name: str) -> bytes:
    content = git.show(release.commit, f"{release.lock.increment}/{name}")
    if content is None:
        raise GraftError(f"{release.tag}: its commit has no {release.lock.increment}/{name}")
    return content


def ignore_all_but(increments: Iterable[str]) -> None:
    """Write .dvcignore so that DVC looks at these increments alone (its cost would follow the chain)."""
    lines = "".join(f"!/{name}\n" for name in dict.fromkeys(increments))
    files.write_text(DVCIGNORE, _IGNORED + lines + _LEFT)  # the last line that fits a path counts


def save(lock: Lock) -> None:
    """Move the tree to a candidate, last of all: before it, the old candidate still stands."""
    lockfile.save(lock)
    ignore_all_but([lock.increment])


def draft_of(folder: Path) -> Path:
    """An empty folder beside an increment's, in which it is made ready."""
    return files.empty_dir(folder.with_name(f".{folder.name}.draft"))


def put_in_place(draft: Path, folder: Path) -> None:
    """Swap a finished draft in; what was there stays aside until `settle` or `take_back`."""
    move_aside(folder)
    draft.rename(folder)


def move_aside(folder: Path) -> None:
    """Keep an increment's folder under another name; `recover` brings it back after a kill."""
    settle(folder)
    if folder.exists():
        folder.rename(_old(folder))


def settle(folder: Path) -> None:
    """Remove what was moved aside: the new folder stays."""
    if _old(folder).exists():
        shutil.rmtree(_old(folder))


def take_back(folder: Path, *, is_new: bool) -> bool:
    """Bring back what was moved aside, or nothing where the folder is new; says whether that changed anything."""
    old = _old(folder)
    if not old.exists() and not (is_new and folder.exists()):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    if old.exists():
        old.rename(folder)
    return True


def recover(folder: Path) -> None:
    """Undo what a killed `graft add` left: an increment that was moved aside comes back."""
    if _old(folder).exists() and not folder.exists():
        _old(folder).rename(folder)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def set_chain(mode: str) -> bool:
    """Set train.chain in params.yaml, comments kept; says whether that changed it."""
    path = Path("params.yaml")
    document = yaml.load_unchecked(path)
    if document["train"]["chain"] == mode:
        return False
    document["train"]["chain"] = mode
    yaml.dump(path, document)
    return True
