"""Files that stages read and a commit would not hold as they are.

DVC hashes whatever is in the folders that dvc.yaml names. What git ignores, what is behind a link or in a submodule,
and what git writes with other line ends than it keeps enters the run, and a fresh clone has something else.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.chain.commits import git, outputs
from pipeline.chain.lock import lockfile
from pipeline.chain.store import visible_files
from pipeline.chain.store.objects import Store
from pipeline.common import line_ends, sources
from pipeline.common.errors import GraftError
from pipeline.model.base import base_files
from pipeline.settings import effective

SHOWN = 10  # files of one kind that are named
_LINE_ENDS = "git keeps it with other line ends"
_ALWAYS = ("params.yaml", "models.lock", "dvc.yaml", "dvc.lock", ".dvcignore")  # no dependency names all of them
_USERS_ATTRIBUTES = f"{os.environ.get('XDG_CONFIG_HOME') or '~/.config'}/git/attributes"  # as man gitattributes says
_SUBMODULE, _LINK = "160000", "120000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unkept:
    """One file that a stage reads, and why a commit does not hold it as it is."""

    path: str
    why: str
    help: str  # the way out

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


def find(store: Store) -> list[Unkept]:
    """Every such file of the working tree, sorted by path.

    A file that is new or changed and that `git status` lists is none: `git add` is what it needs.
    """
    deps = dependencies()
    index = git.indexed(*deps, *_ALWAYS, *_kept_outputs())
    seen = sorted({path for dep in deps for path in visible_files.below(store, dep)})
    links = {path: link for path in seen if (link := _link(path))}
    modules = [path for path, (mode, _) in index.items() if mode == _SUBMODULE]
    inside = {path: module for path in seen for module in modules if outputs.below(path, [module])}
    unknown = [path for path in seen if path not in index and path not in {*links, *inside}]
    found = [
        *(_linked(path, link) for path, link in links.items()),
        *(_in_submodule(path, module) for path, module in inside.items()),
        *_not_in_git(unknown, visible_files.tracked(store) if unknown else []),  # DVC reads all of its files for it
        *_base_not_in_git(),
        *_unseen(index, set(seen), deps),
        *rewritten({path: entry for path, entry in index.items() if path not in links}),
    ]
    return sorted(found, key=lambda one: one.path)


def require_none(store: Store, refusal: str) -> None:
    """Refuse while there are such files.

    Raises:
        GraftError: they are named, with the way out.
    """
    if found := find(store):
        raise GraftError(refusal, words(found), help=way_out(found))


def require_line_ends(refusal: str) -> None:
    """Refuse while git writes files with other bytes than it keeps: their hashes would be pinned.

    Raises:
        GraftError: they are named, with the setting and the way out.
    """
    if found := list(rewritten(git.indexed(*dependencies(), *_ALWAYS, *_kept_outputs()))):
        raise GraftError(refusal, words(found), help=way_out(found))


def words(found: Iterable[Unkept]) -> list[str]:
    """The files, of one reason at most SHOWN."""
    by_why: dict[str, list[Unkept]] = {}
    for one in found:
        by_why.setdefault(one.why, []).append(one)
    lines = []
    for why, some in by_why.items():
        lines += [str(one) for one in some[:SHOWN]]
        lines += [f"... and {len(some) - SHOWN} more: {why}"] if len(some) > SHOWN else []
    return lines


def way_out(found: Iterable[Unkept]) -> str:
    """What to do about them, each way once."""
    ways = list(dict.fromkeys(one.help for one in found))
    return "; ".join(ways[:3])


def dependencies() -> list[str]:
    """Files and folders of dvc.yaml that stages read and no stage writes, the increment's raw files aside."""
    declared = outputs.stages(Path("dvc.yaml").read_bytes(), "dvc.yaml")
    increment = lockfile.load().increment
    written = [out if isinstance(out, str) else next(iter(out)) for one in declared.values() for out in one["outs"]]
    named = {str(dep).replace("${increment}", increment) for one in declared.values() for dep in one.get("deps") or []}
    return sorted(dep for dep in named if dep != f"{increment}/raw" and not outputs.below(dep, written))


