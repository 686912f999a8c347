"""Every setting with its value, where it comes from, what it means and what it may be: `graft lock --show`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.common import files, schema, schema_words, yaml
from pipeline.settings import by_task, effective, sections


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSetting:
    """One key."""

    key: str  # with dots
    value: Any
    default: Any
    line: int | None  # of params.yaml; None: it says nothing, and the default counts
    meaning: str
    range: str

    @property
    def origin(self) -> str:
        """Where the value comes from."""
        return "default" if self.line is None else f"{effective.PATH}:{self.line}"


def settings() -> list[ShownSetting]:
    """Every setting of the working tree, by section.

    Raises:
        GraftError: params.yaml is not valid.
    """
    values, document = effective.load(), yaml.load_unchecked(effective.PATH)
    return _settings(values, document, by_task.task(by_task.of_tree))


def shipped() -> list[ShownSetting]:
    """Every setting at its default, for the documentation."""
    return _settings(sections.fill({}), {})


def lines(shown: list[ShownSetting]) -> Iterator[str]:
    """The settings for a terminal: key, value and origin, then meaning and range."""
    for setting in shown:
        yield f"{setting.key}: {schema_words.short(setting.value)}  ({setting.origin})"
        yield f"    {setting.meaning} [{setting.range}]"


def plain(shown: list[ShownSetting]) -> dict[str, dict[str, Any]]:
    """The settings for --json, by key."""
    return {
        setting.key: {
            "value": setting.value,
            "default": setting.default,
            "origin": "default" if setting.line is None else str(effective.PATH),
            "line": setting.line,
            "meaning": setting.meaning,
            "range": setting.range,
        }
        for setting in shown
    }


def _settings(values: Mapping[str, Any], document: Any, task: str | None = None) -> list[ShownSetting]:
    defaults, whole = dict(_leaves(sections.fill({}, task))), files.read_json(schema.SCHEMAS / "params.schema.json")
    return [
        ShownSetting(
            key=".".join(path),
            value=value,
            default=defaults.get(path),
            line=_line(document, path),
            meaning=_meaning(whole, path),
            range=schema_words.allowed(_places(whole, path)[-1]),
        )
        for path, value in _leaves(values)
    ]


def _leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(values, Mapping) and values:
        for name, value in values.items():
            yield from _leaves(value, (*path, str(name)))
    else:
        yield path, values


def _line(document: Any, path: tuple[str, ...]) -> int | None:
    """Line of a key that the file writes."""
    place = document
    for key in path:
        if not isinstance(place, Mapping) or key not in place:
            return None
        place = place[key]
    return yaml.line_of(document, list(path))


def _meaning(whole: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """What a key means; of one that the schema does not describe, what it is a part of means."""
    described = [place["description"] for place in _places(whole, path) if "description" in place]
    return str(described[-1]) if described else ""


def _places(whole: Mapping[str, Any], path: tuple[str, ...]) -> list[dict[str, Any]]:
    """The parts of the schema that a path of keys leads through."""
    places = [dict(whole)]
    for key in path:
        more = places[-1].get("additionalProperties")
        place = places[-1].get("properties", {}).get(key) or (more if isinstance(more, Mapping) else {})
        reference = place.get("$ref")
        places.append({**whole["$defs"][reference.rpartition("/")[2]], **place} if reference else dict(place))
    return places[1:]
