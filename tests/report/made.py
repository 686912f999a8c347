"""Facts of candidates that nobody trained: predictions drawn by seed, and what is counted from them.

The checks' statistics are rough: what is tested is how they are shown.
"""

import hashlib
import math
import random
from collections import Counter, defaultdict
from typing import Any

from pipeline.report.facts import Facts

LABELS = ("Blender", "Camera", "Headphones", "Kettle", "Laptop", "Television", "Toy", "Washing machine")
TITLES = {
    "Blender": "Philips Series 5000 Standmixer 2 l glass jug 1000 W",
    "Camera": "Canon EOS R50 mirrorless with RF-S 18-45 mm",
    "Headphones": "Sony WH-1000XM5 wireless noise cancelling",
    "Kettle": "Bosch Styline TWK8613P 1.5 l 2400 W",
    "Laptop": "Lenovo ThinkPad X1 Carbon Gen 12 32 GB",
    "Television": "LG OLED65C44LA 65 inch 4K",
    "Toy": "Lego Technic 42151 Bugatti Bolide",
    "Washing machine": "Bosch Serie 4 WAN28281GB 8 kg 1400 rpm",
}
HOSTILE = (
    '<script>alert(1)</script><img src=x onerror="alert(2)">',
    "a|b`c`| d \\| e",
    "**@everyone** #12 [x](http://example.com) https://example.com www.example.com",
    "مكواة بخار \u202eabc\u202c",
    "a\x00b\x1b[31m\ud800",
    "手机 & 平板电脑 " * 40,
    "</td></table></body>{{ x }}{0}",
    "",
    " ",
    "-->\n\n# Pass\n- x",
)
KINDS = ("typos", "case", "noise", "drop", "spacing", "width", "junk")


def facts(
    slices: dict[str, int],
    *,
    labels: tuple[str, ...] = LABELS,
    right: float = 0.93,
    parent_right: float | None = 0.93,
    anchor: bool = False,
    margin: float = 0.05,
    seed: int = 7,
    titles: tuple[str, ...] = (),
    **more: Any,
) -> Facts:
    """What the gate would know of a candidate that is right so often, on slices of so many items."""
    draw = random.Random(seed)  # noqa: S311
    items, texts = _items(draw, slices, labels, right, parent_right, anchor, titles)
    checks = _checks(items, slices, margin)
    failed = [check["reason"] for check in checks if check["status"] == "fail"]
    open_ones = [check for check in checks if check["status"] == "inconclusive"]
    state = "fail" if failed else "inconclusive" if open_ones else "pass"
    reasons = failed or [check["reason"] for check in open_ones]
    verdict = {
        "verdict": state, "decision": "pass" if state == "pass" else "refused", "reasons": reasons, "warnings": [],
        "override": None, "checks": checks,
        "undecided": sorted({check["slice"] for check in checks if check["status"] == "undecided"}),
    }  # fmt: skip
    sides = ["candidate", *(["parent"] if parent_right is not None else []), *(["anchor"] if anchor else [])]
    release = "v1.1.0" if parent_right is not None else None
    given: dict[str, Any] = {
        "verdict": verdict,
        "metrics": {
            "candidate": None, "parent": None, "anchor": None, "truncated": 3,
            **{side: _measured(items, slices, side) for side in sides},
            "robustness": {"candidate": _robust(draw, slices), "parent": _robust(draw, slices) if release else None},
            "chain": _chain(slices) if release else None,
        },
        "release": release,
        "anchor": "v1.0.0" if anchor else None,
        "increment": "2026-02-spring",
        "gate": {"confidence": 0.95, "examples": 10},
        "prepared": {
            "increment": "2026-02-spring", "read": 1_501, "records": 1_412,
            "rejects": {"duplicate": 27, "near-duplicate": 18, "empty text": 4, "too few fields": 40},
            "masked": {"email": 13, "phone": 7},
        },
        "assembled": {
            "increment": "2026-02-spring", "records": 1_412, "seen": 12, "eval": 212, "train_new": 1_188,
            "replayed": 402, "label_changes": {"new": list(labels[-3:]), "vanished": [], "renamed": []},
        },
        "training": {
            "steps": 304, "records": 1_590, "epochs": 3, "tokens": 280_408, "final_loss": 0.0016,
            "trainable_parameters": 43_776, "total_parameters": 573_696, "continued_from": release, "truncated": 2,
            "dropped": 0, "undesirable": 0, "machine_class": {"kind": "cpu", "threads": 2, "torch": "2.13.0+cpu"},
        },
        "predictions": {
            "version": 1, "labels": sorted(set(labels)), "items": items,
            "params": {
                "candidate": {"train": {"epochs": 8, "rank": 16, "lora": {"alpha": 16}}, "gate": {"x": [1, 2]}},
                "parent": {"train": {"epochs": 8, "rank": 8, "lora": {"alpha": 16}}, "gate": {"y": "é"}},
            },
        },
        "details": _details(items, slices, draw),
        "matrix": _matrix(draw, slices, release),
        "texts": texts,
        "curve": _curve(draw),
        "rates": "learning_rate,loss\n" + "".join(
            f"{rate},{3 + (math.log10(rate) + 3) ** 2}\n" for rate in (1e-5, 1e-4, 1e-3, 5e-3, 1e-2, 1e-1)
        ),
    }  # fmt: skip
    return Facts(**(given | more))


