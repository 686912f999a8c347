"""What a pull request's readers should see, as Markdown: `python -m pipeline.ci.summary`.

What could not be read is called "not checked" and never passes for good.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline import errors, files, terminal
from pipeline.chain import candidate, dvc, recompute, rule_changes, staleness, tracking, verify
from pipeline.chain.store import Store
from pipeline.ci import verdicts
from pipeline.commands.lock import differences, only_upgraded
from pipeline.commands.plan import describe
from pipeline.errors import GraftError
from pipeline.report import changed
from pipeline.report.marks import bullets, plain

MARK = "<!-- graft: candidate -->"  # by which the workflow finds its own comment again
QUARANTINE = "quarantine"
NOT_CHECKED = "⚠️ **not checked**"
VERDICT = Path("reports/verdict.json")
AFTER_EVALUATE = (None, "gate", "merge", "manifest")  # stages that may be stale while the predictions are current
SHOWN = 5  # of the base branch's reasons


def main() -> None:
    """Print the summary of the working tree's candidate."""
    terminal.echo_markdown("\n\n".join([MARK, *blocks()]))


def blocks() -> Iterator[str]:
    """Paragraphs: another verdict of the base branch, changed rules, locks, data, the gate's report."""
    tree = candidate.tree()
    found, stale = differences(tree), dvc.stale_stage()
    upgraded = bool(tree.held) and only_upgraded(tree, found, stale)
    base = Path(os.environ.get(verdicts.BASE) or "none")
    if base.is_dir() and (upgraded or stale in AFTER_EVALUATE):
        yield from _base_verdict(base, required=not upgraded)
    yield from _changes(tree, stale)
    yield f"**{describe(tree, staleness.reasons(tracking.stale(Store())) if stale else [])}**"
    lines = [f"- models.lock: {line}" for line in found] or ["- models.lock is current"]
    lines.append(f"- dvc.lock: stage `{stale}` and what follows must run" if stale else "- dvc.lock is current")
    yield "\n".join(lines)
    if tree.held and upgraded:
        yield f"Data and gate: those of {tree.held.tag}, verified when it was released"
    elif stale:
        yield f"{NOT_CHECKED}: data and gate, whose reports are of an earlier candidate until `dvc repro` has run"
    else:
        yield from _recomputed()
        yield _data()
        yield Path("reports/report.md").read_text(encoding="utf-8").rstrip()
        yield f"Look at it: `git fetch && git checkout BRANCH && dvc pull -r {QUARANTINE}`"


def _base_verdict(base: Path, *, required: bool) -> Iterator[str]:
    """What the base branch's gate decides of the same predictions, where that is another verdict than this tree's.

    Args:
        base: a folder with the base branch checked out.
        required: say so where nobody can tell; not of a tree that holds a release and only newer code.
    """
    try:
        predictions = _output("reports/predictions.json")
    except GraftError as error:
        if required:
            yield f"The base branch's verdict: {NOT_CHECKED}: {plain(error.message)}"
        return
    theirs, ours = (verdicts.of(tree, predictions) for tree in (base, Path()))
    if not required and (theirs.error or ours.error):
        return
    if theirs.error:
        yield f"{NOT_CHECKED}: the base's gate cannot read this pull request's predictions: {plain(theirs.error)}"
    elif ours.error:
        yield f"{NOT_CHECKED}: this branch's gate cannot read its own predictions: {plain(ours.error)}"
    elif theirs.word != ours.word:
        notice = f"The base branch's gate and rules say {theirs.word}, this branch's say {ours.word}"
        if os.environ.get("GITHUB_ACTIONS") == "true":
            print(f"::notice title=Two verdicts::{notice}", file=sys.stderr)  # of our own words alone
        yield f"⚠️ **{notice}.**"
        yield bullets(f"base branch: {plain(reason)}" for reason in theirs.reasons[:SHOWN])


def _changes(tree: candidate.Tree, stale: str | None) -> Iterator[str]:
    """What differs from what the parent was judged by, or, of a tree that holds a release, from that release."""
    if tree.held or stale:
        release = tree.held.tag if tree.held else tree.lock.parent.release if tree.lock.parent else None
        changes = rule_changes.unjudged(release)
    else:
        changes = rule_changes.judged()
    if title := changed.title(changes, files.read_json(VERDICT) if VERDICT.is_file() else {}):
        yield f"**{plain(title)}**"
        yield bullets(map(plain, changed.lines(changes)))


def _recomputed() -> Iterator[str]:
    """Whether the recorded verdict is what this tree's gate computes.

    Raises:
        GraftError: it is another one: then no part of the report is shown.
    """
    try:
        differing = recompute.compute(verify.read(None), None, [Store(), Store(remote=QUARANTINE)])
    except GraftError as error:
        yield f"Verdict: {NOT_CHECKED}: {plain(error.message)}"
        return
    if differing:
        raise GraftError(
            "what is recorded is not what the gate's code computes", map(str, differing), help=recompute.HELP
        )


def _data() -> str:
    """What prepare made of the increment, from the remote that has it; an absent report is not a good one."""
    try:
        report = json.loads(_output("data/prepared/report.json").read_bytes())
    except GraftError as error:
        return f"Data: {NOT_CHECKED}: {error.message}"
    rejects = "".join(f"\n- rejected, {reason}: {count:,}" for reason, count in sorted(report["rejects"].items()))
    return f"Data: {report['read']:,} rows, {report['records']:,} records{rejects}"


def _output(path: str) -> Path:
    """A cached output's file, from the remote that has it. Raises a GraftError where none has."""
    md5 = next((output.md5 for output in verify.read(None).outputs if output.path == path), None)
    if md5 is None:
        raise GraftError(f"dvc.lock names no {path}", help="dvc repro")
    problems = []
    for store in (Store(), Store(remote=QUARANTINE)):
        try:
            store.fetch([md5])
            return store.path(md5)
        except GraftError as error:
            problems.append(error)
    raise problems[0]


if __name__ == "__main__":
    errors.run(main)
