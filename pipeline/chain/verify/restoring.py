"""What brings a file back that is not as recorded: git, DVC's cache or the remote, whichever has the right bytes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.chain.candidate import unkept
from pipeline.chain.candidate.staleness import Reason
from pipeline.chain.commits import git, outputs
from pipeline.chain.store.objects import Store
from pipeline.chain.verify.manifest_check import Commit, Finding
from pipeline.common import line_ends
from pipeline.common.errors import GraftError

COMMITTED = "git commit --no-verify (a hook that edits reports/ would change them again; exclude that folder there)"
FOREIGN = "move these files elsewhere: whatever writes the output again deletes them"
_NAMED = 4  # outputs on one command line; of more, the command is for all
_LOOKED_AT = 100  # commits of a file


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lost:
    """A file or an output that is not as recorded."""

    path: str  # an output, or the increment's raw files, or a file of git
    md5: str | None  # DVC's object, which cache or remote may have; None: git keeps it
    is_right: Callable[[bytes], bool]  # whether these are the recorded bytes, where git keeps it
    made: bool  # by a stage, which can make it again


def of_findings(findings: Iterable[Finding], commit: Commit, store: Store) -> str:
    """The commands for files of the working tree, or of HEAD, that are not what the manifest says.

    Args:
        findings: files that are missing, corrupt or wrong in the workspace or in git.
        commit: what was looked at; its dvc.lock and raw.dvc are the working tree's, too.
        store: the repository's objects.
    """
    return "; ".join(_commands(_unique(_lost(finding, commit) for finding in findings), store, are_hashed=True))


def of_stale(found: Iterable[Reason], commit: Commit, store: Store) -> str:
    """The commands for outputs and data of the working tree that `dvc status` calls changed or deleted."""
    names = {reason.name for reason in found if reason.kind == "output"}
    paths = [output.path for output in commit.outputs] + [_raw(commit)]
    lost = [_of_path(path, commit) for path in paths if any(name.startswith(f"{path} ") for name in names)]
    return "; ".join(_commands(_unique(lost), store, are_hashed=False))


def _lost(finding: Finding, commit: Commit) -> _Lost:
    found = _of_path(finding.path, commit)
    if found.made or found.md5:
        return found
    expected = finding.expected.removeprefix("sha256 ")
    return _Lost(path=finding.path, md5=None, is_right=lambda text: _sha256(text) == expected, made=False)


def _of_path(path: str, commit: Commit) -> _Lost:
    raw, output = _raw(commit), next((o for o in commit.outputs if outputs.below(path, [o.path])), None)
    if outputs.below(path, [raw]):
        return _Lost(path=raw, md5=commit.raw, is_right=bool, made=False)
    if output is None:
        return _Lost(path=path, md5=None, is_right=bool, made=False)
    md5 = output.md5
    is_right: Callable[[bytes], bool] = lambda text: _md5(text) == md5  # noqa: E731 - named by its type
    return _Lost(path=output.path, md5=md5 if output.cached else None, is_right=is_right, made=True)


def _commands(lost: list[_Lost], store: Store, *, are_hashed: bool) -> Iterator[str]:
    """One command for each place that has something, in the order in which they are typed."""
    yield from _git_commands([one for one in lost if one.md5 is None])
    yield from _dvc_commands({one.path: one for one in lost if one.md5}, store, are_hashed=are_hashed)


def _git_commands(lost: list[_Lost]) -> Iterator[str]:
    from_head, from_commit, again = list[str](), dict[str, list[str]](), list[str]()
    for one in lost:
        kept = git.show("HEAD", one.path)
        if kept is not None and one.is_right(kept):
            if Path(one.path).is_file() and line_ends.differ_alone(Path(one.path).read_bytes(), kept):
                yield f"line ends alone differ: {unkept.line_ends_way_out(one.path)}"
                return  # one setting, one way out
            from_head.append(one.path)
        elif before := _commit_with(one):
            from_commit.setdefault(before, []).append(one.path)
        else:
            again.append(one.path)
    if from_head:
        yield f"git checkout HEAD -- {' '.join(from_head)}"
    for before, paths in from_commit.items():
        yield f"git checkout {before} -- {' '.join(paths)} && {COMMITTED}"
    if again:
        yield f"dvc repro makes {' '.join(again)} again; then git add --update and {COMMITTED}"


def _dvc_commands(lost: Mapping[str, _Lost], store: Store, *, are_hashed: bool) -> Iterator[str]:
    in_cache, corrupt = list[str](), dict[str, list[str]]()
    for path, one in lost.items():
        every, bad = _cached(one.md5 or "", store, are_hashed=are_hashed)
        if every and not bad:
            in_cache.append(path)
        corrupt[path] = bad
    absent = [path for path in lost if path not in in_cache]
    in_remote = _in_remote({path: lost[path].md5 or "" for path in absent}, store)
    nowhere = [path for path in absent if path not in in_remote]
    if objects := sorted({md5 for bad in corrupt.values() for md5 in bad}):
        yield f"rm -f {' '.join(str(store.path(md5)) for md5 in objects)}"
    if in_cache:
        yield f"dvc checkout --force{_targets(in_cache)}"
    if in_remote:
        yield f"dvc pull{' --force' if any(Path(path).exists() for path in in_remote) else ''}{_targets(in_remote)}"
    if made := [path for path in nowhere if lost[path].made]:
        yield f"dvc repro makes again what neither the cache nor the remote has: {' '.join(made)}"
    if data := [path for path in nowhere if not lost[path].made]:
        yield f"{' '.join(data)}: neither the cache nor the remote has it; whoever added it must dvc push"


def _cached(md5: str, store: Store, *, are_hashed: bool) -> tuple[bool, list[str]]:
    """Whether the cache holds an object with all its files, and those that have other bytes."""
    if store.missing([md5], "cache"):
        return False, []
    try:
        every = store.closure([md5], "cache")
    except GraftError:
        return True, [md5]  # the listing itself
    whole = not store.missing(every, "cache")
    if not are_hashed:
        return whole, []
    digests = store.all_digests(every, "cache")
    return whole, [name for name, found in digests.items() if found.md5 != name.removesuffix(".dir")]


def _in_remote(lost: Mapping[str, str], store: Store) -> list[str]:
    """Those of the outputs that the remote has whole; none where it cannot be reached."""
    if not lost or store.remote_name() is None:
        return []
    try:
        absent = set(store.missing(lost.values(), "remote"))
        wanted = {path: store.closure([md5], "remote", "cache") for path, md5 in lost.items() if md5 not in absent}
        absent |= set(store.missing({md5 for every in wanted.values() for md5 in every}, "remote"))
    except GraftError:
        return []
    return [path for path, every in wanted.items() if not every & absent]


def _commit_with(lost: _Lost) -> str | None:
    """The newest commit before HEAD that has a file's recorded bytes, by its short name."""
    commits = git.run("log", f"--max-count={_LOOKED_AT}", "--format=%h", "--", lost.path).split()
    contents = git.contents(f"{commit}:{lost.path}" for commit in commits) if commits else ()
    pairs = zip(commits, contents, strict=True)
    return next((commit for commit, content in pairs if content is not None and lost.is_right(content)), None)


def _unique(lost: Iterable[_Lost]) -> list[_Lost]:
    return list({one.path: one for one in lost}.values())


def _targets(paths: list[str]) -> str:
    """The paths as arguments; none, which means all, where they are many."""
    return "" if len(paths) > _NAMED else "".join(f" {path}" for path in paths)


def _raw(commit: Commit) -> str:
    return f"{commit.lock.increment}/raw"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
