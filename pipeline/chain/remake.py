"""Make a release's derived outputs again, with its own code, in a scratch clone that shares the cache.

The working tree is not touched. Stages that train are not run: what they put out is in the cache already.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline import scratch
from pipeline.chain import git, outputs, verify
from pipeline.chain.store import Store
from pipeline.errors import GraftError

FOLDER = Path(".graft/remake")


def derived(commit: str, said: verify.Commit, store: Store) -> list[str]:
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
        _dvc(draft, "cache", "dir", "--local", str(store.cache_dir()))
        _dvc(draft, "checkout", "--allow-missing", "--force")
        _dvc(draft, "repro", "--single-item", *stages)
    shutil.rmtree(FOLDER)
    return stages


def _fetched(md5s: set[str], store: Store) -> bool:
    try:
        store.fetch(md5s)
    except GraftError:  # some are nowhere: that is what on demand means
        return False
    return True


def _dvc(folder: Path, *arguments: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise GraftError(
            f"dvc {' '.join(arguments)} failed in {folder}",
            (done.stdout + done.stderr).splitlines()[-8:],
            help="git clone the repository, git checkout the release, dvc pull --allow-missing, dvc repro merge",
        )
