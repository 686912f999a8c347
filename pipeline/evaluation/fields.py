"""Slices by what records say of themselves: label=Toy, month=2026-01, tools=yes."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pipeline.data.records.records import Record

LARGEST = 50  # values of a field that become slices of their own
OTHERS = "others"  # the rest of them together


def _answer(record: Record) -> str | None:
    return record.answer if record.kind == "classification" else None


def _month(record: Record) -> str | None:
    found = re.match(r"(\d{4})[-/.]?(0[1-9]|1[0-2])(?!\d{3})", record.date or "")
    return f"{found[1]}-{found[2]}" if found else None


def _tools(record: Record) -> str:
    return "yes" if record.tools else "no"


def _desirable(record: Record) -> str | None:
    return None if record.desirable is None else "yes" if record.desirable else "no"


def _turns(record: Record) -> str | None:
    asked = sum(message["role"] == "user" for message in record.messages)
    return str(asked) if asked < 5 else "5 and more"


FIELDS: Mapping[str, Callable[[Record], str | None]] = {  # None: the record says nothing of it
    "label": _answer,
    "increment": lambda record: record.increment,
    "file": lambda record: record.file,
    "kind": lambda record: record.kind,
    "key": lambda record: record.key,
    "date": lambda record: record.date,
    "month": _month,
    "tools": _tools,
    "turns": _turns,
    "desirable": _desirable,
}


def names(field: str, records: Sequence[Record]) -> list[str | None]:
    """The slice FIELD=VALUE of each record; None where it says nothing.

    Of more than LARGEST values the largest have slices of their own, of equally large ones the first by name.

    Args:
        field: of FIELDS.
        records: all that are evaluated.
    """
    values = [FIELDS[field](record) for record in records]
    counts = Counter(value for value in values if value is not None)
    largest = set(sorted(counts, key=lambda value: (-counts[value], value))[:LARGEST])
    return [None if value is None else f"{field}={value if value in largest else OTHERS}" for value in values]


def unsaid(slice_by: Sequence[str], slices: Sequence[str]) -> list[str]:
    """A line for each field that no record says, and that so makes no slice.

    Args:
        slice_by: of FIELDS.
        slices: names of all of them.
    """
    silent = [field for field in slice_by if not any(name.startswith(f"{field}=") for name in slices)]
    return [f"slice_by: no record says {field}" for field in silent]
