"""Git, reached from this module alone, by its own command line."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.errors import GraftError

# HEAD, and where a merge, rebase or the like has stopped, its other side, which no ref may name.
_HEADS = ("HEAD", "MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "MERGE_AUTOSTASH")
_VALUED = ("-C", "-c")  # options whose value is a word of its own


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


def object_ids(names: Iterable[str], folder: Path = Path()) -> list[str | None]:
    """Id of each object, named as `REV:PATH`; None where there is none."""
    names = list(names)
    arguments = ["-C", str(folder), "cat-file", "--batch-check"]
    lines = _call(arguments, "".join(f"{name}\n" for name in names).encode()).splitlines()
    return [None if line.endswith(b" missing") else line.split(b" ")[0].decode() for line in lines]


def object_id(path: Path) -> str | None:
    """Id that a file of the working tree would have as a blob; None when it is absent."""
    return run("hash-object", "--no-filters", str(path)) if path.is_file() else None


def refs() -> dict[str, str]:
    """Every ref that leads to a commit: full name -> commit, tags peeled."""
    names = run("for-each-ref", "--format=%(refname)").splitlines()
    commits = object_ids(f"{name}^{{commit}}" for name in names) if names else []
    return {name: commit for name, commit in zip(names, commits, strict=True) if commit}


def stashes() -> dict[str, str]:
    """Every commit of every stash: its working tree, its index and its untracked files, by a name for it."""
    lines = run("stash", "list", "--format=%gd %H %P").splitlines()
    found: dict[str, str] = {}
    for name, *commits in (line.split() for line in lines):
        found |= {name if not number else f"{name}^{number}": commit for number, commit in enumerate(commits)}
    return found


def worktrees() -> dict[Path, dict[str, str]]:
    """Folder of each working tree of this repository that is there -> its HEAD and, in a merge, the other side."""
    lines = run("worktree", "list", "--porcelain").splitlines()
    folders = [Path(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree ")]
    found: dict[Path, dict[str, str]] = {}
    for folder in folders:
        if (folder / ".git").exists():  # neither a bare repository nor a folder that somebody deleted
            ids = object_ids((f"{name}^{{commit}}" for name in _HEADS), folder)
            found[folder] = {name: commit for name, commit in zip(_HEADS, ids, strict=True) if commit}
    return found


def staged(folder: Path, *patterns: str) -> set[str]:
    """Ids of the files of these patterns in the index of a working tree, all sides of a conflict included."""
    lines = run("-C", str(folder), "ls-files", "--stage", "-z", "--", *patterns).split("\0")
    return {line.split()[1] for line in filter(None, lines)}


def unstaged(folder: Path, *patterns: str) -> list[Path]:
    """Files of these patterns in a working tree that are new or changed, ignored ones included."""
    names = run("-C", str(folder), "ls-files", "--others", "--modified", "-z", "--", *patterns).split("\0")
    return [path for name in filter(None, names) if (path := folder / name).is_file()]


def ever_in(commits: Iterable[str], *patterns: str) -> set[str]:
    """Ids of every version of the files of these patterns, in all refs, HEADs and these commits, and all before them.

    In a shallow clone, that is as far as history is here.
    """
    every = run("rev-list", "--all", *commits).encode()
    options = ("--stdin", "-m", "-r", "--root", "--no-commit-id", "--raw", "--no-abbrev", "--no-renames", "-z")
    fields = run("diff-tree", *options, "--", *patterns, stdin=every + b"\n").split("\0")
    return {name for field in fields if field.startswith(":") for name in field.split()[2:4] if set(name) != {"0"}}


def tree_entries(trees: Iterable[str]) -> Iterator[tuple[str, bool, str]]:
    """Name, whether it is a folder, and id of every entry of these trees.

    Raises:
        GraftError: a tree is not here.
    """
    trees = list(trees)
    size = len(trees[0]) // 2 if trees else 20  # bytes of an id: SHA-1 or SHA-256
    entry = re.compile(rb"(\d+) ([^\0]+)\0(.{%d})" % size, re.DOTALL)
    for text in existing(trees):
        for mode, name, raw in entry.findall(text):
            yield name.decode("utf-8", "surrogateescape"), mode == b"40000", raw.hex()


def existing(names: Iterable[str]) -> Iterator[bytes]:
    """Content of each object, as `contents`, where none may be missing.

    Raises:
        GraftError: one is not here: a clone without all of its history, or a damaged one.
    """
    names = list(names)
    for name, content in zip(names, contents(names) if names else (), strict=True):
        if content is None:
            raise GraftError(
                f"git object {name} is not in this clone", help="git fetch origin; git fsck says what is damaged"
            )
        yield content


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


def require_identity() -> None:
    """Refuse early what git would refuse at the end.

    Raises:
        GraftError: git does not know in whose name to commit.
    """
    for role in ("AUTHOR", "COMMITTER"):
        try:
            run("var", f"GIT_{role}_IDENT")
        except GraftError as error:
            raise GraftError(
                "git does not know in whose name to commit",
                [error.message],
                help="git config user.name NAME && git config user.email ADDRESS",
            ) from None


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
        raise GraftError(f"git {_name(arguments)}: {said[0]}", said[1:])
    return done.stdout


def _name(arguments: list[str]) -> str:
    """The git command among its arguments: the first that is neither an option nor the value of -C or -c."""
    before = ["", *arguments]
    return next(word for word, last in zip(arguments, before, strict=False) if word[0] != "-" and last not in _VALUED)
