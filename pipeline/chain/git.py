"""Git, reached from this module alone, by its own command line."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.errors import GraftError


def run(*arguments: str, stdin: bytes | None = None) -> str:
    """Output of `git ARGUMENTS`, without the final newline.

    Raises:
        GraftError: git is absent, or exits non-zero; the message is git's own.
    """
    return _call(arguments, stdin).decode("utf-8", "surrogateescape").rstrip("\n")


def succeeds(*arguments: str) -> bool:
    """Whether `git ARGUMENTS` exits with 0."""
    return subprocess.run(["git", *arguments], capture_output=True, check=False).returncode == 0


def show(revision: str, path: str) -> bytes | None:
    """A file's content at a revision; None where that revision has no such file."""
    return next(iter(contents([f"{revision}:{path}"])))


def files(revision: str, path: str) -> list[str]:
    """Files at or below a path that a revision holds."""
    return [name for name in run("ls-tree", "-r", "-z", "--name-only", revision, "--", path).split("\0") if name]


def contents(names: Iterable[str]) -> Iterator[bytes | None]:
    """Content of each object, named as `REV:PATH`, in the order asked; one process for all of them."""
    names = list(names)
    answer, at = _call(["cat-file", "--batch"], "".join(f"{name}\n" for name in names).encode()), 0
    for _ in names:
        end = answer.index(b"\n", at)
        header, at = answer[at:end], end + 1
        if header.endswith((b" missing", b" ambiguous")):
            yield None
            continue
        size = int(header.rsplit(b" ", 1)[1])
        yield answer[at : at + size]
        at += size + 1


def object_ids(names: Iterable[str]) -> list[str | None]:
    """Id of each object, named as `REV:PATH`; None where there is none."""
    names = list(names)
    lines = _call(["cat-file", "--batch-check"], "".join(f"{name}\n" for name in names).encode()).splitlines()
    return [None if line.endswith(b" missing") else line.split(b" ")[0].decode() for line in lines]


def object_id(path: Path) -> str | None:
    """Id that a file of the working tree would have as a blob; None when it is absent."""
    return run("hash-object", "--no-filters", str(path)) if path.is_file() else None


def changes() -> list[str]:
    """What `git status --porcelain` lists, as `XY path` lines: empty when the tree is clean."""
    return run("-c", "core.quotePath=false", "status", "--porcelain", "--no-renames").splitlines()


def head() -> str:
    """Commit of HEAD, 40 hex digits."""
    return run("rev-parse", "--verify", "HEAD^{commit}")


def exists(reference: str) -> bool:
    """Whether a branch, tag or other reference is here."""
    return succeeds("rev-parse", "--verify", "-q", reference)


def commit_of(revision: str) -> str:
    """Commit that a revision names, 40 hex digits."""
    return run("rev-parse", "--verify", f"{revision}^{{commit}}")


def branch() -> str | None:
    """Name of the branch that HEAD is on; None when it is detached."""
    return run("branch", "--show-current") or None


def default_branch() -> str:
    """The branch that releases are cut from: origin's HEAD, else `main`."""
    if succeeds("rev-parse", "--verify", "-q", "refs/remotes/origin/HEAD"):
        return run("rev-parse", "--abbrev-ref", "origin/HEAD").removeprefix("origin/")
    return "main"


def has_origin() -> bool:
    """Whether this clone names a remote `origin`."""
    return "origin" in run("remote").splitlines()


def remote_tags(pattern: str) -> list[str]:
    """Tags of that pattern that origin has.

    Raises:
        GraftError: origin cannot be reached.
    """
    lines = run("ls-remote", "--tags", "--refs", "origin", f"refs/tags/{pattern}").splitlines()
    return [line.split("refs/tags/")[1] for line in lines]


def remote_heads() -> dict[str, str]:
    """Branches that origin has: name -> commit.

    Raises:
        GraftError: origin cannot be reached.
    """
    lines = run("ls-remote", "--heads", "origin").splitlines()
    return {name.removeprefix("refs/heads/"): commit for commit, name in (line.split("\t") for line in lines)}


def _call(arguments: Iterable[str], stdin: bytes | None) -> bytes:
    arguments = list(arguments)
    try:
        done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise GraftError("git is not installed", help="install git and run this again") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise GraftError(f"git {next(a for a in arguments if a[0] != '-')}: {said[0]}", said[1:])
    return done.stdout
