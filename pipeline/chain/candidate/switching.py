"""Lays a release's model into the working tree, and takes that back where it fails."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.chain.candidate import candidate, unsaved
from pipeline.chain.commits import git, outputs
from pipeline.chain.history.releases import Release
from pipeline.chain.lock import lockfile
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check
from pipeline.common.errors import GraftError

# What makes and describes a model; docs/, .github/ and tests stay as they are.
MODEL = (
    ".dvcignore",
    "dvc.lock",
    "dvc.yaml",
    "models.lock",
    "params.yaml",
    "requirements.lock",
    "data/golden",
    "examples/base",
    "pipeline",
    "reports",
    "schemas",
)


def objects(target: Release, commit: manifest_check.Commit) -> dict[str, str]:
    """What a switch lays into the working tree: path of each output and of the data -> MD5."""
    raw = {f"{target.lock.increment}/raw": commit.raw} if commit.raw else {}
    return {output.path: output.md5 for output in commit.outputs if output.cached} | raw


def require_saved(target: Release, commit: manifest_check.Commit, store: Store) -> None:
    """Refuse to replace files that nothing else holds.

    Raises:
        GraftError: each such file is named.
    """
    laid = objects(target, commit)
    linked = store.closure([*laid.values(), *_objects_of_head().values()], "cache")
    if lost := unsaved.below(laid, linked, store):
        raise GraftError(
            "not rolled back: files would be lost that neither DVC's cache nor the remote holds",
            lost,
            help="move them elsewhere; DVC and `graft verify` take any file in an output's folder for a change of it",
        )


def interrupted(target: Release) -> set[str]:
    """Changed paths that already are what the target holds: an earlier rollback was killed here."""
    changed = {line[3:] for line in git.changes()}
    paths = (*MODEL, target.lock.increment)
    differs = git.run("diff", "--name-only", target.commit, "--", *paths).splitlines()
    inside = {path for path in changed if any(path == p or path.startswith(f"{p}/") for p in paths)}
    return inside - set(differs)


@contextlib.contextmanager
def undone_on_failure(target: Release, commit: manifest_check.Commit, store: Store) -> Iterator[None]:
    """Whatever fails inside: git, index, working tree and outputs become again what HEAD says.

    Raises:
        GraftError: what failed, and that nothing is changed or how to restore the rest.
    """
    before = {path for path in objects(target, commit) if os.path.lexists(path)}
    try:
        yield
    except (GraftError, OSError) as error:
        message, problems = (error.message, error.problems) if isinstance(error, GraftError) else (str(error), ())
        try:
            _undo(target, commit, store, before)
        except (GraftError, OSError) as second:
            left = [f"and the working tree could not be restored: {second}"]
            help_ = "git restore --source HEAD --staged --worktree . && dvc checkout --force"
            raise GraftError(f"not rolled back: {message}", [*problems, *left], help=help_) from error
        raise GraftError(f"not rolled back, all is as before: {message}", problems) from error


def switch(target: Release, commit: manifest_check.Commit, store: Store) -> None:
    """Lay the target's files into index and working tree, its outputs and data from the cache."""
    git.run("restore", "--source", target.commit, "--staged", "--worktree", "--", *_tracked(target))
    for path, md5 in objects(target, commit).items():
        store.check_out(md5, Path(path))


def _undo(target: Release, commit: manifest_check.Commit, store: Store, before: set[str]) -> None:
    withdrawn = [str(candidate.WITHDRAWN)] if _exists(str(candidate.WITHDRAWN), "HEAD") else []
    if not withdrawn and candidate.WITHDRAWN.exists():
        git.run("rm", "--quiet", "--cached", "--ignore-unmatch", "--", str(candidate.WITHDRAWN))
        candidate.WITHDRAWN.unlink()
    git.run("restore", "--source", "HEAD", "--staged", "--worktree", "--", *_tracked(target), *withdrawn)
    held = _objects_of_head()
    store.fetch(md5 for path, md5 in held.items() if path in before)
    for path in map(Path, objects(target, commit)):
        if path.as_posix() in before and path.as_posix() in held:
            store.check_out(held[path.as_posix()], path)
        elif path.as_posix() not in before and path.is_dir():
            shutil.rmtree(path)
        elif path.as_posix() not in before:
            path.unlink(missing_ok=True)


def _objects_of_head() -> dict[str, str]:
    """Path of each output and of the data that HEAD names -> MD5; empty where it is no finished pipeline."""
    texts = [git.show("HEAD", name) for name in ("dvc.yaml", "dvc.lock", str(lockfile.PATH))]
    dvc_yaml, dvc_lock, lock = (text or b"" for text in texts)
    folder = lockfile.parse(lock, f"HEAD:{lockfile.PATH}").increment
    raw = git.show("HEAD", f"{folder}/raw.dvc")
    found = {output.path: output.md5 for output in outputs.read(dvc_yaml, dvc_lock) if output.cached}
    return found | ({f"{folder}/raw": outputs.raw_md5(raw)} if raw else {})


def _tracked(target: Release) -> list[str]:
    paths = [*MODEL, target.lock.increment]
    return [path for path in paths if _exists(path, target.commit) or _exists(path, "HEAD")]


def _exists(path: str, commit: str) -> bool:
    return bool(git.run("ls-tree", "--name-only", commit, "--", path))
