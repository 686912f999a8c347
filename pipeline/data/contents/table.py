"""Table rows: one column is the text, or a template makes it of several; one is the label."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.data.contents.row_content import NUL, UnusableError, label_text, string
from pipeline.data.reading.filespec import FileSpec, slots

_SLOT = re.compile(r"\{[^{}]*\}")


def pairs(
    rows: Sequence[Mapping[str, Any] | None], spec: FileSpec
) -> tuple[list[str | None], list[str | None], list[str | None]]:
    """Text, label and problem of each row; None where there is none."""
    texts: list[str | None] = []
    labels: list[str | None] = []
    problems: list[str | None] = []
    for values in rows:
        text = label = problem = None
        if values is not None:
            text = values.get(spec.text) if spec.text is not None else None
            label = values.get(spec.label) if spec.label is not None else None
            if type(text) is not str or type(label) is not str:
                text, label, problem = _carefully(values, spec)
            if text is not None and ("\0" in text or "\0" in str(label)):
                text, label, problem = None, None, NUL
        texts.append(text)
        labels.append(label)
        problems.append(problem)
    return texts, labels, problems


def _carefully(values: Mapping[str, Any], spec: FileSpec) -> tuple[str | None, str | None, str | None]:
    try:
        text = string(values, spec.text, "text") if spec.template is None else filled(values, spec.template)
        return text, _label(values, spec), None
    except UnusableError as reason:
        return None, None, str(reason)


def _label(values: Mapping[str, Any], spec: FileSpec) -> str:
    value = values.get(spec.label) if spec.label is not None else None
    found = label_text(value)
    return found if found is not None else string(values, spec.label, "label")


def filled(values: Mapping[str, Any], template: str) -> str:
    """A template with the row's values in it; what a row does not say is left empty.

    Raises:
        UnusableError: the row says nothing of what the template asks for, or says it in no text and no number.
    """
    asked = {name: values.get(name) for name in slots(template)}
    if all(value is None or value == "" for value in asked.values()):
        raise UnusableError("no text")
    if any(isinstance(value, bool | list | dict) for value in asked.values()):
        raise UnusableError("text is not a string")
    said = {name: "" if value is None else str(value) for name, value in asked.items()}
    return _SLOT.sub(lambda match: said[match[0][1:-1]], template)
