"""graft add: new files -> an increment on the release that the tree holds."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import click

from pipeline import terminal
from pipeline.chain.candidate import anchors, candidate, undo
from pipeline.chain.candidate.candidate import INCREMENTS, Tree
from pipeline.chain.commits import git, outputs
from pipeline.chain.lock import lockfile
from pipeline.chain.store import tracking
from pipeline.chain.store.objects import Store
from pipeline.commands import files_read, incoming
from pipeline.commands.grouped import GroupedCommand, in_group
from pipeline.commands.incoming import Incoming
from pipeline.common import params, words
from pipeline.common.errors import GraftError
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.data.reading import increment
from pipeline.data.records import kinds
from pipeline.report.data import funnel
from pipeline.settings import effective

GOLDEN = Path("data/golden")
_WHICH = "Which candidate"  # a group of options
GIVEN = (".dvcignore", "dvc.lock", "dvc.yaml", "models.lock", "params.yaml")  # that git must keep, beside the increment
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@click.command(cls=GroupedCommand)
@click.argument("name", required=False)
@click.argument("paths", nargs=-1, metavar="[FILE]...")
@in_group(_WHICH, "--replace", is_flag=True, help="Rewrite an unreleased or withdrawn increment, or drop the open one.")
@in_group(_WHICH, "--no-data", is_flag=True, help="Open a candidate without new files: new code, params, golden items.")
@in_group(_WHICH, "--full", is_flag=True, help="Open a refresh: train from the base over all increments of the chain.")
@in_group(_WHICH, "--adopt", metavar="DIR", help="Continue an adapter that another tool made (PEFT's format).")
@incoming.options
@click.option("--json", "as_json", is_flag=True, help="Print what was opened as JSON; warnings go to standard error.")
@click.pass_obj
def add(
    called_from: Path,
    /,
    name: str | None,
    paths: tuple[str, ...],
    replace: bool,
    no_data: bool,
    full: bool,
    adopt: str | None,
    as_json: bool,
    **handed_in: Any,
) -> None:
    """Open the next candidate, or add files to it.

    The files are copied to data/increments/NAME/raw and tracked with DVC; how to read them is
    detected and written to increment.yaml, which you may edit. The parent becomes the release that
    the tree holds. When a file is refused, nothing is left behind.

    \b
    Example:
      graft add 2026-02-spring new.csv more.jsonl
      graft add titles offers.csv --no-header --columns id,title,category --text title --label category
      graft add chats talks.jsonl.gz --images photos     JSON, Parquet, Arrow, text, packed or not
      graft add prices new.csv --key id --withdrawn gone.txt --evaluation judged.csv
      graft add offers offers.tsv --label category --set template='{title} by {brand}'
      graft add --no-data              after an edit of params or code
      graft add 2026-refresh --full    train again from the base, over everything
      graft add --adopt ../adapter     the open candidate, before the first release, on that adapter
    """
    if as_json:
        terminal.be_quiet()
    _usage(no_data, full, adopt, name, paths)
    report: dict[str, Any] = {}
    tree = candidate.tree()
    candidate.require_history(tree)
    tree = with_changes(tree, lock=with_changes(tree.lock, anchor=anchors.resolve(tree)))
    if adopt:
        from pipeline.commands import adopt as adoption

        adoption.refuse_unready(tree, called_from / adopt)
    if no_data:
        what = "no new files: the parent's adapter is handed on, golden items, gate and merge are today's"
        with undo.on_failure():
            _open(tree, tree.lock.increment, _held(tree, sibling_too=True), what, refreshed=candidate.is_refresh(tree))
        _tell(report, as_json)
        return
    folder = INCREMENTS / _checked(name) if name else None
    if folder:
        candidate.recover(folder)
        _refuse_ignored(folder)
    with undo.on_failure(folder):
        if folder and full:
            _open_full(tree, folder)
        elif folder:
            handed = incoming.gather(called_from, paths, handed_in)
            report = _add_files(tree, folder, handed, replace, str(handed.options["instruction"]))
        if adopt:
            adoption.adopt(called_from / adopt)
    _tell(report, as_json)


def _tell(report: Mapping[str, Any], as_json: bool) -> None:
    """What was opened, for --json."""
    if as_json:
        lock = lockfile.load()
        told = {name: report.get(name) for name in ("read", "records", "rejects", "labels")}
        told |= {"increment": Path(lock.increment).name, "parent": lock.parent.release if lock.parent else None}
        terminal.echo_json(told | {"anchor": lock.anchor.release if lock.anchor else None})


def _usage(no_data: bool, full: bool, adopt: str | None, name: str | None, paths: tuple[str, ...]) -> None:
    if adopt and (no_data or full):
        raise click.UsageError("--adopt takes neither --no-data nor --full")
    if adopt and not name:
        return
    if no_data and (name or full):
        raise click.UsageError("--no-data takes no name, no files and no --full")
    if not no_data and not name:
        raise click.UsageError("give a NAME and at least one FILE")
    if full == bool(paths) and not no_data:
        raise click.UsageError("--full takes no files" if full else "give at least one FILE")


def _checked(name: str) -> str:
    problems = increment.name_problems(name)
    if not _NAME.fullmatch(name):
        problems = ["up to 100 letters, digits, '.', '_' and '-', and no '.' first", *problems]
    if problems:
        raise GraftError(f"{name}: not a name for an increment", problems, help="such as 2026-02-spring")
    return name


def _refuse_ignored(folder: Path) -> None:
    """Refuse where git would leave out what names the data: a commit without it is no candidate.

    Raises:
        GraftError: a rule, perhaps of the user's own, ignores one of the files.
    """
    names = (increment.NAME, f"{increment.RAW}.dvc")
    found = git.ignored([*GIVEN, *((folder / name).as_posix() for name in names)])
    if found:
        raise GraftError(
            "not added: git ignores files that must be committed",
            found,
            help="take the rule back where it is; git config core.excludesFile names your own list",
        )


def _held(tree: Tree, *, sibling_too: bool = False) -> lockfile.LockedParent:
    """The release that the tree holds, or stands beside as a sibling, as a parent."""
    held = tree.held or (tree.sibling if sibling_too else None)
    if held is None:
        raise GraftError(
            f"candidate {Path(tree.lock.increment).name} is open",
            help="dvc repro trains it with today's params and code; graft release publishes it first",
        )
    return candidate.parent_of(held)


def _add_files(tree: Tree, folder: Path, handed: Incoming, replace: bool, instruction: str) -> dict[str, Any]:
    """Copy, check and track files; returns what `prepare` would report of them."""
    outputs.require_readable()
    joins, refreshed = _joins(tree, folder, replace), candidate.is_refresh(tree)
    parent = candidate.parent_of(tree.held) if tree.held else tree.lock.parent
    specs, more = handed.specs(increment.read(folder).files.values() if joins else ()), handed.more
    draft = candidate.draft_of(folder)
    try:
        if joins:
            _bring_raw(folder)
            shutil.copytree(folder / increment.RAW, draft / increment.RAW)
            shutil.copy(folder / increment.NAME, draft / increment.NAME)
            if instruction:
                raise GraftError("--instruction: the open increment has one", help=f"edit {folder / increment.NAME}")
        handed.copy(draft / increment.RAW)
        if (folder / "raw.dvc").exists():  # a kill must leave it changed, never absent: it names the data
            shutil.copy(folder / "raw.dvc", draft / "raw.dvc")
        if joins:
            increment.join(draft, specs, task=handed.options["task"], more=more)
        else:
            increment.save(draft, instruction, specs, task=handed.task(specs), more=more)
        report = _count(draft, folder.name, first=parent is None)
        candidate.put_in_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    candidate.ignore_all_but([tree.lock.increment, folder.as_posix()])
    tracking.add(Store(), folder / increment.RAW)
    _open(
        tree,
        folder.as_posix(),
        parent,
        f"{'joined' if joins else 'opened'} with {words.counted(len(handed.sources), 'file')}: {_words(report)}",
        refreshed=refreshed,
    )
    return report


def _joins(tree: Tree, folder: Path, replace: bool) -> bool:
    """Whether the files join what lies in `folder`.

    Raises:
        GraftError: that increment is released, or another candidate is open.
    """
    name = folder.as_posix()
    released = {release.lock.increment: release.tag for release in tree.releases if release.tag not in tree.withdrawn}
    if name in released:
        raise GraftError(
            f"{folder.name} was released in {released[name]}: a released increment never changes",
            help="choose another name; corrections are new records in a new increment",
        )
    if tree.held is None and name == tree.lock.increment:
        return not replace
    if tree.held is None and not replace:
        is_open = Path(tree.lock.increment).name
        join = "" if tree.lock.increment in released else f"graft add {is_open} FILE joins it; "
        raise GraftError(
            f"candidate {is_open} is open",
            help=f"graft release publishes it; {join}graft add {folder.name} FILE --replace drops it for {folder.name}",
        )
    if not replace and git.run("ls-files", "--", name):  # a killed add leaves a folder that git does not know
        raise GraftError(f"{folder} exists", help="--replace rewrites an unreleased or withdrawn increment")
    return False


def _bring_raw(folder: Path) -> None:
    """Have the open increment's files here, as a fresh clone has not."""
    if not (folder / increment.RAW).is_dir():
        candidate.check_out_data(folder, Store())


