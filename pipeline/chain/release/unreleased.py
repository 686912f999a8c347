"""What was changed since a release: by people, who would be surprised, or by an upgrade, which may be."""

from pathlib import Path
from typing import Any

from pipeline.chain.candidate import changed_settings
from pipeline.chain.commits import git
from pipeline.chain.history.releases import Release
from pipeline.chain.verify.manifest_check import Finding
from pipeline.common import yaml
from pipeline.common.errors import GraftError
from pipeline.common.words import counted

ASKED = ("data/golden", "dvc.lock", "params.yaml")  # and the increment: an edit makes another model
MODES = {"100644": "mode 644", "100755": "mode 755 (executable)", "120000": "a link", "160000": "a submodule"}
CODE = ("dvc.yaml", "examples/base", "pipeline", "requirements.lock", "schemas")


def changes(held: Release, revision: str | None) -> list[Finding]:
    """Files that decide what the model is and are not as in the release that the tree holds.

    Args:
        held: the release.
        revision: a commit; the working tree for None.
    """
    differing = {
        path: modes
        for path, modes in _differing(held, revision, (*ASKED, held.lock.increment)).items()
        if modes[0] != modes[1] or not _says_the_same(path, held, revision)
    }
    there = git.object_ids(f"{held.commit}:{path}" for path in differing) if differing else []
    return [
        Finding(
            path=path,
            place="git" if revision else "workspace",
            problem="unreleased-change",
            expected=f"{_described(old, modes[0])} of {held.tag}",
            found=_described(_blob(revision, path), modes[1]) + _values(path, held, revision),
        )
        for (path, modes), old in zip(differing.items(), there, strict=True)
    ]


def _says_the_same(path: str, held: Release, revision: str | None) -> bool:
    """Whether nothing that a stage reads was changed by people, or dvc.lock knows of such a params.yaml and no more."""
    if path not in ("params.yaml", "dvc.lock"):
        return False
    try:
        if path == "params.yaml":
            return all(change.cause != "params" or change.is_free for change in changed_settings.since(held, revision))
        there, here = (_content(path, place) for place in (held.commit, revision))
    except (GraftError, AttributeError):
        return False
    for locked in (there, here):
        (locked.get("stages") or {}).pop("settings", None)
    return bool(there == here)


def _values(path: str, held: Release, revision: str | None) -> str:
    """The values of params.yaml that people changed, for a message."""
    if path != "params.yaml":
        return ""
    try:
        changed = [change for change in changed_settings.since(held, revision) if change.cause == "params"]
    except (GraftError, AttributeError):
        return ""
    return "".join(f"; {str(change).removeprefix('params.yaml:')}" for change in changed)


def free(held: Release, revision: str | None) -> list[str]:
    """Settings that people changed since the release and that no stage reads, one line each."""
    if "params.yaml" not in _differing(held, revision, ("params.yaml",)):
        return []
    try:
        return [str(change) for change in changed_settings.since(held, revision) if change.is_free]
    except GraftError:
        return []


def _content(path: str, revision: str | None) -> Any:
    return yaml.parse((git.show(revision, path) if revision else Path(path).read_bytes()) or b"", path)


def upgrade(held: Release, revision: str | None) -> list[str]:
    """Where code moved on since the release, in one line; the next increment picks it up."""
    paths = _differing(held, revision, CODE)
    return (
        [f"{held.tag}, upgraded since: {counted(len(paths), 'file')} of {', '.join(_tops(list(paths)))} changed"]
        if paths
        else []
    )


def _differing(held: Release, revision: str | None, paths: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Path -> its modes at the release and now."""
    revisions = [held.commit, revision] if revision else [held.commit]
    raw = git.run("diff", "--raw", "--no-renames", "-z", *revisions, "--", *paths).split("\0")
    return {path: (line[1:7], line[8:14]) for line, path in zip(raw[::2], raw[1::2], strict=False)}


def _described(blob: str | None, mode: str) -> str:
    """A file's content and mode, so that a change of either is seen."""
    return "nothing" if blob is None else f"blob {blob}, {MODES.get(mode, f'mode {mode}')}"


def _blob(revision: str | None, path: str) -> str | None:
    return git.object_ids([f"{revision}:{path}"])[0] if revision else git.object_id(Path(path))


def _tops(paths: list[str]) -> list[str]:
    return sorted({path.split("/", maxsplit=1)[0] for path in paths})
