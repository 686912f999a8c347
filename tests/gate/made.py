"""predictions.json, made up: who said what of how many items."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

RULES: dict[str, Any] = {
    "all": {"accuracy": {"at_least": 0.0, "may_drop": 0.02}},
    "each_slice": {"accuracy": {"at_least": 0.0, "may_drop": 0.05}},
    "slices": {},
}


def gate(rules: Mapping[str, Any] = RULES, **more: Any) -> dict[str, Any]:
    """Section gate of params.yaml."""
    params = {"confidence": 0.95, "critical": [], "inconclusive": "block", "override": None, "anchor": None}
    return {**params, "fail_alpha": 0.025, "examples": 0, "rules": rules, **more}


def model(name: str) -> dict[str, Any]:
    return {
        "weights": hashlib.sha256(name.encode()).hexdigest(), "base": "b", "tokenizer": "t", "template": "c",
        "dtype": "float32", "max_length": 256, "labels": "l", "decoding": {}, "scorer": "1",
    }  # fmt: skip


def content_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def predictions(
    items: Iterable[Mapping[str, Any]], parent: str | None = "v1.0.0", anchor: str | None = None, same: bool = False
) -> dict[str, Any]:
    """The whole file; `same`: the candidate's weights are the parent's."""
    models = {
        "candidate": model("parent" if same else "candidate"),
        "parent": model("parent") if parent else None,
        "anchor": model("anchor") if anchor else None,
    }
    return {
        "version": 1, "models": models, "releases": {"parent": parent, "anchor": anchor}, "labels": ["a", "b"],
        "items": sorted(items, key=lambda item: item["id"]), "robustness": [],
    }  # fmt: skip


def said(number: int, slices: Sequence[str], *right: bool | None, **more: Any) -> dict[str, Any]:
    """A classification whose answer is "a"; `right`: of candidate, parent, anchor. None: no row."""
    rows = {side: None if ok is None else row("a" if ok else "b") for side, ok in zip(SIDES, right, strict=False)}
    item = {"id": content_id(number), "kind": "classification", "slices": list(slices), "answer": "a"}
    return {**item, "candidate": None, "parent": None, "anchor": None, **rows, **more}


SIDES = ("candidate", "parent", "anchor")


def row(label: str, score: float = -0.1) -> dict[str, Any]:
    return {"key": "0" * 8, "predicted": label, "score": score, "confidence": 0.9, "truncated": False}


def counted(
    name: str, items: int, fixed: int = 0, broken: int = 0, wrong: int = 0, start: int = 0
) -> list[dict[str, Any]]:
    """A slice by its counts; `wrong`: by both models, the rest is right by both."""
    outcomes = [(True, False)] * fixed + [(False, True)] * broken + [(False, False)] * wrong
    outcomes += [(True, True)] * (items - len(outcomes))
    offset = start or int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
    return [said(offset + index, [name], *outcome) for index, outcome in enumerate(outcomes)]


def status(verdict: Mapping[str, Any], name: str, against: str = "parent", metric: str = "accuracy") -> str:
    [found] = [
        check["status"]
        for check in verdict["checks"]
        if (check["slice"], check["against"], check["metric"]) == (name, against, metric)
    ]
    return str(found)