def _count(draft: Path, name: str, *, first: bool) -> dict[str, Any]:
    """Run prepare's own checks on the draft, so that `dvc repro` will not stop at it; returns its report."""
    from pipeline.data.prepare import prepared as reports  # pyarrow and numpy: not for every command
    from pipeline.stages import prepare

    made = increment.load(draft)
    options = params.build(PrepareSettings, effective.load()["prepare"])
    with tempfile.TemporaryDirectory() as scratch:
        report = prepare.prepare(with_changes(made, name=name), draft, options, Path(scratch))
    terminal.echo(*files_read.lines(made, report))
    reports.check(report, options.max_reject_share)
    terminal.echo(*(f"warning: {line}" for line in funnel.alarms(report)), err=True)
    objective, able = effective.load(made.task)["train"]["objective"], kinds.objectives(made.task)
    if objective not in able:
        terminal.echo(
            f"warning: train.objective is {objective}, which learns nothing from {made.task} records",
            f"  help: set train.objective: {' or '.join(able)} in params.yaml",
            err=True,
        )
    if first:
        _warn_of_golden(made.instruction, set(report["labels"]), options)
    return report


def _words(report: Mapping[str, Any]) -> str:
    rejects = ", ".join(f"{count} {reason}" for reason, count in sorted(report["rejects"].items()))
    return f"{report['read']:,} rows, {report['records']:,} records" + (f" ({rejects})" if rejects else "")


