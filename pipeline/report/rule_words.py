"""What differs from what the parent was judged by, in words: a title, then a line for each difference."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.common.words import counted

DIGITS = 16  # of an id
NAMES = 5  # ids in a line; changes.json holds them all
PATHS = 8  # files in a line
REASONS = 5  # by the parent's rules
LINES = 30
FILE = "reports/changes.json"
KINDS = {"evaluation file": "evaluation files", "metric code": "metric code", "gate code": "gate code"}

Changes = Mapping[str, Any]  # content of changes.json


def title(changes: Changes, verdict: Changes) -> str:
    """One sentence or two: what changed since which release, and its rules' verdict; empty where nothing did.

    Args:
        changes: content of changes.json; may be empty.
        verdict: content of verdict.json.
    """
    release = changes.get("parent")
    if not release:
        return ""
    kinds = list(_kinds(changes))
    text = f"Changed since {release}: {', '.join(kinds)}." if kinds else ""
    if not changes["recorded"]:
        return f"{text} {release} does not record its rules and code, so changes of these are not named.".strip()
    under = changes["under_parent_rules"]
    if not under:
        return text
    theirs, ours = _decision(under), _decision(verdict)
    than = f"{theirs}, too" if theirs == ours else f"{theirs}, not {ours}"
    return f"{text} By {release}'s rules the verdict is {than}."


def lines(changes: Changes) -> list[str]:
    """A line for each difference, rules first, then what the parent's rules say; of very many the first."""
    every = [*_lines(changes)] if changes.get("parent") else []
    if len(every) <= LINES:
        return every
    return [*every[:LINES], f"and {counted(len(every) - LINES, 'more difference')}, in {FILE}"]


def named(changes: Changes, verdict: Changes) -> list[str]:
    """The title and the lines below it, for a terminal; empty where nothing differs."""
    first = title(changes, verdict)
    return [first, *(f"  {line}" for line in lines(changes))] if first else []


def _kinds(changes: Changes) -> Iterator[str]:
    keys = [setting["key"] for setting in changes["rules"]]
    if any(key.startswith("gate.") for key in keys):
        yield "gate rules"
    if any(not key.startswith("gate.") for key in keys):
        yield "evaluation settings"
    if changes["golden"]:
        yield "golden items"
    if any(changes["must_pass"].values()):
        yield "must-pass marks"
    kinds = {file["kind"] for file in changes["files"]}
    yield from (name for kind, name in KINDS.items() if kind in kinds)


def _lines(changes: Changes) -> Iterator[str]:
    under, release = changes["under_parent_rules"], changes["parent"]
    for setting in changes["rules"]:
        effect = f" ({setting['effect']} than {release}'s)" if setting["effect"] else ""
        yield f"{setting['key']}: {_value(setting['before'])} → {_value(setting['after'])}{effect}"
    for entry in changes["golden"]:
        yield from _golden(entry)
    for word in ("lost", "gained"):
        if ids := changes["must_pass"][word]:
            yield f"must-pass mark {word} by {counted(len(ids), 'item')}: {_named(ids)}"
    for kind in KINDS:
        if files := [file for file in changes["files"] if file["kind"] == kind]:
            yield f"{kind}: {_paths(files)}"
    if under:
        yield from _under(under, release)


def _golden(entry: Changes) -> Iterator[str]:
    for word in ("removed", "added", "changed"):
        if ids := entry[word]:
            what = " in kind or cluster" if word == "changed" else ""
            yield f"{entry['slice']}: {counted(len(ids), 'golden item')} {word}{what}: {_named(ids)}"
    if pairs := entry["relabelled"]:
        named = [
            f"{pair['before'][:DIGITS]} → {pair['after'][:DIGITS]} "
            f"({_short(pair['answer_before'])} → {_short(pair['answer_after'])})"
            for pair in pairs[:NAMES]
        ]
        more = f" and {len(pairs) - NAMES:,} more" if len(pairs) > NAMES else ""
        yield f"{entry['slice']}: {counted(len(pairs), 'golden item')} relabelled: {', '.join(named)}{more}"


def _under(under: Changes, release: str) -> Iterator[str]:
    """Why the parent's rules refuse, and what they could not be held to."""
    for reason in under["reasons"][:REASONS]:
        yield f"by {release}'s rules: {reason}"
    if len(under["reasons"]) > REASONS:
        yield f"by {release}'s rules: and {counted(len(under['reasons']) - REASONS, 'more reason')}, in {FILE}"
    if ids := under["not_scored"]:
        yield f"not part of the verdict by {release}'s rules: {counted(len(ids), 'removed golden item')}, not scored"
    for name in under["not_compared"]:
        yield f"not part of the verdict by {release}'s rules: {name}, not measured"


def _decision(verdict: Changes) -> str:
    """The verdict, and what follows from one that is inconclusive."""
    if verdict["verdict"] not in ("inconclusive", "unchecked"):
        return str(verdict["verdict"])
    return f"{verdict['verdict']} and {'refused' if verdict['decision'] == 'refused' else 'let pass'}"


def _value(value: Any) -> str:
    """A setting's value; of a whole rule its bounds."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(inner)}" for key, inner in value.items()) or "no bound"
    if isinstance(value, str):
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - NAMES:,} more" if len(ids) > NAMES else ""
    return ", ".join(id_[:DIGITS] for id_ in ids[:NAMES]) + more


def _paths(files: Sequence[Mapping[str, str]]) -> str:
    more = f" and {len(files) - PATHS:,} more" if len(files) > PATHS else ""
    return ", ".join(f"{file['path']} {file['change']}" for file in files[:PATHS]) + more


def _short(answer: object) -> str:
    text = str(answer)
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
