"""gate: predictions.json and rules -> verdict.json, with every reason, and the report

A refusal is a result, not a crash: exit 0, so that DVC records the verdict.
`merge` then writes REFUSED.json in place of weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import errors, files, params
from pipeline.chain import lockfile
from pipeline.gate.decide import decide
from pipeline.gate.rules import Params
from pipeline.report import markdown, page

REPORTS = Path("reports")
CURVE = REPORTS / "plots/loss.csv"


def said(verdict: Mapping[str, Any]) -> str:
    """What the stage prints: the verdict, then each reason and warning on a line of its own."""
    word, decision = verdict["verdict"], verdict["decision"]
    head = word if word == decision else f"{word}: {decision}"
    undecided = verdict["undecided"]
    few = [f"undecided, too few items to tell: {', '.join(undecided)}"] if undecided else []
    return "\n  ".join([f"gate: {head}", *verdict["reasons"], *verdict["warnings"], *few])


def main() -> None:
    """Read predictions and reports; write verdict, decision, reasons and the report; print the verdict."""
    asked = params.load("gate", Params)
    decided = decide(files.read_json(REPORTS / "predictions.json"), asked)
    lock = lockfile.load()
    text = markdown.render(
        markdown.Facts(
            verdict=decided,
            metrics=files.read_json(REPORTS / "metrics.json"),
            release=lock.parent.release if lock.parent else None,
            increment=Path(lock.increment).name,
            prepared=files.read_json(Path("data/prepared/report.json")),
            assembled=files.read_json(Path("data/assembled/report.json")),
            training=files.read_json(REPORTS / "training.json"),
        )
    )
    files.write_text(REPORTS / "report.md", text)
    files.write_text(REPORTS / "report.html", page.html(text, CURVE.read_text(encoding="utf-8")))
    files.write_json(REPORTS / "verdict.json", decided)
    # merge depends on these two and not on verdict.json: for every candidate that passes they hold the
    # same bytes, so that another rule or new wording merges nothing again.
    files.write_json(REPORTS / "decision.json", decided["decision"])
    files.write_json(REPORTS / "reasons.json", decided["reasons"])
    print(said(decided))


if __name__ == "__main__":
    errors.run(main)
