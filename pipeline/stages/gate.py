"""gate: predictions.json and rules -> verdict.json, with every reason, what changed in the rules, and the report

A refusal is a result, not a crash: exit 0, so that DVC records the verdict.
`merge` then writes REFUSED.json in place of weights.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.chain.lock import lockfile
from pipeline.common import errors, files, params, sources
from pipeline.common.visible import one_line
from pipeline.evaluation import predictions
from pipeline.gate import basis, changes
from pipeline.gate.decide import decide
from pipeline.gate.settings import GateSettings
from pipeline.report import gathered, markdown
from pipeline.report import rule_words as wording
from pipeline.report.html import page

REPORTS = Path("reports")
PARENT = Path("models/parent")


def said(verdict: Mapping[str, Any]) -> str:
    """What the stage prints: the verdict, then each reason and warning on a line of its own."""
    word, decision = verdict["verdict"], verdict["decision"]
    head = word if word == decision else f"{word}: {decision}"
    undecided = verdict["undecided"]
    few = [f"undecided, neither as good nor worse for certain: {', '.join(undecided)}"] if undecided else []
    return "\n  ".join([f"gate: {head}", *verdict["reasons"], *verdict["warnings"], *few])


def main() -> None:
    """Read predictions and reports; write verdict, decision, reasons and the report; print the verdict."""
    asked, found = params.load("gate", GateSettings), predictions.read(REPORTS / "predictions.json")
    decided, section, code = decide(found, asked), asdict(asked), sources.stage_hashes("gate")
    ours, theirs = basis.candidate(section, code, found), basis.parent(PARENT)
    changed = changes.compare(ours, theirs, (found.get("releases") or {}).get("parent"), found)
    facts = gathered.read(decided, section, found, Path(lockfile.load().increment).name, changed)
    files.write_text(REPORTS / "report.md", markdown.render(facts))
    files.write_text(REPORTS / "report.html", page.html(facts))
    files.write_json(REPORTS / "verdict.json", decided)
    files.write_json(REPORTS / "changes.json", changed)
    files.write_json(basis.RULES, basis.record(section, code))  # for the child, which names what it changes
    # merge depends on these two and not on verdict.json: for every candidate that passes they hold the
    # same bytes, so that another rule or new wording merges nothing again.
    files.write_json(REPORTS / "decision.json", decided["decision"])
    files.write_json(REPORTS / "reasons.json", decided["reasons"])
    print("\n".join([said(decided), *map(one_line, wording.named(changed, decided))]))


if __name__ == "__main__":
    errors.run(main)
