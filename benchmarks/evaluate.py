"""What label scoring costs: Graft beside lm-evaluation-harness and bare transformers, same model, items and labels.

`python benchmarks/evaluate.py [FILE] [--items N] [--peers DIR] [--runs N]` after `make run`, whose candidate is asked:
models/merged. FILE is the CSV of public titles of docs/how-to/real-titles.md, else the sample shop's titles are asked;
both have ten labels, which are
also told apart into a hundred. DIR (or GRAFT_PEERS; else
~/.cache/graft-peers) holds the harness's environment, made on demand with pip: `pip install torch` comes first, from
wherever pip is told to take it. All are given the same token ids, so that nothing but scoring is measured. They run on
one thread, one after the other in turns; CPU-seconds of the scoring itself count, medians of the rounds.
"""

import argparse
import csv
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.common import files
from pipeline.data.records import records

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models/merged"
SAMPLE = ROOT / "examples/increments/2026-01-winter/products.csv"
ITEMS, FEWER, LABELS, BATCH = 200, 50, 10, 64  # fewer: items among a hundred labels
HARNESS = "lm_eval==0.4.13"
BATCHES = (1, 8, 64)  # of the harness: 1 is its default; the quickest one is compared with
DEFAULT = "lm_eval, batches of 1"
TARGET = 20.0
PARTS = (  # of a category, where a shop's catalogue has many
    "entry level", "mid range", "premium", "accessories", "spare parts",
    "refurbished", "for business", "for children", "bundles", "other",
)  # fmt: skip
ASKED: Mapping[str, Mapping[str, Any]] = {
    "titles alone": {"told": "", "parts": [""]},
    "titles below an instruction that names the labels": {
        "told": "Which category does this product belong to? Answer with one of: {labels}.",
        "parts": [""],
    },
    "titles below an instruction, a hundred labels": {
        "told": "You sort the articles of an online shop into its catalogue. Read the title of a product and answer "
        "with the one category of the catalogue that it belongs to, and with nothing else.",
        "parts": [f", {part}" for part in PARTS],
    },
}

# Every side: asked.json -> scores of the items, in this process; START and SCORE are CPU-seconds.
_BEGIN = """
import json, sys, time
import torch
torch.set_num_threads(1)
folder, asked, out, batch = sys.argv[1:]
asked, batch = json.load(open(asked)), int(batch)
prompts, labels = asked["prompts"], asked["labels"]
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
"""
_END = """
score(prompts[:2])  # the first time costs more
print("START", time.process_time())
began = time.process_time(), time.perf_counter()
scores = score(prompts)
print("SCORE", time.process_time() - began[0])
print("WALL", time.perf_counter() - began[1])
json.dump(scores, open(out, "w"))
"""
OURS = """
from pipeline.evaluation.predict import keys, predict
judge = keys.Judge(normalize="none", max_new_tokens=0)
def score(prompts):
    return predict.label_scores(model, prompts, labels, judge, batch).tolist()
"""
THEIRS = """
import logging
from lm_eval.models.huggingface import HFLM
logging.getLogger("lm_eval").setLevel(logging.ERROR)
from transformers import AutoTokenizer
asked = HFLM(pretrained=model, tokenizer=AutoTokenizer.from_pretrained(folder), batch_size=batch)
def score(prompts):
    flat = asked._loglikelihood_tokens([(("", ""), p, l) for p in prompts for l in labels], disable_tqdm=True)
    return [[found for found, _ in flat[at : at + len(labels)]] for at in range(0, len(flat), len(labels))]
"""
BARE = """
@torch.inference_mode()
def one(prompt, label):
    logs = model(torch.tensor([prompt + label])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    return logs.gather(-1, torch.tensor(label).unsqueeze(-1)).sum().item()
def score(prompts):
    return [[one(prompt, label) for label in labels] for prompt in prompts]
"""


def titles(path: Path | None) -> list[tuple[str, str]]:
    """Titles and categories: of the public data, or of the sample shop."""
    with (path or SAMPLE).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    return [(row[1], row[6 if path else 3]) for row in rows[0 if path else 1 :] if len(row) > (6 if path else 3)]


def asked(rows: Sequence[tuple[str, str]], count: int, told: str, parts: Sequence[str]) -> dict[str, Any]:
    """Token ids of what the stage `evaluate` would ask.

    Args:
        rows: titles and their categories.
        count: titles asked, the same ones each time.
        told: an instruction above each, or nothing.
        parts: endings of every category's name.
    """
    from pipeline.model.chat import chat

    labels = sorted(label for label, _ in Counter(label for _, label in rows).most_common(LABELS))
    known = {title for title, label in rows if label in labels and title.strip()}
    chosen = sorted(known, key=lambda title: hashlib.sha256(title.encode()).digest())[:count]
    talk = chat.load(MODEL)
    above = told.format(labels=", ".join(labels))
    prompts = talk.prompts([records.classification(title, "", above)[:-1] for title in chosen])
    return {"prompts": prompts, "labels": talk.answers([label + part for label in labels for part in parts])}


