"""The settings' dataclasses and the schema say the same; every key has a default, a meaning and a range."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, get_type_hints

import pytest

from pipeline.common import schema
from pipeline.settings import all_settings, sections
from tests.conftest import ROOT, Clone

SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas/params.schema.json").read_text())
SHOWN = 66  # keys of params.yaml, at most: what people really set


def fields(section: type) -> dict[str, Any]:
    """Names of a dataclass, with those of the dataclasses in it."""
    kinds = get_type_hints(section)
    return {
        field.name: fields(kinds[field.name]) if dataclasses.is_dataclass(kinds[field.name]) else None
        for field in dataclasses.fields(section)
    }


def same(names: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    properties = part["properties"]
    return names.keys() == properties.keys() and all(
        inner is None or same(inner, properties[name]) for name, inner in names.items()
    )


@pytest.mark.parametrize("name", sections.SECTIONS)
def test_schema_and_dataclasses_of_a_section_have_the_same_keys(name: str) -> None:
    assert same(fields(sections.SECTIONS[name]), SCHEMA["properties"][name])


def test_defaults_fit_the_schema() -> None:
    assert schema.problems(sections.fill({}), "params") == []


def test_every_setting_has_a_meaning_and_a_range() -> None:
    lacking = [setting.key for setting in all_settings.shipped() if not setting.meaning or setting.range == "anything"]
    assert lacking == []


def test_shipped_file_shows_what_people_set_at_its_default() -> None:
    written = [line for line in (ROOT / "params.yaml").read_text().splitlines() if line.strip()[:1] not in ("", "#")]
    assert 50 <= len([line for line in written if line.split(": ", 1)[1:2]]) <= SHOWN


def test_lock_shows_value_origin_meaning_and_range(fresh: Clone) -> None:
    said = fresh.graft("lock", "--show")
    line = 1 + fresh.read("params.yaml").splitlines().index("  rank: 8")
    assert f"train.rank: 8  (params.yaml:{line})\n    rank of the adapter [a whole number (at least 1)]" in said
    assert "train.rewarm: 0.5  (default)" in said
    shown = json.loads(fresh.graft("lock", "--show", "--json"))
    assert shown["train.rewarm"] == {
        "value": 0.5, "default": 0.5, "origin": "default", "line": None,
        "meaning": "peak of a continued adapter as a share of learning_rate", "range": "a number (above 0)",
    }  # fmt: skip
    assert shown["train.rank"]["origin"] == "params.yaml"
    assert fresh.git("status", "--porcelain") == ""
