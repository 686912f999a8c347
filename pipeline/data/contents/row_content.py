"""What a row says once its layout is understood."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Turn = tuple[str, str, str | None, float | None]  # role, content, tool_calls, weight: as arrow.MESSAGE

NUL = "a NUL character"  # no text has one: the row is damaged


class UnusableError(Exception):
    """A row that is no example; its text is the reason, the same for all rows of one kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowContent:
    """The content of one row, as arrow.ROWS has it."""

    messages: Sequence[Turn]
    rejected: Sequence[Turn] | None = None
    desirable: bool | None = None
    tools: str | None = None
    images: Sequence[str] | None = None


def string(values: Mapping[str, Any], column: str | None, name: str) -> str:
    """The text of a column.

    Raises:
        UnusableError: there is none, or it is no text.
    """
    value = values.get(column) if column is not None else None
    if value is None:
        raise UnusableError(f"no {name}")
    if not isinstance(value, str):
        raise UnusableError(f"{name} is not a string")
    return value


def label_text(value: Any) -> str | None:
    """A label as text, a whole number or a truth value as JSON writes it; None for what is no label."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # what pandas makes of 1 beside a gap
        return str(int(value))
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return str(int(value))
    return str(value) if isinstance(value, int) else None


def plain_text(value: Any) -> Any:
    """A number or a truth value as text, as `label_text`, other numbers too; NaN is nothing; all else as it is."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bool | int | float | Decimal):
        return label_text(value) or str(value)
    return value
