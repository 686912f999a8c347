"""What a pull request's readers should see, as Markdown: `python -m pipeline.ci.summary`.

What could not be read is called "not checked" and never passes for good.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline import terminal
from pipeline.chain.candidate import candidate, staleness
from pipeline.chain.store import dvc
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check, recomputed
from pipeline.ci import fetched, first_lines
from pipeline.ci.fetched import NOT_CHECKED, QUARANTINE
from pipeline.commands.lock import differences, only_upgraded
from pipeline.commands.plan import describe
from pipeline.common import errors, files
from pipeline.common.errors import GraftError
from pipeline.report.parts.markdown_parts import plain

MARK = "<!-- graft: candidate -->"  # by which the workflow finds its own comment again


def main() -> None:
    """Print the summary of the working tree's candidate."""
    terminal.echo_markdown("\n\n".join([MARK, *blocks()]))


def blocks() -> Iterator[str]:
    """Paragraphs: another verdict of the base branch, changed rules, locks, data, the gate's report."""
    tree = candidate.tree()
    found, stale = differences(tree), dvc.stale_stage()
    reasons = staleness.find(Store(), tree.held) if stale else []
    upgraded = bool(tree.held) and only_upgraded(tree, found, reasons)
    yield from first_lines.blocks(tree, stale, upgraded=upgraded)
    yield f"**{describe(tree, reasons)}**"
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


def _recomputed() -> Iterator[str]:
    """Whether the recorded verdict is what this tree's gate computes.

    Raises:
        GraftError: it is another one: then no part of the report is shown.
    """
    try:
        differing = recomputed.compute(manifest_check.read(None), None, [Store(), Store(remote=QUARANTINE)])
    except GraftError as error:
        yield f"Verdict: {NOT_CHECKED}: {plain(error.message)}"
        return
    if differing:
        raise GraftError(
            "what is recorded is not what the gate's code computes", map(str, differing), help=recomputed.HELP
        )


def _data() -> str:
    """What prepare made of the increment, from the remote that has it; an absent report is not a good one."""
    try:
        report = files.read_json(fetched.output("data/prepared/report.json"))
    except GraftError as error:
        return f"Data: {NOT_CHECKED}: {error.message}"
    rejects = "".join(f"\n- rejected, {reason}: {count:,}" for reason, count in sorted(report["rejects"].items()))
    return f"Data: {report['read']:,} rows, {report['records']:,} records{rejects}"


if __name__ == "__main__":
    errors.run(main)
