"""The settings' dataclasses and the schema say the same; every key has a default, a meaning and a range."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

import pytest

from pipeline.common import schema, yaml
from pipeline.settings import all_settings, sections
from tests.conftest import ROOT, SAMPLE, Clone

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


def undescribed(part: Any, place: str) -> Iterator[str]:
    """Keys of a schema that an editor could say nothing of."""
    if isinstance(part, list):
        for entry in part:
            yield from undescribed(entry, place)
    elif isinstance(part, dict):
        for name, key in part.get("properties", {}).items():
            if isinstance(key, dict) and "description" not in key:
                yield f"{place}.{name}"
        for name, inner in part.items():
            if name not in ("allOf", "if", "then", "else"):  # conditions, which say no key's meaning
                yield from undescribed(inner, f"{place}.{name}")


@pytest.mark.parametrize("name", ["params", "increment"])
def test_every_key_that_people_write_has_a_description(name: str) -> None:
    assert list(undescribed(json.loads((ROOT / f"schemas/{name}.schema.json").read_text()), "$")) == []


@pytest.mark.parametrize("path", ["params.yaml", "data/increments/2026-01-winter/increment.yaml"])
def test_first_line_points_editors_to_the_schema(path: str) -> None:
    told = (SAMPLE / path).read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    document = yaml.load_unchecked(SAMPLE / path)
    [schema_name] = (ROOT / path).parent.joinpath(told).resolve().relative_to(ROOT / "schemas").parts
    assert schema.problems(document, schema_name.removesuffix(".schema.json")) == []


def test_shipped_file_shows_what_people_set_at_its_default() -> None:
    written = [line for line in (ROOT / "params.yaml").read_text().splitlines() if line.strip()[:1] not in ("", "#")]
    assert 50 <= len([line for line in written if line.split(": ", 1)[1:2]]) <= SHOWN


def test_lock_shows_value_origin_meaning_and_range(fresh: Clone) -> None:
    said = fresh.graft("lock", "--show")
    line = 1 + fresh.read("params.yaml").splitlines().index("  rank: 8")
    assert f"train.rank: 8  (params.yaml:{line})\n    rank of the adapter [a whole number from 1 to 65536]" in said
    assert "train.rewarm: 0.5  (default)" in said
    shown = json.loads(fresh.graft("lock", "--show", "--json"))
    assert shown["train.rewarm"] == {
        "value": 0.5, "default": 0.5, "origin": "default", "line": None,
        "meaning": "peak of a continued adapter as a share of learning_rate", "range": "a number (above 0)",
    }  # fmt: skip
    assert shown["train.rank"]["origin"] == "params.yaml"
    assert fresh.git("status", "--porcelain") == ""
