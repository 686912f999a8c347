"""Builds the commit of a training: `python -m pipeline.ci.commit FOLDER HEAD`, run from a checkout of the base.

FOLDER holds what the training wrote; HEAD is the commit that was trained, whose objects are here and which is never
checked out: blobs and tree are written by git's plumbing, so that no filter, hook, link or configuration of the
pull request has any effect. Prints the new commit's id, or nothing where HEAD holds the same results already.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.chain.commits import git
from pipeline.ci import results
from pipeline.common import errors
from pipeline.common.errors import GraftError

MESSAGE = "Train the candidate"
PERSON = {"NAME": "graft", "EMAIL": "graft@users.noreply.github.com"}
BY = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in PERSON.items()}


def commit(folder: Path, head: str) -> str | None:
    """Id of a commit on `head` with the results of a folder; None where they are those of `head`.

    Raises:
        GraftError: a link, or another surprise, in the folder or in the tree of `head`; see `results`.
    """
    results.refuse_links(head)
    contents = results.read(folder)
    if "dvc.lock" not in contents:
        raise GraftError(f"{folder}: no dvc.lock: the training did not end")
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        git.run("read-tree", head, environment=index)
        for name in results.NAMES:
            _stage(name, contents.get(name), index)
        tree = git.run("write-tree", environment=index)
    if tree == git.run("rev-parse", f"{head}^{{tree}}"):
        return None
    return git.run("commit-tree", tree, "-p", head, "-m", MESSAGE, environment=BY)


def _stage(name: str, content: bytes | None, index: Mapping[str, str]) -> None:
    """Put a file into an index, or take it out."""
    if content is None:
        git.run("update-index", "--force-remove", "--", name, environment=index)
        return
    blob = git.run("hash-object", "-w", "--no-filters", "--stdin", stdin=content)
    git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", environment=index)


def main() -> None:
    """Print the id of the commit, if there is one."""
    if len(sys.argv) != 3:
        raise GraftError("usage: python -m pipeline.ci.commit FOLDER HEAD")
    print(commit(Path(sys.argv[1]), sys.argv[2]) or "", end="")


if __name__ == "__main__":
    errors.run(main)