def rewritten(index: dict[str, tuple[str, str]]) -> Iterator[Unkept]:
    """Files whose bytes are other ones than the index holds, while `git status` does not say so."""
    here = [path for path, (mode, _) in index.items() if mode not in (_SUBMODULE, _LINK) and Path(path).is_file()]
    differing = [path for path, oid in git.raw_ids(here).items() if oid != index[path][1]]
    if not differing:
        return
    shown = {*(line[3:].strip('"') for line in git.changes()), *git.hidden()}
    contents = git.contents(index[path][1] for path in differing)
    for path, kept in zip(differing, contents, strict=True):
        if path in shown:
            continue
        if line_ends.differ_alone(Path(path).read_bytes(), kept or b""):
            yield Unkept(path=path, why=f"{_LINE_ENDS}: {_cause(path)}", help=line_ends_way_out(path))
        else:
            yield Unkept(
                path=path,
                why=f"git keeps other bytes: {_attributes(path) or 'a filter'}",
                help="take filter, ident or working-tree-encoding of these files out of .gitattributes, then "
                "git add --renormalize and commit",
            )


def dirty_way_out(changed: Iterable[str]) -> str | None:
    """What to do about changes where git's index has the same bytes but for line ends; None: nothing in particular.

    Args:
        changed: lines of `git.changes()`.
    """
    paths = [line[3:] for line in changed if line[:2] in (" M", "M ", "MM") and Path(line[3:]).is_file()]
    contents = git.contents(f"HEAD:{path}" for path in paths) if paths else ()
    for path, kept in zip(paths, contents, strict=True):
        if line_ends.differ_alone(Path(path).read_bytes(), kept or b""):
            return f"line ends alone differ in {path}: {line_ends_way_out(path)}"
    return None


def line_ends_way_out(path: str) -> str:
    """What gives a file the bytes that git keeps, where its line ends were rewritten."""
    places = [place for place in _attributes_files(path) if _sets_line_ends(place)] if _attributes(path) else []
    ours = [place for place in places if Path(place).resolve().is_relative_to(Path.cwd())]  # git asks of no others
    committed = list(git.indexed(*ours)) if ours else []
    before = f"take text and eol of such files out of {' and '.join(places)}, then: " if places else ""
    keep = f"git commit -q -m 'Line ends as they are' -- {' '.join(committed)} && " if committed else ""
    return f"{line_ends.BEFORE}{before or 'then: '}{keep}{line_ends.WAY_OUT}"


def _attributes_files(path: str) -> list[str]:
    """The files in which git looks for a path's attributes: the ones of its folders, this clone's, this user's."""
    within = [(folder / ".gitattributes").as_posix() for folder in PurePosixPath(path).parents]
    own = git.run("rev-parse", "--git-path", "info/attributes")
    users = git.run("config", "--type=path", "--default", _USERS_ATTRIBUTES, "--get", "core.attributesFile")
    return [place for place in (*within, own, users) if Path(place).is_file()]


def _sets_line_ends(place: str) -> bool:
    """Whether an attributes file has a line that makes git rewrite line ends; `-text` is none."""
    every = Path(place).read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line for line in every if not line.lstrip().startswith("#")]
    return any(word == "text" or word.startswith(("text=", "eol=")) for line in lines for word in line.split()[1:])


def _cause(path: str) -> str:
    """The settings of this clone that rewrite line ends."""
    settings = {name: git.setting(name) for name in ("core.autocrlf", "core.eol")}
    named = [f"{name}={value}" for name, value in settings.items() if value and not value.startswith(("false ", "lf "))]
    attributes = _attributes(path)
    return "; ".join([*named, *([attributes] if attributes else [])]) or "the file was written under another setting"


def _attributes(path: str) -> str:
    """The attributes by which git converts a file, in words; empty where there are none."""
    names = ("text", "eol", "filter", "ident", "working-tree-encoding")
    fields = git.run("check-attr", "-z", *names, "--", path).split("\0")
    values = zip(fields[1::3], fields[2::3], strict=False)
    some = [f"{name}={value}" for name, value in values if value not in ("unspecified", "unset")]
    return f"attribute {', '.join(some)}" if some else ""


