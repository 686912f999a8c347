"""Git, reached from this module alone, by its own command line."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.common.errors import GraftError

# HEAD, and where a merge, rebase or the like has stopped, its other side, which no ref may name.
_HEADS = ("HEAD", "MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "MERGE_AUTOSTASH")
_VALUED = ("-C", "-c")  # options whose value is a word of its own
# What git says of a repository that is broken, and what helps.
_HELP = (
    ("bad config", "edit the file that git names; git config --list --show-origin reads it again"),
    (".lock': File exists", "another git process is at work here; where none is, delete that .lock file"),
    ("not a git repository", "cd into your clone; a copy without its .git folder is none"),
    ("dubious ownership", "git config --global --add safe.directory PATH, where you trust the owner"),
    ("index file", "git keeps the index in .git/index: rm .git/index && git reset makes it again from HEAD"),
    ("Permission denied", "this account may not write there: ls -l shows whose it is"),
    ("No space left", "make room, then run this again"),
    ("bad object", "git fsck names what is broken; git fetch brings back what origin has"),
    ("unknown revision", "git log and git tag list what there is; git fetch --tags"),
    ("Needed a single revision", "git log and git tag list what there is; git fetch --tags"),
    ("Could not read from remote repository", "git remote --verbose shows where origin is; is it in reach?"),
    ("unable to access", "git remote --verbose shows where origin is; is it in reach?"),
)
_SEEN = re.compile(r"[HMRCK?U] ")  # of `git ls-files -v`: neither skip-worktree (S) nor assume-unchanged (lower case)
_ORIGINS_HEAD = "refs/remotes/origin/HEAD"
_KINDS = (b"blob", b"tree", b"commit", b"tag")


def run(*arguments: str, stdin: bytes | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Output of `git ARGUMENTS`, without the final newline.

    Args:
        arguments: command and options.
        stdin: what it reads.
        environment: variables beside those of this process, such as GIT_INDEX_FILE.

    Raises:
        GraftError: git is absent, or exits non-zero; the message is git's own.
    """
    return _call(arguments, stdin, environment).decode("utf-8", "surrogateescape").rstrip("\n")


def succeeds(*arguments: str) -> bool:
    """Whether `git ARGUMENTS` exits with 0."""
    return subprocess.run(["git", *arguments], capture_output=True, check=False).returncode == 0


def show(revision: str, path: str) -> bytes | None:
    """A file's content at a revision; None where that revision has no such file."""
    return next(iter(contents([f"{revision}:{path}"])))


def files(revision: str, path: str) -> list[str]:
    """Files at or below a path that a revision holds."""
    return [name for name in run("ls-tree", "-r", "-z", "--name-only", revision, "--", path).split("\0") if name]


def blobs(revision: str) -> dict[str, str]:
    """Id of every file of a revision, by its path."""
    lines = filter(None, run("ls-tree", "-r", "-z", revision).split("\0"))
    return {path: head.split()[2] for head, _, path in (line.partition("\t") for line in lines)}


def contents(names: Iterable[str]) -> Iterator[bytes | None]:
    """Content of each file, named as `REV:PATH` or by its id, in the order asked; one process for all of them.

    None where there is none: nothing, a folder or a submodule.
    """
    for kind, content in _objects(names):
        yield content if kind == b"blob" else None


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


def absent_worktrees() -> dict[str, tuple[str, bool]]:
    """Working trees whose folder is not here -> the commit of HEAD, and whether git has it locked."""
    absent = {}
    for block in run("worktree", "list", "--porcelain").split("\n\n"):
        facts = dict(line.partition(" ")[::2] for line in block.splitlines())
        folder = facts.get("worktree", "")
        if "HEAD" in facts and not Path(folder, ".git").exists():
            absent[folder] = (facts["HEAD"], "locked" in facts)
    return absent


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
    """Content of each object, of any kind, where none may be missing.

    Raises:
        GraftError: one is not here: a clone without all of its history, or a damaged one.
    """
    names = list(names)
    for name, (kind, content) in zip(names, _objects(names) if names else (), strict=True):
        if kind is None:
            raise GraftError(
                f"git object {name} is not in this clone", help="git fetch origin; git fsck says what is damaged"
            )
        yield content


