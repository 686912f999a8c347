"""What was changed since a release: by people, who would be surprised, or by an upgrade, which may be."""

from pathlib import Path

from pipeline.chain.commits import git
from pipeline.chain.history.releases import Release
from pipeline.chain.verify.manifest_check import Finding
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
    differing = _differing(held, revision, (*ASKED, held.lock.increment))
    there = git.object_ids(f"{held.commit}:{path}" for path in differing) if differing else []
    return [
        Finding(
            path=path,
            place="git" if revision else "workspace",
            problem="unreleased-change",
            expected=f"{_described(old, modes[0])} of {held.tag}",
            found=_described(_blob(revision, path), modes[1]),
        )
        for (path, modes), old in zip(differing.items(), there, strict=True)
    ]


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