def _kept_outputs() -> list[str]:
    """Outputs that git keeps, as far as dvc.yaml and dvc.lock can be read."""
    content = [Path(name).read_bytes() if Path(name).is_file() else b"" for name in ("dvc.yaml", "dvc.lock")]
    return [output.path for output in outputs.read(content[0], content[1]) if not output.cached]


def _link(path: str) -> str | None:
    """The path itself or the folder above it that is a link; None where none is."""
    parts = [part.as_posix() for part in (PurePosixPath(path), *PurePosixPath(path).parents)][:-1]
    return next((part for part in reversed(parts) if Path(part).is_symlink()), None)


def _linked(path: str, link: str) -> Unkept:
    return Unkept(
        path=path,
        why=f"{link} is a link to {Path(link).readlink()}: git keeps the link, and the run reads the file behind it",
        help=f"put a copy in place of the link: cp -rL {link} {link}.copy && rm {link} && mv {link}.copy {link}",
    )


def _in_submodule(path: str, module: str) -> Unkept:
    return Unkept(
        path=path,
        why=f"in the submodule {module}, of which git keeps the commit's name alone",
        help=f"keep the files themselves: git rm -q -f --cached {module} && rm -r {module}/.git && "
        f"git add {module}, and commit",
    )


def _not_in_git(paths: list[str], tracked: list[str]) -> Iterator[Unkept]:
    """Files that git does not know: ignored ones, those that DVC tracks, those of a repository within."""
    own = {path: folder for path in paths if (folder := _repository(path))}
    rules = git.ignore_rules(path for path in paths if path not in own)
    for path in paths:
        by_dvc = next((out for out in tracked if outputs.below(path, [out])), None)
        if by_dvc:
            yield Unkept(
                path=path,
                why=f"DVC tracks it ({by_dvc}.dvc): a release holds what git and the increment's raw.dvc name",
                help=f"dvc remove {by_dvc}.dvc && git add --force {by_dvc}, and commit",
            )
        elif path in own:
            yield Unkept(
                path=path,
                why=f"{own[path]} is a git repository of its own",
                help=f"rm -r {own[path]}/.git && git add {own[path]}, and commit",
            )
        elif path in rules:
            yield Unkept(
                path=path,
                why=f"not in git: ignored by {rules[path]}",
                help="git add --force FILE and commit; or delete the file, then dvc repro",
            )


def _base_not_in_git() -> Iterator[Unkept]:
    """Files of a base that lies in the repository and that git does not hold; a folder elsewhere is no part of it."""
    base = lockfile.load().base
    folder = base_files.local_folder(base.requested.source).absolute()
    if not base.requested.source.startswith("path:") or not folder.is_relative_to(Path.cwd()):
        return
    if effective.load()["base"]["store"] == "dvc":
        return
    names = [(folder / name).relative_to(Path.cwd()).as_posix() for name in base.resolved.sha256]
    names = [name for name in names if not _link(name)]  # it leads to a folder elsewhere
    in_git = git.indexed(*names)
    rules = git.ignore_rules(name for name in names if name not in in_git)
    for name, rule in rules.items():
        yield Unkept(
            path=name,
            why=f"of the base, and not in git: ignored by {rule}",
            help="base.store: dvc in params.yaml has DVC keep a copy of the base, with dvc repro",
        )


def _unseen(index: dict[str, tuple[str, str]], seen: set[str], deps: list[str]) -> Iterator[Unkept]:
    """Files of git that DVC leaves out, though they are nothing that tools leave behind: their edits go unnoticed."""
    for path, (mode, _) in index.items():
        if mode == _SUBMODULE or path in seen or not outputs.below(path, deps) or not Path(path).is_file():
            continue
        if not sources.is_leaving(path) and not _link(path):
            yield Unkept(
                path=path,
                why="in git, and hidden from DVC by a line of .dvcignore",
                help="take the line out of .dvcignore, then dvc repro",
            )


def _repository(path: str) -> str | None:
    """The folder above a file that is a git repository of its own; None where there is none."""
    folders = [folder.as_posix() for folder in PurePosixPath(path).parents][:-1]
    return next((folder for folder in folders if Path(folder, ".git").exists()), None)
