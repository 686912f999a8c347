"""A pull request's verdict by its own gate and by the base branch's: each tree's code and rules in its own process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORDS = ("pass", "fail", "losses", "inconclusive", "unchecked")
OPEN = ("inconclusive", "unchecked")  # that may be let pass
SECONDS = 600  # for one verdict
BASE = "GRAFT_BASE"  # environment variable: a folder with the base branch checked out
_FOLDERS = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONHOME")  # whose modules must not stand in for the tree's own
_PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, str(Path.cwd()))
try:
    import pipeline
    if Path.cwd() not in Path(pipeline.__file__).resolve().parents:
        raise ImportError("it has no pipeline/")
    from pipeline.evaluation import predictions
    from pipeline.gate.decide import decide
    try:
        from pipeline.settings import effective
        rules = effective.load()["gate"]
    except ModuleNotFoundError:  # a tree of an older Graft, whose params.yaml has every key
        from pipeline import params
        rules = params.load_all()["gate"]
    verdict = decide(predictions.read(Path(sys.argv[1])), rules)
    answer = {name: verdict[name] for name in ("verdict", "decision", "reasons")}
except Exception as error:
    answer = {"error": " ".join(str(getattr(error, "message", error)).split()) or type(error).__name__}
print()
print(json.dumps(answer))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the gate of one tree decides."""

    word: str  # pass | fail | losses | inconclusive, let pass | inconclusive, refused | unchecked, ...
    reasons: list[str]
    error: str  # why there is none; empty where there is


def tree_verdict(tree: Path, predictions: Path) -> Verdict:
    """The verdict of a tree's own gate code and params.yaml.

    Args:
        tree: a checked-out repository; its code runs in a process of its own.
        predictions: a predictions.json, only read.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _FOLDERS}
    command = [sys.executable, "-c", _PROGRAM, str(predictions.resolve())]
    try:
        done = subprocess.run(
            command, cwd=tree.resolve(), env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
        return Verdict(word=_word(answer), reasons=list(map(str, answer.get("reasons", []))), error=_error(answer))
    except subprocess.TimeoutExpired:
        return Verdict(word="", reasons=[], error=f"no verdict after {SECONDS} seconds")
    except (ValueError, AttributeError, KeyError, TypeError):
        return Verdict(word="", reasons=[], error="its gate gives no verdict")


def _error(answer: dict[str, Any]) -> str:
    return str(answer.get("error", ""))


def _word(answer: dict[str, Any]) -> str:
    """The verdict, and what follows from one that is inconclusive."""
    if "error" in answer:
        return ""
    verdict = answer["verdict"]
    if verdict not in WORDS:  # another tree's code wrote it, and it is printed beside commands of the runner
        raise ValueError("not a verdict")
    if verdict not in OPEN:
        return str(verdict)
    return f"{verdict}, refused" if answer["decision"] == "refused" else f"{verdict}, let pass"
