"""data/golden: evaluation items kept by hand, never trained on; each file is a slice of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.data import records, text
from pipeline.data.clean import clean
from pipeline.data.clean.clean import Options
from pipeline.data.reading import jsonl
from pipeline.data.records import Messages, Record
from pipeline.errors import GraftError

PREFIX = "golden-"


def load(folder: Path, instruction: str, cleaning: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Items of every *.jsonl file, by slice name, each sorted by id.

    Args:
        folder: may be absent or hold no such file.
        instruction: stands above the text of {"text", "label"} items, as above the increment's own texts.
        cleaning: section `prepare` of params.yaml: equal titles must be equal prompts.

    Raises:
        GraftError: a line is no item, repeats a question of its file, or answers one otherwise than
            another line does; all such lines at once.
    """
    options, slices = Options.of(cleaning), dict[str, list[Record]]()
    problems: list[str] = []
    answers: dict[str, tuple[str, str]] = {}  # prompt's id -> its answer and where that stands
    for path in sorted(folder.glob("*.jsonl")):
        items: dict[str, Record] = {}
        for row in jsonl.rows(path):
            place = f"{path.name}:{row.line}"
            item = None if row.problem else _record(row, path, instruction, options)
            if item is None:
                problems.append(f'{place}: neither {{"text": ..., "label": ...}} nor {{"messages": [...]}}')
                continue
            prompt = records.content_id(item.prompt)
            answer, first = answers.setdefault(prompt, (item.answer, place))
            if prompt in items or answer != item.answer:
                problems.append(f"{place}: the same question as {first}")
            items[prompt] = item
        if items:
            slices[PREFIX + path.stem] = sorted(items.values(), key=lambda item: item.id)
    if problems:
        raise GraftError(f"{folder}: {problems[0]}", problems[1:], help="golden items are kept by hand: correct them")
    return slices


def _record(row: jsonl.Row, path: Path, instruction: str, options: Options) -> Record | None:
    messages = _messages(row.values, instruction, options)
    if messages is None:
        return None
    return Record(
        id=records.content_id(messages),
        messages=messages,
        increment=PREFIX + path.stem,
        file=f"data/golden/{path.name}",
        line=row.line,
    )


def _messages(values: Any, instruction: str, options: Options) -> Messages | None:
    if values.keys() == {"text", "label"} and _filled(values.values()):
        question = clean.text(values["text"], options)
        return records.classification(question, text.clean(values["label"]), instruction)
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
    return all(isinstance(value, str) and text.clean(value) and not text.undecodable(value) for value in values)
