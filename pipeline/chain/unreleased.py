"""What was changed since a release: by people, who would be surprised, or by an upgrade, which may be."""

from pathlib import Path

from pipeline.chain import git
from pipeline.chain.releases import Release
from pipeline.chain.verify import Finding
from pipeline.words import counted

ASKED = ("data/golden", "dvc.lock", "params.yaml")  # and the increment: an edit makes another model
CODE = ("dvc.yaml", "examples/base", "pipeline", "requirements.lock", "schemas")


def changes(held: Release, revision: str | None) -> list[Finding]:
    """Files that decide what the model is and are not as in the release that the tree holds.

    Args:
        held: the release.
        revision: a commit; the working tree for None.
    """
    paths = _differing(held, revision, (*ASKED, held.lock.increment))
    there = git.object_ids(f"{held.commit}:{path}" for path in paths) if paths else []
    return [
        Finding(
            path=path,
            place="git" if revision else "workspace",
            problem="unreleased-change",
            expected=f"blob {old or 'nothing'} of {held.tag}",
            found=f"blob {_blob(revision, path) or 'nothing'}",
        )
        for path, old in zip(paths, there, strict=True)
    ]


def upgrade(held: Release, revision: str | None) -> list[str]:
    """Where code moved on since the release, in one line; the next increment picks it up."""
    paths = _differing(held, revision, CODE)
    return (
        [f"{held.tag}, upgraded since: {counted(len(paths), 'file')} of {', '.join(_tops(paths))} changed"]
        if paths
        else []
    )


def _differing(held: Release, revision: str | None, paths: tuple[str, ...]) -> list[str]:
    revisions = [held.commit, revision] if revision else [held.commit]
    return git.run("-c", "core.quotePath=false", "diff", "--name-only", *revisions, "--", *paths).splitlines()


def _blob(revision: str | None, path: str) -> str | None:
    return git.object_ids([f"{revision}:{path}"])[0] if revision else git.object_id(Path(path))


def _tops(paths: list[str]) -> list[str]:
    return sorted({path.split("/", maxsplit=1)[0] for path in paths})
