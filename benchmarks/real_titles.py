"""Accuracy on public product titles: runs the commands of docs/how-to/real-titles.md in a throw-away clone.

`python benchmarks/real_titles.py [FILE]`; FILE is the data set's CSV, which is not shipped.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/how-to/real-titles.md"
TITLES = ROOT / "../shared/data/pricerunner/pricerunner_aggregate.csv"
TARGET = 0.90


def commands() -> str:
    """The how-to's commands: its one block of shell."""
    [block] = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(block)


def measure(titles: Path, clone: Path) -> dict[str, object]:
    """Type the commands in a clone of the last commit; returns the line to print."""
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "TITLES": str(titles)}
    subprocess.run(["bash", "-exc", commands()], cwd=clone, env=environment, check=True)
    scores = json.loads((clone / "reports/metrics.json").read_text())["candidate"]["all"]
    predictions = json.loads((clone / "reports/predictions.json").read_text(encoding="utf-8"))
    answers = Counter(item["answer"] for item in predictions["items"])
    baseline = answers.most_common(1)[0][1] / answers.total()
    print(f"{scores['items']} held-out titles, {len(answers)} categories, macro-F1 {scores['macro_f1']:.4f}")
    return {
        "name": "accuracy on held-out real titles",
        "ours": scores["accuracy"],
        "theirs": f"most frequent label: {baseline:.4f}",
        "ratio": round(scores["accuracy"] / baseline, 2),
        "target": TARGET,
        "unit": "accuracy",
    }


def main() -> None:
    """Measure, or say that the data is not here."""
    titles = Path(sys.argv[1] if len(sys.argv) > 1 else TITLES).resolve()
    if not titles.is_file():
        print(f"real_titles: no data at {titles}; docs/how-to/real-titles.md says what it is. Nothing measured.")
        return
    with tempfile.TemporaryDirectory(prefix="graft-titles-") as scratch:
        print(json.dumps(measure(titles, Path(scratch) / "clone")))


if __name__ == "__main__":
    main()