def changes() -> list[str]:
    """What `git status --porcelain` lists, as `XY path` lines: empty when the tree is clean."""
    # What a clone's own config would hide is shown: untracked files, submodules, edits that keep size and time.
    options = ("core.quotePath=false", "core.trustCtime=true", "core.checkStat=default")
    config = [part for option in options for part in ("-c", option)]
    shown = ("--untracked-files=normal", "--ignore-submodules=none")
    return run(*config, "status", "--porcelain", "--no-renames", *shown).splitlines()


def ignored(paths: Iterable[str]) -> list[str]:
    """Those of the paths that git ignores, each with the rule: `PATH: FILE:LINE:PATTERN`; tracked or not."""
    return [f"{path}: {rule}" for path, rule in ignore_rules(paths).items()]


def ignore_rules(paths: Iterable[str]) -> dict[str, str]:
    """Those of the paths that git ignores, tracked or not: path -> the rule, `FILE:LINE:PATTERN`.

    None of them may be in a submodule or behind a link.
    """
    text = "".join(f"{path}\0" for path in paths)
    done = subprocess.run(
        ["git", "check-ignore", "--verbose", "--no-index", "--stdin", "-z"],
        input=text.encode("utf-8", "surrogateescape"), capture_output=True, check=False,
    )  # fmt: skip
    fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    found = zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    return {path: f"{file}:{line}:{pattern}" for file, line, pattern, path in found if not pattern.startswith("!")}


def indexed(*paths: str) -> dict[str, tuple[str, str]]:
    """Mode and id of each file of the index at or below these paths, by its path; a conflict gives one side."""
    entries = filter(None, run("ls-files", "--stage", "-z", "--", *paths).split("\0"))
    parts = (entry.partition("\t") for entry in entries)
    return {path: (head.split()[0], head.split()[1]) for head, _, path in parts}


def raw_ids(paths: Iterable[str]) -> dict[str, str]:
    """Id that each file of the working tree would have as a blob, its bytes as they are: path -> id."""
    paths = list(paths)
    text = "".join(f"{path}\n" for path in paths).encode("utf-8", "surrogateescape")
    ids = run("hash-object", "--no-filters", "--stdin-paths", stdin=text).splitlines() if paths else []
    return dict(zip(paths, ids, strict=True))


def setting(name: str) -> str | None:
    """A value of git's configuration with the file that sets it, `VALUE (file:PATH)`; None where it is not set."""
    fields = run("config", "--list", "--show-origin", "-z").split("\0")  # file, then key and value, by turns
    found = None
    for place, entry in zip(fields[::2], fields[1::2], strict=False):
        key, _, value = entry.partition("\n")
        found = f"{value} ({place})" if key == name else found  # the last one counts
    return found


def top_level() -> Path:
    """The folder of this working tree, a linked one's or a submodule's own.

    Raises:
        GraftError: this is no working tree of git.
    """
    return Path(run("rev-parse", "--show-toplevel"))


def require_own_repository() -> None:
    """Refuse a subfolder of another git repository: tags, dvc.lock and manifests are read from the root of a commit.

    Raises:
        GraftError: git's top level is another folder than this one.
    """
    top, here = top_level().resolve(), Path.cwd().resolve()
    if top != here:
        inside = here.relative_to(top).as_posix() if here.is_relative_to(top) else here.as_posix()
        raise GraftError(
            "Graft needs a git repository of its own",
            [f"git's top level is {top}, and dvc.yaml is in its subfolder {inside}"],
            help=f"git subtree split --prefix {inside} makes a commit of that folder alone for a repository of its "
            "own; the other one takes it in as a submodule: docs/how-to/monorepo.md",
        )


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
    if exists(_ORIGINS_HEAD):
        return run("rev-parse", "--abbrev-ref", "origin/HEAD").removeprefix("origin/")
    return "main"


