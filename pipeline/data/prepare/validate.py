"""Finished records against schemas/record.schema.json, by the hundred thousand."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson

from pipeline.common import schema


def problem(record: Mapping[str, Any]) -> str | None:
    """Why a record breaks its schema, such as "$.line: must be at least 1, is 0"; None when it does not."""
    return None if _validator().is_valid(record) else _reason(record)


def _reason(record: Mapping[str, Any]) -> str:
    found = schema.problems(record, "record")  # the wording that every other file's problems have
    return found[0] if found else "not of the record's schema"


@cache
def _validator() -> Any:
    import jsonschema_rs  # a hundred times faster than the module that words the problems

    text = (schema.SCHEMAS / "record.schema.json").read_bytes()
    return jsonschema_rs.Draft202012Validator(orjson.loads(text))
