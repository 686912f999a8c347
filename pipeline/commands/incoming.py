"""graft add: the files that a user hands in, how each is read, and their way into a draft of the increment."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import click

from pipeline import terminal
from pipeline.commands.grouped import in_group
from pipeline.common import files, schema_words, sources
from pipeline.common.errors import GraftError
from pipeline.data.detect import dataset_info
from pipeline.data.detect.columns import Column
from pipeline.data.detect.detect_rows import Wishes, shown
from pipeline.data.reading import increment
from pipeline.data.reading.filespec import CONTENTS, FileSpec
from pipeline.data.reading.limits import Limits
from pipeline.settings import effective

_READING = (
    "text", "label", "columns", "header", "delimiter", "encoding", "format", "content", "template", "blocks", "key",
    "date",
)  # fmt: skip

_VISIBLE = ("text", "label", "columns", "header", "key", "instruction")  # options of their own
_SET = {  # keys of increment.yaml that are rarely said -> what they may be
    "task": tuple(CONTENTS),
    "format": ("csv", "jsonl", "json", "txt", "fasttext", "parquet", "arrow"),
    "content": ("table", "alpaca", "sharegpt", "messages", "preference", "kto", "text"),
    "blocks": ("lines", "paragraphs"),
    "delimiter": (),
    "encoding": (),
    "template": (),
    "date": (),
}
_WHAT, _HOW = "What the files are", "How they are read, where it is not detected"
_OPTIONS = (
    in_group(_WHAT, "--instruction", default="", help="A line above each text of a classification."),
    in_group(_WHAT, "--key", help="Column that names an item over time, such as a product's id."),
    in_group(_WHAT, "--withdrawn", metavar="FILE", help="Keys of items that leave, one a line."),
    in_group(_WHAT, "--evaluation", metavar="FILE", multiple=True, help="A file to hold out whole, not a share."),
    in_group(_WHAT, "--images", metavar="DIR", help="Folder of the images that rows name by path."),
    in_group(_HOW, "--text", help="Column that holds the text."),
    in_group(_HOW, "--label", help="Column that holds the label."),
    in_group(_HOW, "--columns", help="Names of a CSV's columns, separated by commas, where it has no header."),
    in_group(_HOW, "--header/--no-header", default=None, help="Whether the first row of a CSV names its columns."),
    in_group(_HOW, "--dataset-info", metavar="FILE", help="LLaMA-Factory's dataset_info.json: columns and tags."),
    in_group(
        _HOW, "--set", "settings", metavar="KEY=VALUE", multiple=True,
        help=f"Any other key of increment.yaml: {', '.join(_SET)}, entry (of dataset_info.json).",
    ),
    *(click.option(f"--{name}", hidden=True, help=f"--set {name}=") for name in (*_SET, "entry")),  # as typed before it
)  # fmt: skip


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Put the options that say how files are read on a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """What the user hands in, and what was said about it."""

    sources: list[Path]  # evaluation files included
    evaluation: list[Path]
    options: dict[str, Any]  # of the command line
    limits: Limits
    images: Path | None = None

    @property
    def more(self) -> dict[str, Any]:
        """What increment.yaml says once for all files."""
        withdrawn = self.options.get("withdrawn")
        return {
            "key": self.options.get("key"),
            "date": self.options.get("date"),
            "withdrawn": _keys(Path(withdrawn)) if withdrawn else [],
            "evaluation": [_target(source) for source in self.evaluation],
        }

    def specs(self, earlier: Iterable[FileSpec] = ()) -> dict[str, FileSpec]:
        """How each file is read.

        Args:
            earlier: how the files are read that these join.

        Raises:
            GraftError: names every file that cannot be.
        """
        from pipeline.data.detect import detect  # pyarrow: not for every command

        names = Counter(_target(source) for source in self.sources)
        faults = [
            *(GraftError(f"{source.name!r}: {why}") for source in self.sources if (why := _unusable(source))),
            *(GraftError(f"two files are called {PurePosixPath(name).name}") for name in names if names[name] > 1),
        ]
        usable = [source for source in self.sources if not _unusable(source)]
        wishes = {source: self._wishes(source) for source in usable}
        ask = _ask if terminal.is_interactive() else None
        found, unread = detect.detect_drop(wishes, self.limits, ask, earlier)
        faults += unread
        specs = {source: self._applied(source, spec) for source, spec in found.items()}
        faults += [fault for source, spec in specs.items() for fault in self._missing(source, spec)]
        if faults:
            raise _together(faults)
        return {_target(source): spec for source, spec in specs.items()}

    def task(self, specs: dict[str, FileSpec]) -> str:
        """What all of the files teach.

        Raises:
            GraftError: they teach different things.
        """
        from pipeline.data.detect import detect  # pyarrow: not for every command

        if self.options.get("task"):
            return self._asked(str(self.options["task"]), specs)
        found = detect.tasks({source: specs[_target(source)] for source in self.sources}, self.limits)
        if len(set(found.values())) > 1:
            raise GraftError(
                "the files are of different tasks",
                [f"{source.name}: {task}" for source, task in found.items()],
                help="one increment has one task: name it with --set task=TASK, or add the others as another increment",
            )
        task = next(iter(found.values()))
        if self.options.get("instruction") and task != "classification":
            raise GraftError(f"--instruction stands above the texts of a classification, and this is {task}")
        return task

    def _asked(self, task: str, specs: dict[str, FileSpec]) -> str:
        unfit = [f"{name}: {spec.content}" for name, spec in specs.items() if spec.content not in CONTENTS[task]]
        if unfit:
            takes = ", ".join(CONTENTS[task])
            raise GraftError(f"task {task} takes {takes}", unfit, help="--set content=CONTENT says what a file holds")
        return task

    def copy(self, raw: Path) -> None:
        """Copy files and images below `raw`.

        Raises:
            GraftError: a file of that name is there with other content.
        """
        for source in self.sources:
            _copy(source, raw / source.name)
        if self.images is not None:
            for source in files.files_below(self.images):
                _copy(source, raw / increment.IMAGES / source.relative_to(self.images))

    def _entry(self, source: Path) -> dataset_info.Entry | None:
        info = self.options.get("dataset_info")
        return dataset_info.entry(Path(info), source, self.options.get("entry")) if info else None

    def _applied(self, source: Path, spec: FileSpec) -> FileSpec:
        entry = self._entry(source)
        return replace(spec, **entry.applied(spec)) if entry else spec

    def _wishes(self, source: Path) -> Wishes:
        entry, columns = self._entry(source), self.options.get("columns")
        said = {name: self.options.get(name) for name in _READING}
        content = entry.content if entry else said["content"]
        return Wishes(**(said | {"columns": columns.split(",") if columns else None, "content": content}))

    def _missing(self, source: Path, spec: FileSpec) -> Iterator[GraftError]:
        """The columns that were named and that a table has not."""
        for option in ("key", "date"):
            column = self.options.get(option)
            if column and spec.columns and column not in spec.columns:
                message = f"{source}: {option}: no column {column!r}"
                yield GraftError(message, [f"columns: {', '.join(spec.columns)}"])


def _ask(where: str, what: str, columns: Sequence[Column]) -> str:
    """Ask the person at the terminal which column is meant."""
    terminal.echo(f"{where}: cannot tell which column holds the {what}", *(f"  {shown(column)}" for column in columns))
    return str(click.prompt(f"column of the {what}", type=click.Choice([column.name for column in columns])))


def _together(faults: Sequence[GraftError]) -> GraftError:
    """One refusal that names every fault."""
    if len(faults) == 1:
        return GraftError(f"not added: {faults[0].message}", faults[0].problems, help=faults[0].help)
    lines = [
        line
        for fault in faults
        for line in (fault.message, *fault.problems, *([f"help: {fault.help}"] if fault.help else []))
    ]
    return GraftError(f"not added: {lines[0]}", lines[1:])


def gather(called_from: Path, paths: tuple[str, ...], options: dict[str, Any]) -> Incoming:
    """The files of the command line; paths count from where the user stands."""
    options |= _set(options.pop("settings"), options)
    for name, allowed in _SET.items():
        if allowed and options[name] not in (None, *allowed):
            more = schema_words.suggestion(options[name], allowed)
            raise click.UsageError(f"{name}: must be one of {', '.join(allowed)}, is {options[name]!r}{more}")
    for name in ("withdrawn", "images", "dataset_info"):
        options[name] = called_from / options[name] if options[name] else None
    if options["text"] and options["template"]:
        raise click.UsageError("template takes the place of --text")
    if options["template"] and "{" not in options["template"]:
        raise click.UsageError(f"template: names no column, such as {{title}}, is {options['template']!r}")
    if options["entry"] and not options["dataset_info"]:
        raise click.UsageError("entry names one of dataset_info.json: --dataset-info FILE is missing")
    images = options["images"]
    if images and not images.is_dir():
        raise GraftError(f"--images {images}: no such folder")
    evaluation = [called_from / path for path in options["evaluation"]]
    section = effective.load()["prepare"]
    limits = {name: section[name] for name in ("max_bytes", "max_line") if name in section}
    return Incoming(
        sources=list(
            dict.fromkeys([*(called_from / path for path in paths), *evaluation])
        ),  # named twice is meant once
        evaluation=evaluation,
        options=options,
        limits=Limits(**limits),
        images=images,
    )


def _set(pairs: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """What --set says, by the name of the option; refused where an option, or another --set, says otherwise."""
    known = (*_SET, "entry", *_VISIBLE)
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise click.UsageError(f"--set {pair}: must be KEY=VALUE")
        if name not in known:
            more = schema_words.suggestion(name, known)
            raise click.UsageError(
                f"--set {name}: no key of increment.yaml that can be set{more}; one of {', '.join(known)}"
            )
        if not value:
            raise click.UsageError(f"--set {name}: must not be empty; leave it out, and it is detected")
        if name == "header" and value not in ("true", "false"):
            raise click.UsageError(f"--set header: must be true or false, is {value!r}")
        said = value == "true" if name == "header" else value
        before = found.get(name, options.get(name))
        if before not in (None, "", said):
            raise click.UsageError(f"{name}: said twice, as {_said(before)!r} and as {value!r}")
        found[name] = said
    return found


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _target(source: Path) -> str:
    return f"{increment.RAW}/{source.name}"


def _keys(path: Path) -> list[str]:
    """The keys in a file, one a line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GraftError(f"--withdrawn {path}: {error}", help="a UTF-8 file with one key a line") from None
    keys = dict.fromkeys(line.strip() for line in lines if line.strip())
    if not keys:
        raise GraftError(f"--withdrawn {path}: no key in it", help="a UTF-8 file with one key a line")
    return list(keys)


def _unusable(source: Path) -> str | None:
    """Why a path can be no file of an increment, before it is opened."""
    if not source.exists():
        return f"no such file: {source}"
    if not source.is_file():
        return "not a regular file"
    if source.name in {".dvcignore", ".gitignore", "raw.dvc"} or ".." in source.name or "\\" in source.name:
        return "a name that git, DVC or increment.yaml reads otherwise; rename it"
    if sources.is_leaving(source.name):
        return "a name of what systems and tools leave in folders, which DVC does not see; rename it"
    try:
        source.name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    return None


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and files.sha256(target) != files.sha256(source):
        raise GraftError(
            f"{source.name} is in the increment already, with other content",
            help="rename the new file, or give all files with --replace",
        )
    target.unlink(missing_ok=True)  # a copy of a link into the cache is read-only
    shutil.copyfile(source, target)