def default_branch_help() -> str:
    """How to get onto the default branch, or have this clone know which one it is."""
    main, here = default_branch(), branch()
    if exists(_ORIGINS_HEAD):
        return f"git switch {main}"
    if has_origin():
        return f"git switch {main}; where origin's default branch is another one: git remote set-head origin -a"
    return f"git branch --move {here} {main}" if here and not exists(f"refs/heads/{main}") else f"git switch {main}"


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


def remote_tag_ids(pattern: str) -> dict[str, str]:
    """Tags of that pattern that origin has: name -> id of the tag's own object.

    Raises:
        GraftError: origin cannot be reached.
    """
    lines = run("ls-remote", "--tags", "--refs", "origin", f"refs/tags/{pattern}").splitlines()
    return {name.removeprefix("refs/tags/"): oid for oid, name in (line.split("\t") for line in lines)}


def tag(name: str) -> tuple[dict[str, str], str]:
    """An annotated tag's headers (object, type, tag, tagger) and its message."""
    head, _, message = run("cat-file", "tag", f"refs/tags/{name}").partition("\n\n")
    return dict(line.split(" ", 1) for line in head.splitlines() if " " in line), message


def hidden() -> dict[str, str]:
    """Files whose edits git was told not to see, and that are edited: path -> what hides it.

    A file that is absent is none: a sparse checkout leaves files out by the same mark.
    """
    lines = [line for line in run("-c", "core.quotePath=false", "ls-files", "-v").splitlines() if not _SEEN.match(line)]
    flags = {line[2:]: line[0] for line in lines if Path(line[2:]).exists() or line[0].islower()}
    staged = run("ls-files", "--stage", "-z", "--", *flags).split("\0") if flags else []
    found = {}
    for entry in filter(None, staged):
        (mode, oid, _), path = entry.split("\t", 1)[0].split(" "), entry.split("\t", 1)[1]
        here = run("hash-object", "--", path) if Path(path).is_file() else None
        runs = here is not None and Path(path).stat().st_mode & 0o100
        if here != oid or bool(runs) != (mode == "100755"):
            found[path] = "skip-worktree" if flags.get(path, "h") in "Ss" else "assume-unchanged"
    return found


def remote_heads() -> dict[str, str]:
    """Branches that origin has: name -> commit.

    Raises:
        GraftError: origin cannot be reached.
    """
    lines = run("ls-remote", "--heads", "origin").splitlines()
    return {name.removeprefix("refs/heads/"): commit for commit, name in (line.split("\t") for line in lines)}


def _objects(names: Iterable[str]) -> Iterator[tuple[bytes | None, bytes]]:
    """Kind and content of each object, in the order asked; no kind where there is none."""
    names = list(names)
    answer, at = _call(["cat-file", "--batch"], "".join(f"{name}\n" for name in names).encode()), 0
    for _ in names:
        end = answer.index(b"\n", at)
        header, at = answer[at:end].rsplit(b" ", 2), end + 1
        if len(header) < 3 or header[1] not in _KINDS or not header[2].isdigit():  # missing, ambiguous, submodule
            yield None, b""
            continue
        size = int(header[2])
        yield header[1], answer[at : at + size]
        at += size + 1


def _call(arguments: Iterable[str], stdin: bytes | None, environment: Mapping[str, str] | None = None) -> bytes:
    arguments, variables = list(arguments), os.environ | environment if environment else None
    try:
        done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, check=False, env=variables)
    except FileNotFoundError:
        raise GraftError("git is not installed", help="install git and run this again") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise GraftError(f"git {_name(arguments)}: {said[0]}", said[1:], help=_way_out("\n".join(said)))
    return done.stdout


def _name(arguments: list[str]) -> str:
    """The git command among its arguments: the first that is neither an option nor the value of -C or -c."""
    before = ["", *arguments]
    return next(word for word, last in zip(arguments, before, strict=False) if word[0] != "-" and last not in _VALUED)


def _way_out(said: str) -> str | None:
    return next((way_out for sign, way_out in _HELP if sign in said), None)