def peer(cache: Path) -> Path:
    """The Python of the harness's environment, installed unless it is there."""
    python = cache / "lm-eval/bin/python"
    if (cache / "lm-eval/complete").exists():
        return python
    print(f"lm-eval: installing into {cache / 'lm-eval'}", flush=True)
    pip = [python, "-m", "pip", "install", "--quiet"]
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in ("torch", "transformers", "accelerate", "peft")]
    for step in ([sys.executable, "-m", "venv", cache / "lm-eval"], [*pip, pins[0]], [*pip, *pins, HARNESS]):
        if subprocess.run(step, stdout=subprocess.DEVNULL, check=False).returncode:
            sys.exit(f"lm-eval cannot be installed here: {' '.join(map(str, step))}\n  help: --peers DIR where it is")
    files.write_text(cache / "lm-eval/complete", "")
    return python


def run(python: Path | str, code: str, work: Path, batch: int) -> tuple[dict[str, float], list[list[float]]]:
    """CPU-seconds and scores of one side."""
    command = [python, "-c", _BEGIN + code + _END, MODEL, work / "asked.json", work / "scores.json", str(batch)]
    done = subprocess.run(command, cwd=work, env=os.environ, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{python}: exit {done.returncode}\n{done.stderr[-3000:]}")
    words = [line.split() for line in done.stdout.splitlines()]
    return {word[0]: float(word[1]) for word in words if len(word) == 2}, files.read_json(work / "scores.json")


def differences(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> tuple[float, int]:
    """The largest difference of a log-likelihood that we computed, and how many items are answered otherwise."""
    pairs = [pair for one, other in zip(ours, theirs, strict=True) for pair in zip(one, other, strict=True)]
    largest = max(abs(a - b) for a, b in pairs if a > -math.inf)
    best = [[max(range(len(one)), key=one.__getitem__) for one in side] for side in (ours, theirs)]
    return largest, sum(a != b for a, b in zip(*best, strict=True))


def rounds(python: Path, work: Path, count: int) -> dict[str, list[dict[str, float]]]:
    """Every side once; then ours, the harness at its quickest and bare transformers in turns. Says what each costs."""
    mine = sys.executable
    sides = {"ours": (mine, OURS, BATCH), "bare": (mine, BARE, 1)}
    sides |= {f"lm_eval, batches of {batch}": (python, THEIRS, batch) for batch in BATCHES}
    found: dict[str, list[dict[str, float]]] = {}
    scores: dict[str, list[list[float]]] = {}
    for name, side in sides.items():
        seconds, scores[name] = run(side[0], side[1], work, side[2])
        found[name] = [seconds]
        largest, other = differences(scores["ours"], scores[name])
        print(
            f"  {name}: {seconds['SCORE']:.2f} CPU-seconds ({seconds['START']:.1f} to start); log-likelihoods differ "
            f"by {largest:.1e} nats at most, {other} of {len(scores[name])} predictions differ",
            flush=True,
        )
        if other:
            sys.exit(f"{name} answers otherwise: nothing to compare")
    tried = sorted((name for name in sides if name.startswith("lm_eval")), key=lambda name: found[name][0]["SCORE"])
    again = ["ours", tried[0], DEFAULT, "bare"]
    for _ in range(count - 1):
        for name in dict.fromkeys(again):
            found[name].append(run(*sides[name][:2], work, sides[name][2])[0])
    return {name: found[name] for name in again}


def report(found: Mapping[str, Sequence[Mapping[str, float]]], what: str) -> None:
    """Medians, then the claims: beside the harness at its quickest, and as it is by default."""
    medians = {name: statistics.median(run["SCORE"] for run in runs) for name, runs in found.items()}
    for name, runs in found.items():
        start, wall = (statistics.median(run[key] for run in runs) for key in ("START", "WALL"))
        print(
            f"  {name}: {medians[name]:.3f} CPU-seconds, {wall:.3f} s (medians of {len(runs)}; start {start:.1f} CPU-s)"
        )
    ours = medians.pop("ours")
    print(f"  against one forward per item and label: {medians.pop('bare') / ours:.1f} times fewer CPU-seconds")
    for name, theirs in medians.items():
        print(
            json.dumps(
                {
                    "name": f"label scoring, {what}, beside {name}",
                    "ours": round(ours, 3),
                    "theirs": round(theirs, 3),
                    "ratio": round(theirs / ours, 1),
                    "target": TARGET,
                    "unit": "CPU-s",
                }
            ),
            flush=True,
        )


def main() -> None:
    """Ask every side, print the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("GRAFT_PEERS", "~/.cache/graft-peers")
    parser.add_argument("file", type=Path, nargs="?", help="CSV of the public titles")
    parser.add_argument("--items", type=int, default=ITEMS, help=f"titles asked (default {ITEMS})")
    parser.add_argument("--peers", type=Path, default=Path(default), help="folder of the peers' environments")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default 3)")
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    if not (MODEL / "config.json").exists():
        sys.exit(f"{MODEL.relative_to(ROOT)}: no model to ask\n  help: make run")
    python, rows = peer(given.peers.expanduser()), titles(given.file)
    for what, how in ASKED.items():
        with tempfile.TemporaryDirectory(prefix="graft-evaluate-") as scratch:
            work, made = Path(scratch), asked(rows, FEWER if len(how["parts"]) > 1 else given.items, **how)
            tokens = sum(map(len, made["prompts"])) / len(made["prompts"])
            print(f"{len(made['prompts'])} {what}, {tokens:.0f} tokens on average, {len(made['labels'])} labels")
            files.write_json(work / "asked.json", made)
            report(rounds(python, work, given.runs), what)


if __name__ == "__main__":
    main()
