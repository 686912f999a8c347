"""What a pull request's readers should see, as Markdown: `python -m pipeline.ci.summary`.

What could not be read is called "not checked" and never passes for good.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from pipeline import errors, terminal
from pipeline.chain import candidate, dvc, staleness, verify
from pipeline.chain.store import Store
from pipeline.commands.lock import differences, only_upgraded
from pipeline.commands.plan import describe
from pipeline.errors import GraftError

MARK = "<!-- graft: candidate -->"  # by which the workflow finds its own comment again
QUARANTINE = "quarantine"
NOT_CHECKED = "⚠️ **not checked**"


def main() -> None:
    """Print the summary of the working tree's candidate."""
    terminal.echo_markdown("\n\n".join([MARK, *blocks()]))


def blocks() -> Iterator[str]:
    """Paragraphs: where the tree stands, whether its locks are current, its data, the gate's report."""
    tree = candidate.tree()
    found, stale = differences(tree), dvc.stale_stage()
    yield f"**{describe(tree, staleness.reasons(Store().stale()) if stale else [])}**"
    lines = [f"- models.lock: {line}" for line in found] or ["- models.lock is current"]
    lines.append(f"- dvc.lock: stage `{stale}` and what follows must run" if stale else "- dvc.lock is current")
    yield "\n".join(lines)
    if tree.held and only_upgraded(tree, found, stale):
        yield f"Data and gate: those of {tree.held.tag}, verified when it was released"
    elif stale:
        yield f"{NOT_CHECKED}: data and gate, whose reports are of an earlier candidate until `dvc repro` has run"
    else:
        yield _data()
        yield Path("reports/report.md").read_text(encoding="utf-8").rstrip()
        yield f"Look at it: `git fetch && git checkout BRANCH && dvc pull -r {QUARANTINE}`"


def _data() -> str:
    """What prepare made of the increment, from the remote that has it; an absent report is not a good one."""
    try:
        report = json.loads(_prepared())
    except GraftError as error:
        return f"Data: {NOT_CHECKED}: {error.message}"
    rejects = "".join(f"\n- rejected, {reason}: {count:,}" for reason, count in sorted(report["rejects"].items()))
    return f"Data: {report['read']:,} rows, {report['records']:,} records{rejects}"


def _prepared() -> bytes:
    commit = verify.read(None)
    md5 = next(output.md5 for output in commit.outputs if output.path == "data/prepared/report.json")
    problems = []
    for store in (Store(), Store(remote=QUARANTINE)):
        try:
            store.fetch([md5])
            return store.read(md5)
        except GraftError as error:
            problems.append(error)
    raise problems[0]


if __name__ == "__main__":
    errors.run(main)
