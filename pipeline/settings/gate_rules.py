"""gate.rules as people write them: bounds that a slice's rule leaves out, and what a JSON Schema cannot check."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.common import schema_words

PAIRS = (("at_least", "may_drop"), ("at_most", "may_rise"))  # a rule has both bounds of one of them
Problem = tuple[list[Any], str]  # path of keys, words


def completed(rules: Any, given: Any) -> Any:
    """The filled rules, where `{}` was written for a scope without any, and bounds of `slices` as in each_slice.

    Args:
        rules: what params.yaml says, laid over the default.
        given: what params.yaml says.
    """
    if not isinstance(rules, Mapping) or not isinstance(rules.get("slices"), Mapping):
        return rules
    written = given if isinstance(given, Mapping) else {}
    without: dict[str, Any] = {name: {} for name in ("all", "each_slice") if written.get(name) == {}}
    common = {**rules, **without}.get("each_slice")
    known = common if isinstance(common, Mapping) else {}
    return {**rules, **without, "slices": {name: _completed(own, known) for name, own in rules["slices"].items()}}


def problems(rules: Mapping[str, Any], metrics: Sequence[str], own: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with filled rules.

    Args:
        rules: of section `gate`, filled.
        metrics: names of Graft's own metrics.
        own: names of the metrics of evaluate.custom.
    """
    for path, rule, metric in _each(rules):
        if metric not in (*metrics, *own):
            more = schema_words.suggestion(metric, [*metrics, *own])
            yield path, f"no metric of Graft or of evaluate.custom{more}"
        elif rule is None:
            yield path, "null removes a default rule, and there is none here"
        else:
            yield from ((path, words) for words in _incomplete(rule))


def removed(rules: Any) -> Iterator[list[Any]]:
    """Paths of the rules that a params.yaml removes by null."""
    yield from (path for path, rule, _ in _each(rules) if rule is None)


def _each(rules: Any) -> Iterator[tuple[list[Any], Any, str]]:
    """Path, content and metric of every rule."""
    scopes = [([name], rules.get(name)) for name in ("all", "each_slice")]
    scopes += [(["slices", name], of) for name, of in (rules.get("slices") or {}).items()]
    for path, scope in scopes:
        for metric, rule in (scope or {}).items():
            yield ["gate", "rules", *path, metric], rule, metric


def _incomplete(rule: Mapping[str, Any]) -> Iterator[str]:
    stated = [pair for pair in PAIRS if rule.keys() & set(pair)]
    if len(stated) > 1:
        yield "has a floor and a ceiling: at_least and may_drop, or at_most and may_rise"
        return
    lacking = [name for name in (stated or PAIRS)[0] if name not in rule]
    if lacking:
        yield f"the key {lacking[0]!r} is missing"


def _completed(own: Any, common: Mapping[str, Any]) -> Any:
    if not isinstance(own, Mapping):
        return own
    return {
        metric: {**common[metric], **rule}
        if isinstance(rule, Mapping) and isinstance(common.get(metric), Mapping)
        else rule
        for metric, rule in own.items()
    }
