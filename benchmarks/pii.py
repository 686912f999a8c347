"""Personal data found and titles left alone, by today's rules, by those before, and by presidio's recognisers.

`python benchmarks/pii.py LABELLED [TITLES...]`: LABELLED is presidio-research's data/synth_dataset_v2.json (1,500 short
texts with their personal data marked), TITLES are CSV files with the title in the second column, or text files with one
a line; all are public and none is shipped. GRAFT_BEFORE names a commit to compare with; PRESIDIO_PYTHON an interpreter
that has presidio-analyzer, whose recognisers by pattern need no language model.

A labelled span is found when no letter or digit of it is left and the mark is of its kind; a mark is right when it
covers a part of a labelled span of its kind. Bounds: Wilson, 95%, two-sided.
"""

import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from math import sqrt
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEFORE = os.environ.get("GRAFT_BEFORE", "1125d51")  # the rules of the first edition
KINDS = {
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CARD",
    "EMAIL_ADDRESS": "EMAIL",
    "IBAN_CODE": "IBAN",
    "US_SSN": "ID",
    "IP_ADDRESS": "IP",
}
GATED = ("PHONE", "CARD", "EMAIL", "IBAN", "ID")  # the target counts these
MARKS = re.compile(r"\[(PHONE|CARD|EMAIL|IBAN|ID|IP|CREDENTIALS|SECRET)\]@?")
TARGET = 0.95
SHOWN = 40  # masked titles, drawn by a fixed seed
Span = tuple[int, int, str]

# Runs with the code of either commit: texts in, masked texts out, as the stage `prepare` masks them.
MASK = """
import json, sys
import pyarrow as pa
from pipeline.data.clean import pii
from pipeline.data.clean.settings import PiiSettings
from pipeline.data.records import arrow
texts, kind = json.load(sys.stdin)
role = "user" if kind == "classification" else "text"
message = lambda role, text: {"role": role, "content": text, "tool_calls": None, "weight": None}
rows = [{"file": "", "line": place, "raw": "", "kind": kind, "messages": [message(role, text)]}
        for place, text in enumerate(texts)]
batch = pii.apply(pa.RecordBatch.from_pylist(rows, arrow.ROWS), PiiSettings())
json.dump([row["messages"][0]["content"] for row in batch.to_pylist()], sys.stdout)
"""
PRESIDIO = """
import json, sys
from presidio_analyzer import predefined_recognizers as known
recognizers = [known.PhoneRecognizer(), known.CreditCardRecognizer(), known.EmailRecognizer(), known.IbanRecognizer(),
               known.UsSsnRecognizer(), known.IpRecognizer()]
texts, _ = json.load(sys.stdin)
found = []
for text in texts:
    results = [each for one in recognizers for each in one.analyze(text, one.supported_entities, None) or []]
    found.append([(each.start, each.end, each.entity_type) for each in results])
json.dump(found, sys.stdout)
"""


def masked(texts: list[str], kind: str, tree: Path) -> list[str]:
    """The texts as the stage of a source tree masks them."""
    found: list[str] = asked(sys.executable, MASK, [texts, kind], tree)
    return found


def asked(python: str, code: str, question: object, folder: Path) -> list:  # type: ignore[type-arg]
    """What a piece of Python answers in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command, given = [python, "-c", code], json.dumps(question)
    run = subprocess.run(command, input=given, text=True, capture_output=True, env=environment, cwd=folder, check=False)
    if run.returncode:
        sys.exit(run.stderr)
    answer: list = json.loads(run.stdout)  # type: ignore[type-arg]
    return answer


def spans(text: str, marked: str) -> list[Span]:
    """Where the marks of a masked text stand in the text itself."""
    parts = MARKS.split(marked)
    aligned = re.fullmatch("(.+?)".join(re.escape(part) for part in parts[::2]), text, re.DOTALL)
    if aligned is None:
        sys.exit(f"cannot align {marked!r} with {text!r}")
    return [(*aligned.span(place), kind) for place, kind in enumerate(parts[1::2], 1)]


def scores(labelled: list[list[Span]], found: list[list[Span]], texts: list[str]) -> dict[str, Counter[str]]:
    """By kind: labelled spans, found ones, marks, right ones."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for wanted, marks, text in zip(labelled, found, texts, strict=True):
        for start, end, kind in wanted:
            covered = {place for low, high, name in marks if name == kind for place in range(low, high)}
            left = any(text[place].isalnum() for place in range(start, end) if place not in covered)
            counts[kind].update({"labelled": 1, "found": not left})
        for start, end, kind in marks:
            right = any(name == kind and low < end and start < high for low, high, name in wanted)
            counts[kind].update({"marks": 1, "right": right})
            if os.environ.get("SHOW") and not right:
                print(f"  wrong {kind}: {text[max(0, start - 40) : end + 20]!r}: {text[start:end]!r}")
        if os.environ.get("SHOW"):
            for start, end, kind in wanted:
                if not any(name == kind and low <= start and end <= high for low, high, name in marks):
                    print(f"  missed {kind}: {text[max(0, start - 40) : end + 20]!r}: {text[start:end]!r}")
    return counts


