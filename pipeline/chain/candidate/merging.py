"""A merge that git stopped: which side is the candidate, and what becomes of the files that nobody writes by hand."""

from dataclasses import dataclass

from pipeline.chain.candidate import candidate
from pipeline.chain.candidate.candidate import DVCIGNORE, Tree
from pipeline.chain.commits import git
from pipeline.chain.lock import lockfile
from pipeline.common.errors import GraftError

RECORDED = ("dvc.lock", "reports")  # what the last run put out: main's stands until the next `dvc repro`
_STOPPED = ("MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """The two sides of a merge that waits to be settled."""

    candidate: Tree
    main: Tree
    main_revision: str


def stopped() -> Sides | None:
    """The sides of the merge, rebase or cherry-pick that git stopped; None when there is none.

    Raises:
        GraftError: neither side is an open candidate.
    """
    other = next((name for name in _STOPPED if git.succeeds("rev-parse", "--verify", "-q", name)), None)
    if other is None:
        return None
    here, there = candidate.tree_of("HEAD"), candidate.tree_of(other)
    if here.held and there.held:
        raise GraftError(
            f"neither side is an open candidate: {here.held.tag} and {there.held.tag}",
            help="take one of them: git checkout --ours (or --theirs) -- models.lock dvc.lock .dvcignore reports",
        )
    ours = there.held is not None or (here.held is None and other == "MERGE_HEAD")
    if ours:
        return Sides(candidate=here, main=there, main_revision=other)
    return Sides(candidate=there, main=here, main_revision="HEAD")


def take_main(sides: Sides) -> None:
    """Lay main's record of its last run into tree and index: what a text merge would have mangled."""
    there = [path for path in RECORDED if git.object_ids([f"{sides.main_revision}:{path}"])[0]]
    git.run("checkout", sides.main_revision, "--", *there)


def settled() -> list[str]:
    """Mark the lock files as settled; returns what is still in conflict, which people must settle."""
    git.run("add", "--", str(lockfile.PATH), str(DVCIGNORE))
    return git.run("diff", "--name-only", "--diff-filter=U").splitlines()
