"""Between training and release: `python -m pipeline.ci.quarantine push|promote`.

push: what the working tree's candidate names goes to the remote `quarantine`, which a training job may write.
promote: the same objects are brought from there, every hash is checked against the manifest in git, and only
then copied to the default remote, which no training job may write.
"""

import sys

from pipeline import errors, terminal
from pipeline.chain import recompute, verify
from pipeline.chain.store import Store
from pipeline.ci.summary import QUARANTINE
from pipeline.errors import GraftError


def push() -> None:
    """Copy the candidate's objects from the cache to the quarantine."""
    pushed = Store(remote=QUARANTINE).push(verify.read(None).objects())
    terminal.echo(f"quarantine: {len(pushed)} new objects")


def promote() -> None:
    """Verify HEAD's objects in the quarantine, then copy them to the default remote.

    Raises:
        GraftError: something is missing or not what the manifest says; nothing was copied then.
    """
    commit, store, quarantine = verify.read("HEAD"), Store(), Store(remote=QUARANTINE)
    if not _lacking(commit, store):
        terminal.echo("promote: the remote has every object of this commit")
        return
    quarantine.fetch(commit.objects())
    findings, _ = verify.apart([*verify.in_git(commit, "HEAD"), *verify.objects(commit, store, "cache")])
    if findings:
        raise GraftError(
            "not promoted: what lies in the quarantine is not what git says", map(str, findings), help="train it again"
        )
    recompute.require(commit, "HEAD", "not promoted")
    pushed = store.push(commit.objects())
    left, _ = verify.apart(verify.objects(commit, store, "remote"))
    if left:
        raise GraftError("promoted, but the remote gives other bytes back", map(str, left), help="run it again")
    terminal.echo(f"promote: {len(pushed)} objects verified and copied to {store.remote_name()!r}")


def _lacking(commit: verify.Commit, store: Store) -> list[str]:
    """Objects that the default remote lacks; a folder whose listing it lacks counts as one."""
    return store.missing(store.closure(commit.objects(), "remote"), "remote")


def main() -> None:
    """Do what the one argument says."""
    tasks = {"push": push, "promote": promote}
    if len(sys.argv) != 2 or sys.argv[1] not in tasks:
        raise GraftError("usage: python -m pipeline.ci.quarantine push|promote")
    tasks[sys.argv[1]]()


if __name__ == "__main__":
    errors.run(main)