def wilson(hits: int, count: int) -> float:
    """The lower end of Wilson's two-sided 95% interval of a share."""
    if not count:
        return 0.0
    z, share = 1.959964, hits / count
    middle, spread = share + z * z / (2 * count), z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count)


def table(name: str, counts: Mapping[str, Counter[str]]) -> Counter[str]:
    """Print a row for each kind and the total of the gated ones, which is returned."""
    total: Counter[str] = sum((counts[kind] for kind in GATED), Counter())
    print(f"\n{name}\n| kind | n | recall | marks | precision | lower 95% |\n|---|---:|---:|---:|---:|---:|")
    for kind, each in [*((kind, counts[kind]) for kind in KINDS.values()), ("all but IP", total)]:
        recall, precision = (each[a] / max(1, each[b]) for a, b in (("found", "labelled"), ("right", "marks")))
        bound = wilson(each["right"], each["marks"])
        print(f"| {kind} | {each['labelled']} | {recall:.1%} | {each['marks']} | {precision:.1%} | {bound:.1%} |")
    return total


def titles(path: Path) -> list[str]:
    """The titles of a CSV file, or the lines of a text file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row[1] for row in csv.reader(file)] if path.suffix == ".csv" else file.read().splitlines()


def main() -> None:
    """Score all sides on the labelled texts, then count what is masked in titles."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        print("pii: no labelled texts; give presidio-research's data/synth_dataset_v2.json. Nothing measured.")
        return
    rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    texts = [row["full_text"] for row in rows]
    labelled = [
        [(each["start_position"], each["end_position"], KINDS[each["entity_type"]]) for each in row["spans"]
         if each["entity_type"] in KINDS]
        for row in rows
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="graft-pii-") as scratch:
        trees = {"before": Path(scratch) / "before", "now": Path(scratch) / "now"}
        for tree in trees.values():
            subprocess.run(["git", "clone", "--quiet", ROOT, tree], check=True)
        subprocess.run(["git", "checkout", "--quiet", BEFORE], cwd=trees["before"], check=True)
        totals = {}
        for name, tree in trees.items():
            found = [spans(*pair) for pair in zip(texts, masked(texts, "text", tree), strict=True)]
            totals[name] = table(f"{name}, {len(texts):,} texts", scores(labelled, found, texts))
        if python := os.environ.get("PRESIDIO_PYTHON"):
            answers = asked(python, PRESIDIO, [texts, ""], Path(scratch))
            found = [[(start, end, KINDS[kind]) for start, end, kind in each if kind in KINDS] for each in answers]
            totals["presidio"] = table("presidio-analyzer's recognisers by pattern", scores(labelled, found, texts))
        for path in map(Path, sys.argv[2:]):
            for name, tree in trees.items():
                report(path, name, tree)
    ours, theirs = (totals[name]["found"] / totals[name]["labelled"] for name in ("now", "before"))
    line = {"name": "personal data found", "ours": round(ours, 4), "theirs": f"the rules before: {theirs:.4f}"}
    print(json.dumps(line | {"ratio": round(ours / theirs, 2), "target": TARGET, "unit": "recall"}))


def report(path: Path, name: str, tree: Path) -> None:
    """Count the marks in titles, and show a sample of them."""
    texts = titles(path)
    pairs = [pair for pair in zip(texts, masked(texts, "classification", tree), strict=True) if pair[0] != pair[1]]
    kinds = Counter(kind for _, marked in pairs for kind in MARKS.findall(marked))
    print(f"\n{path.name}, {name}: {len(texts):,} titles, {len(pairs)} masked {dict(kinds)}")
    for text, marked in random.Random(7).sample(pairs, min(SHOWN, len(pairs))):  # noqa: S311
        print(f"  {text}\n    -> {marked}")


if __name__ == "__main__":
    main()
