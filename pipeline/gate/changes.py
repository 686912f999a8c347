"""What differs from what the parent was judged by, and the verdict by the parent's rules: the content of changes.json.

Pure: the same predictions and the same two bases give the same content.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pipeline.gate import changed_items, changed_rules
from pipeline.gate.basis import Basis
from pipeline.gate.changed_rules import RuleSetting
from pipeline.gate.decide import decide
from pipeline.gate.settings import GateSettings

VERSION = 1
MACHINE = ("evaluate.batch_size",)  # how fast, not what
KINDS = ("evaluation file", "metric code", "gate code")

Content = Mapping[str, Any]


def compare(ours: Basis, theirs: Basis | None, release: str | None, predictions: Content | None) -> dict[str, Any]:
    """The content of changes.json; schemas/changes.schema.json.

    Args:
        ours: what the candidate is judged by.
        theirs: what the parent was judged by; None: no parent, or an adopted one.
        release: the parent.
        predictions: content of reports/predictions.json; None: no verdict is computed.
    """
    if theirs is None or ours.gate is None:
        return _content(release if theirs else None, recorded=True)
    rules = changed_rules.compare(theirs.gate, ours.gate) if theirs.gate is not None else []
    rules += _settings(theirs.settings, ours.settings)
    content = _content(release, recorded=theirs.gate is not None) | {
        "rules": [setting.plain() for setting in rules],
        "golden": changed_items.slices(theirs.golden, ours.golden),
        "must_pass": changed_items.must_pass(theirs.golden, ours.golden),
        "files": [
            *_files(theirs.evaluated, ours.evaluated, None),
            *_files(theirs.gate_code, ours.gate_code, ours.evaluated or {}),
        ],
    }
    if theirs.gate is not None and predictions is not None and differs(content):
        content["under_parent_rules"] = _under(ours, theirs, predictions)
    return content


def differs(changes: Content) -> bool:
    """Whether anything that the verdict rests on is another than the parent's."""
    return bool(changes["rules"] or changes["golden"] or changes["files"] or any(changes["must_pass"].values()))


def _content(release: str | None, *, recorded: bool) -> dict[str, Any]:
    return {
        "version": VERSION,
        "parent": release,
        "recorded": recorded,
        "rules": [],
        "golden": [],
        "must_pass": {"gained": [], "lost": []},
        "files": [],
        "under_parent_rules": None,
    }


def _under(ours: Basis, theirs: Basis, predictions: Content) -> dict[str, Any]:
    """What this code decides of the candidate by the parent's rules, labels and must-pass marks.

    An anchor that the candidate was not held against has no predictions, nor has a golden item that was removed.
    """
    known = {field.name for field in fields(GateSettings)}
    section = {key: value for key, value in {**asdict(GateSettings()), **(theirs.gate or {})}.items() if key in known}
    anchor = (ours.gate or {}).get("anchor")
    missing = [f"anchor {section['anchor']}"] if section["anchor"] not in (None, anchor) else []
    removed = theirs.golden.keys() - ours.golden.keys()
    removed -= set(changed_items.relabelled(theirs.golden, ours.golden).values())
    items = changed_items.as_before(predictions["items"], theirs.golden, ours.golden)
    decided = decide({**predictions, "items": items}, {**section, "anchor": anchor})
    return {name: decided[name] for name in ("verdict", "decision", "reasons")} | {
        "not_compared": missing,
        "not_scored": sorted(removed),
    }


def _settings(old: Content | None, new: Content | None) -> list[RuleSetting]:
    """What is evaluated, and how; none where one side does not record it."""
    if old is None or new is None:
        return []
    before, after = (dict(_flat("", _without_unused(settings))) for settings in (old, new))
    return [
        RuleSetting(key=key, before=before.get(key), after=after.get(key), effect=None)
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _without_unused(settings: Content) -> Content:
    """The settings, with null for a robustness of no items, which asks for nothing either."""
    evaluate = settings["evaluate"]
    used = (evaluate.get("robustness") or {}).get("items")
    return settings if used else {**settings, "evaluate": {**evaluate, "robustness": None}}


def _flat(key: str, value: Any) -> list[tuple[str, Any]]:
    """Keys with dots; lists whose order says nothing in one order."""
    if isinstance(value, Mapping) and value:
        pairs = ((f"{key}.{name}".removeprefix("."), inner) for name, inner in value.items())
        return [pair for name, inner in pairs if name not in MACHINE for pair in _flat(name, inner)]
    if key == "evaluate.custom" and isinstance(value, str):
        value = [value]
    if isinstance(value, list) and key != "evaluate.judge.scale":
        value = sorted(value)
    return [(key, value or None if isinstance(value, list | Mapping) else value)]


def _files(
    before: Mapping[str, str] | None, after: Mapping[str, str] | None, others: Mapping[str, str] | None
) -> list[dict[str, str]]:
    """Each file whose content differs; none where one side does not record them.

    Args:
        before: path -> SHA-256.
        after: likewise.
        others: of gate code, the files that are named as metric code; None: these are not gate code.
    """
    if before is None or after is None:
        return []
    return [
        {"path": path, "kind": _kind(path, others), "change": _change(path, before, after)}
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path) and path not in (others or {})
    ]


def _kind(path: str, others: Mapping[str, str] | None) -> str:
    if others is not None:
        return "gate code"
    return "metric code" if path.endswith(".py") or path.startswith("pipeline/") else "evaluation file"


def _change(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    return "added" if path not in before else "removed" if path not in after else "changed"
