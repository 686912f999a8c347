"""Takes a contributor's claims out of a candidate: `python -m pipeline.ci.start CANDIDATE`, from the base's checkout.

dvc.lock, the reports in git and .dvc/config of the candidate become those of the base, so that DVC trains what the
base has not trained and uses the base's remotes. A committed cache, run cache or checkpoint could take the place of a
training: it is refused.
"""

import sys
from pathlib import Path

from pipeline.chain.commits import git
from pipeline.ci import results
from pipeline.common import errors
from pipeline.common.errors import GraftError

CONFIG = ".dvc/config"
RESERVED = (".dvc", ".graft", ".venv")  # where DVC, Graft and make keep what they made
SHIPPED = (".dvc/.gitignore", ".dvc/plots/")
PLAIN = ("100644", "100755")


def start(candidate: Path) -> None:
    """Give a candidate the base's results and configuration.

    Args:
        candidate: a fresh checkout of the pull request's commit; the working folder is one of the base.

    Raises:
        GraftError: names the paths that the candidate may not commit; nothing was changed then.
    """
    results.refuse_links("HEAD", candidate)
    if reserved := sorted(_reserved(candidate)):
        raise GraftError(
            "the candidate commits what only a run may make",
            reserved,
            help="git rm --cached the named paths; .gitignore lists them",
        )
    results.write(candidate, results.at("HEAD"))
    config = git.show("HEAD", CONFIG)
    (candidate / CONFIG).write_bytes(config or b"")


def _reserved(candidate: Path) -> set[str]:
    """Tracked paths that only a run may write: what the base ignores, and caches and checkpoints under any ignore."""
    listed = ["-C", str(candidate), "ls-files", "-z", "--cached"]
    ignored = git.run(*listed, "--ignored", f"--exclude-from={Path('.gitignore').resolve()}").split("\0")
    own = set(git.run("ls-files", "-z").split("\0"))  # a base may track an ignored file of its own
    entries = [line.partition("\t") for line in git.run(*listed, "--stage").split("\0")]
    reserved = {path for fields, _, path in entries if _is_reserved(fields.split(" ")[0], path)}
    return reserved | (set(ignored) - own)


def _is_reserved(mode: str, path: str) -> bool:
    if mode in PLAIN and (path == CONFIG or path.startswith(SHIPPED)):
        return False
    return path.casefold().split("/")[0] in RESERVED


def main() -> None:
    """Start the candidate that the one argument names."""
    if len(sys.argv) != 2:
        raise GraftError("usage: python -m pipeline.ci.start CANDIDATE")
    start(Path(sys.argv[1]))
    print("start: dvc.lock, reports and .dvc/config are the base's; everything that differs from it is trained")


if __name__ == "__main__":
    errors.run(main)
