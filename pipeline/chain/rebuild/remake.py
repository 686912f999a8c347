"""Make a release's derived outputs again, with its own code, in a scratch clone that shares the cache.

The working tree is not touched. Stages that train are not run: what they put out is in the cache already.
"""

import shutil
from pathlib import Path

from pipeline.chain.commits import git, outputs
from pipeline.chain.store import dvc
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check
from pipeline.common import scratch
from pipeline.common.errors import GraftError

FOLDER = Path(".graft/remake")
_BY_HAND = "git clone the repository, git checkout the release, dvc pull --allow-missing, dvc repro merge"


def derived(commit: str, said: manifest_check.Commit, store: Store) -> list[str]:
    """Have the derived outputs of an on-demand release in the cache; returns the stages that ran.

    Everything else that the release names must be in the cache. The caller verifies what was made.

    Args:
        commit: the release's commit.
        said: what that commit says.
        store: the repository's objects.

    Raises:
        GraftError: a stage failed; the last lines that it wrote are named.
    """
    if not said.derived() or _fetched(said.derived(), store):
        return []
    stages = outputs.makers(git.show(commit, "dvc.yaml") or b"")
    with scratch.held(FOLDER) as draft:
        git.run("clone", "--quiet", "--shared", "--no-checkout", ".", str(draft))
        git.run("-C", str(draft), "checkout", "--quiet", "--detach", commit)
        dvc.run("cache", "dir", "--local", str(store.cache_dir()), folder=draft)
        dvc.run("checkout", "--allow-missing", "--force", folder=draft)
        dvc.run("repro", "--single-item", *stages, folder=draft, help=_BY_HAND)
    shutil.rmtree(FOLDER)
    return stages


def _fetched(md5s: set[str], store: Store) -> bool:
    try:
        store.fetch(md5s)
    except GraftError:  # some are nowhere: that is what on demand means
        return False
    return True