def _warn_of_golden(instruction: str, labels: set[str], options: PrepareSettings) -> None:
    """Say now that golden items ask for labels which nothing teaches: the gate would refuse after the training."""
    from pipeline.data.assemble import golden

    for name, items in golden.load(GOLDEN, instruction, options.cleaning()).slices.items():
        unknown = sorted({item.answer for item in items} - labels)
        if unknown:
            terminal.echo(
                f"warning: slice {name} asks for labels that the increment has not: {', '.join(unknown)}",
                f"  help: replace or git rm {items[0].file}, or the gate will refuse",
                err=True,
            )


def _open_full(tree: Tree, folder: Path) -> None:
    parent, store = _held(tree), Store()
    _joins(tree, folder, replace=False)
    candidate.move_aside(folder)
    candidate.unite(tree, folder, store)
    if candidate.set_chain("fresh"):
        terminal.echo("params.yaml: train.chain is fresh until the next graft add")
    _open(tree, folder.as_posix(), parent, f"a refresh from the base over {len(tree.line)} increments")


def _open(
    tree: Tree, name: str, parent: lockfile.LockedParent | None, what: str, *, refreshed: bool | None = None
) -> None:
    """Move models.lock, last of all.

    Args:
        tree: where the tree stands.
        name: folder of the increment.
        parent: None: this is the first.
        what: was done, in words.
        refreshed: whether the tree's last increment was a refresh, which ends here; None: this opens one.
    """
    if refreshed is not None and effective.load()["train"]["chain"] == "fresh":
        if refreshed:
            candidate.set_chain("continue")
            terminal.echo("params.yaml: train.chain is continue again, after a refresh")
        elif parent:
            terminal.echo(
                "params.yaml: train.chain is fresh, as it was set: only this increment is trained on, from the base"
            )
    candidate.save(candidate.reopened(tree.lock, parent, name))
    terminal.echo(f"{Path(name).name}: {what}")
    terminal.echo(f"parent: {parent.release if parent else 'none, this is the first'}")
    if tree.lock.anchor:
        terminal.echo(f"anchor: {tree.lock.anchor.release}")
    terminal.echo("next: graft plan; dvc repro; git add -A && git commit; graft release")
