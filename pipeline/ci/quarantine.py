"""Between training and release: `python -m pipeline.ci.quarantine push|bring|promote`.

push: what the working tree's candidate names goes to the remote `quarantine`, which a training job may write.
bring: HEAD's objects come from there into the cache, and every hash is checked against the manifest in git.
promote: the same check again, and only then they are copied to the default remote, which no training job may write.
"""

import sys

from pipeline import terminal
from pipeline.chain.history import releases
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check, recomputed
from pipeline.ci.fetched import QUARANTINE
from pipeline.common import errors
from pipeline.common.errors import GraftError


def push() -> None:
    """Copy the candidate's objects from the cache to the quarantine."""
    pushed = Store(remote=QUARANTINE).push(manifest_check.read(None).objects())
    terminal.echo(f"quarantine: {len(pushed)} new objects")


def bring() -> None:
    """Bring HEAD's objects into the cache, and check them.

    Raises:
        GraftError: something is missing or not what the manifest says.
    """
    commit, store = manifest_check.read("HEAD"), Store()
    try:
        (Store(remote=QUARANTINE) if _lacking(commit, store) else store).fetch(commit.objects())
    except GraftError as error:
        raise GraftError(f"not promoted: {error.message}", error.problems, help=error.help) from error
    _require_intact(commit, store)
    terminal.echo(f"quarantine: {len(commit.manifest)} files are in the cache, every hash right")


def promote() -> None:
    """Copy HEAD's objects from the cache to the default remote.

    Raises:
        GraftError: something is missing or not what the manifest says; nothing was copied then.
    """
    commit, store = manifest_check.read("HEAD"), Store()
    if not _lacking(commit, store):
        terminal.echo("promote: the remote has every object of this commit")
        return
    bring()
    pushed = store.push(commit.objects())
    left, _ = manifest_check.apart(manifest_check.objects(commit, store, "remote"))
    if left:
        raise GraftError("promoted, but the remote gives other bytes back", map(str, left), help="run it again")
    terminal.echo(f"promote: {len(pushed)} objects verified and copied to {store.remote_name()!r}")


def _require_intact(commit: manifest_check.Commit, store: Store) -> None:
    findings = [
        *manifest_check.in_git(commit, "HEAD"),
        *manifest_check.parentage(commit, releases.all_releases()),
        *manifest_check.objects(commit, store, "cache"),
    ]
    faults, _ = manifest_check.apart(findings)
    if faults:
        raise GraftError(
            "not promoted: the quarantine's objects are not what git names", map(str, faults), help="train it again"
        )
    recomputed.require(commit, "HEAD", "not promoted")


def _lacking(commit: manifest_check.Commit, store: Store) -> list[str]:
    """Objects that the default remote lacks; a folder whose listing it lacks counts as one."""
    return store.missing(store.closure(commit.objects(), "remote"), "remote")


def main() -> None:
    """Do what the one argument says."""
    tasks = {"push": push, "bring": bring, "promote": promote}
    if len(sys.argv) != 2 or sys.argv[1] not in tasks:
        raise GraftError("usage: python -m pipeline.ci.quarantine push|bring|promote")
    tasks[sys.argv[1]]()


if __name__ == "__main__":
    errors.run(main)
