"""data/golden: evaluation items kept by hand, never trained on; each file is a slice of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.common import sources
from pipeline.common.errors import GraftError
from pipeline.data.clean import clean, single_text
from pipeline.data.clean.settings import CleaningSettings
from pipeline.data.reading import json_lines
from pipeline.data.records import records
from pipeline.data.records.item_marks import PREFIX, Marks
from pipeline.data.records.records import Messages, Record

REQUIRED = "must-pass"  # a file whose name begins so holds items that must all pass
_MARKS = ("must_pass", "cluster", "kind")
_KINDS = ("classification", "sft")  # what a conversation may be: a label to choose, or an answer to generate
_LINE = 'neither {"text": ..., "label": ...} nor {"messages": [...]}'
_MARK = '"must_pass" is true or false, "cluster" a text, "kind" classification or sft'


@dataclass(frozen=True, kw_only=True, slots=True)
class Golden:
    """Items kept by hand."""

    slices: Mapping[str, list[Record]]  # by slice name, each sorted by id
    marks: Marks


def load(folder: Path, instruction: str, options: CleaningSettings) -> Golden:
    """Items of every *.jsonl file, and what is said of them.

    Args:
        folder: may be absent or hold no such file.
        instruction: stands above the text of {"text", "label"} items, as above the increment's own texts.
        options: how texts are cleaned: equal titles must be equal prompts.

    Raises:
        GraftError: a line is no item, repeats a question of its file, or answers one otherwise than
            another line does; all such lines at once.
    """
    slices = dict[str, list[Record]]()
    must_pass, clusters, problems = set[str](), dict[str, str](), list[str]()
    answers: dict[str, tuple[str, str]] = {}  # prompt's id -> its answer and where that stands
    for path in sorted(path for path in folder.glob("*.jsonl") if not sources.is_leaving(f"data/golden/{path.name}")):
        items, before = dict[str, Record](), len(problems)
        for row in json_lines.rows(path):
            place = f"{path.name}:{row.line}"
            values, said = ({}, {}) if row.problem else _parted(row.values)
            item = _record(values, path, row.line, instruction, options, str(said.get("kind", _KINDS[0])))
            if item is None or not _marked(said):
                problems.append(f"{place}: {_LINE}" if item is None else f"{place}: {_MARK}")
                continue
            prompt = records.content_id(item.prompt)
            answer, first = answers.setdefault(prompt, (item.answer, place))
            if prompt in items or answer != item.answer:
                problems.append(f"{place}: the same question as {first}")
            items[prompt] = item
            if said.get("must_pass", path.stem.startswith(REQUIRED)):
                must_pass.add(item.id)
            if "cluster" in said:
                clusters[item.id] = said["cluster"]
        if not items and len(problems) == before:
            problems.append(f"{path.name}: no item; delete the file if it is to guard nothing")
        if items:
            slices[PREFIX + path.stem] = sorted(items.values(), key=lambda item: item.id)
    if problems:
        raise GraftError(f"{folder}: {problems[0]}", problems[1:], help="golden items are kept by hand: correct them")
    marks = Marks(must_pass=frozenset(must_pass), clusters=dict(sorted(clusters.items())))
    return Golden(slices=slices, marks=marks)


def _parted(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a line holds, and what it says of that."""
    said = {key: values[key] for key in _MARKS if key in values}
    return {key: value for key, value in values.items() if key not in said}, said


def _marked(said: Mapping[str, Any]) -> bool:
    return (
        isinstance(said.get("must_pass", True), bool)
        and _filled([said.get("cluster", "-")])
        and said.get("kind", _KINDS[0]) in _KINDS
    )


def _record(
    values: Any, path: Path, line: int, instruction: str, options: CleaningSettings, kind: str
) -> Record | None:
    messages = _messages(values, instruction, options)
    if messages is None:
        return None
    return Record(
        id=records.content_id(messages),
        kind=kind,
        messages=messages,
        increment=PREFIX + path.stem,
        file=f"data/golden/{path.name}",
        line=line,
    )


def _messages(values: Any, instruction: str, options: CleaningSettings) -> Messages | None:
    if values.keys() == {"text", "label"} and _filled(values.values()):
        question = clean.text(values["text"], options)
        return records.classification(question, single_text.clean(values["label"]), instruction)
    messages = values.get("messages")
    if values.keys() != {"messages"} or not isinstance(messages, list) or len(messages) < 2:
        return None
    roles = {"system", "user", "assistant"}
    for message in messages:
        if not isinstance(message, dict) or message.keys() != {"role", "content"}:
            return None
        if message["role"] not in roles or not _filled([message["content"]]):
            return None
    return messages if messages[-1]["role"] == "assistant" else None


def _filled(values: Any) -> bool:
    return all(
        isinstance(value, str) and single_text.clean(value) and not single_text.undecodable(value) for value in values
    )