def _items(
    draw: random.Random,
    slices: dict[str, int],
    labels: tuple[str, ...],
    right: float,
    parent_right: float | None,
    anchor: bool,
    titles: tuple[str, ...],
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    items, texts = [], {}
    for name, count in slices.items():
        for place in range(count):
            answer = labels[draw.randrange(len(labels))]
            key = hashlib.sha256(f"{name}/{place}".encode(errors="surrogatepass")).hexdigest()
            hard = draw.random()  # both models fail on what is hard
            item = {"id": key, "kind": "classification", "slices": [name], "answer": answer, "must_pass": place == 3}
            item["candidate"] = _row(draw, labels, answer, hard, right)
            item["parent"] = None if parent_right is None else _row(draw, labels, answer, hard, parent_right)
            item["anchor"] = _row(draw, labels, answer, hard, 0.94) if anchor else None
            items.append(item)
            texts[key] = titles[place % len(titles)] if titles else f"{TITLES.get(answer, answer)}, offer {place}"
    return sorted(items, key=lambda item: item["id"]), texts


def _row(draw: random.Random, labels: tuple[str, ...], answer: str, hard: float, right: float) -> dict[str, Any]:
    correct = (0.8 * hard + 0.2 * draw.random()) < right
    wrong = labels[(labels.index(answer) + draw.choice((1, 1, 1, 2, 3))) % len(labels)]
    confidence = min(0.999, max(0.2, draw.gauss(0.93 if correct else 0.6, 0.1)))
    return {
        "key": "00", "predicted": answer if correct else wrong, "score": -0.1, "confidence": round(confidence, 6),
        "truncated": False,
    }  # fmt: skip


def _accuracy(items: list[dict[str, Any]], side: str) -> float:
    return sum(item[side]["predicted"] == item["answer"] for item in items) / len(items)


def _in(items: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return items if name == "all" else [item for item in items if name in item["slices"]]


def _measured(items: list[dict[str, Any]], slices: dict[str, int], side: str) -> dict[str, Any]:
    def block(name: str) -> dict[str, Any]:
        some = _in(items, name)
        if not some:
            return {"accuracy": None, "macro_f1": None, "items": 0}
        value = round(_accuracy(some, side), 6)
        return {"accuracy": value, "macro_f1": round(value * 0.98, 6), "ece": 0.021, "items": len(some)}

    return {"all": block("all"), "slices": {name: block(name) for name in slices}}


def _checks(items: list[dict[str, Any]], slices: dict[str, int], margin: float) -> list[dict[str, Any]]:
    checks = []
    for name in ("all", *slices):
        some = _in(items, name)
        if not some:
            continue
        ours = _accuracy(some, "candidate")
        floor = {
            "slice": name, "metric": "accuracy", "against": "floor", "candidate": ours, "reference": 0.5,
            "difference": round(ours - 0.5, 6), "low": None, "high": None, "margin": None, "p_value": None,
            "items": len(some), "discordant": None, "detectable": None, "needed": None,
            "status": "pass" if ours >= 0.5 else "fail",
            "reason": None if ours >= 0.5 else f"{name} accuracy: {ours:.4f}, needs at least 0.5000",
        }  # fmt: skip
        checks.append(floor)
        for side in ("parent", "anchor"):
            if some[0][side]:
                checks.append(_paired(name, some, side, margin if name != "all" else 0.02))
    return checks


def _paired(name: str, some: list[dict[str, Any]], side: str, margin: float) -> dict[str, Any]:
    ours, theirs = _accuracy(some, "candidate"), _accuracy(some, side)
    count = len(some)
    changed = sum(item["candidate"]["predicted"] != item[side]["predicted"] for item in some)
    psi = max(changed, 1) / count
    half = 1.645 * math.sqrt(psi / count)
    difference = ours - theirs
    low, high = max(-1, difference - half), min(1, difference + half)
    needed = math.ceil(6.18 * psi / margin**2)
    status = "pass"
    if high < 0:
        status = "fail"
    elif low <= -margin:
        status = "inconclusive" if name == "all" or count >= needed else "undecided"
    words = {
        "fail": f"{name} accuracy: {ours:.4f}, worse than {side} ({theirs:.4f}), p = 0.0001",
        "inconclusive": f"{name} accuracy: not shown to be within {margin} of {side}, {needed:,} items needed",
    }
    return {
        "slice": name, "metric": "accuracy", "against": side, "candidate": round(ours, 6),
        "reference": round(theirs, 6), "difference": round(difference, 6), "low": round(low, 6),
        "high": round(high, 6), "margin": margin, "p_value": 0.2, "items": count, "discordant": changed,
        "detectable": round(math.sqrt(6.18 * psi / count), 6), "needed": needed, "status": status,
        "reason": words.get(status),
    }  # fmt: skip


def _robust(draw: random.Random, slices: dict[str, int]) -> dict[str, Any]:
    found = {}
    for kind in KINDS:
        drop = round(draw.random() * 0.1, 6)
        worst = next(iter(slices), None)
        found[kind] = {
            "items": 200, "accuracy": round(0.93 - drop, 6), "drop": drop, "worst_slice": worst,
            "worst_drop": round(drop * 2, 6) if worst else None,
        }  # fmt: skip
    return found


def _chain(slices: dict[str, int]) -> dict[str, Any]:
    return {
        "average_accuracy": 0.931, "backward_transfer": -0.0123, "forward_transfer": 0.2,
        "forgetting": {name: round(place * 0.001, 6) for place, name in enumerate(slices)},
    }  # fmt: skip


def _details(items: list[dict[str, Any]], slices: dict[str, int], draw: random.Random) -> dict[str, Any]:
    pairs = Counter((item["answer"], item["candidate"]["predicted"]) for item in items)
    labels = {}
    for label in sorted({item["answer"] for item in items}):
        support = sum(count for (actual, _), count in pairs.items() if actual == label)
        predicted = sum(count for (_, said), count in pairs.items() if said == label)
        hit = pairs[label, label]
        precision, recall = hit / predicted if predicted else 0.0, hit / support
        labels[label] = {
            "precision": precision, "recall": recall, "support": support, "predicted": predicted,
            "f1": 2 * precision * recall / (precision + recall) if hit else 0.0,
        }  # fmt: skip
    bins: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for item in items:
        bins[min(9, int(item["candidate"]["confidence"] * 10))].append(item)
    calibration = [
        {
            "low": place / 10, "high": (place + 1) / 10, "items": len(bins[place]),
            "confidence": sum(x["candidate"]["confidence"] for x in bins[place]) / len(bins[place]) if bins[place]
            else None,
            "accuracy": _accuracy(bins[place], "candidate") if bins[place] else None,
        }
        for place in range(10)
    ]  # fmt: skip
    return {
        "labels": labels,
        "confusion": [[actual, said, count] for (actual, said), count in sorted(pairs.items())],
        "calibration": calibration,
        "robustness": {name: _robust(draw, {name: 1}) for name in list(slices)[:60]},
    }


def _matrix(draw: random.Random, slices: dict[str, int], release: str | None) -> dict[str, Any]:
    names = list(slices)
    rows = []
    for place in range(len(names) if release else 1):
        rows.append(
            {
                "release": f"v1.{place}.0" if place < len(names) - 1 and release else None,
                "increment": names[place] if names else "x",
                "items": {name: slices[name] for name in names},
                "accuracy": {
                    name: None if at > place + 1 else round(0.96 - 0.02 * draw.random() - 0.004 * (place - at), 6)
                    for at, name in enumerate(names)
                },
            }
        )
    return {"version": 1, "releases": rows[:10] + rows[10:][-50:]}


def _curve(draw: random.Random) -> str:
    lines = ["step,loss,learning_rate,gradient_norm"]
    for step in range(2, 306, 2):
        loss = 8 * math.exp(-step / 50) + 0.2 * draw.random()
        lines.append(f"{step},{loss:.6g},{5e-3 * (1 - step / 306):.6g},{4 * math.exp(-step / 80) + draw.random():.6g}")
    return "\n".join(lines) + "\n"
