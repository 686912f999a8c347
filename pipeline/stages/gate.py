"""gate: metrics of candidate and parent -> verdict.json, with every reason

A refusal is a result, not a crash: exit 0, so that DVC records the verdict.
`merge` then writes REFUSED.json in place of weights.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from pipeline import errors, files, params
from pipeline.chain import lockfile
from pipeline.report import markdown, page

REPORTS = Path("reports")
CURVE = REPORTS / "plots/loss.csv"
DIGITS = 6  # metrics.json rounds to so many

Measured = Mapping[str, Any]  # one side of metrics.json: {"all": {...}, "slices": {name: {...}}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `gate` of params.yaml: rules for `all`, `each_slice`, and by name in `slices`."""

    anchor: str | None  # a release; models.lock holds what it resolved to
    rules: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """What a metric must reach that is better the higher it is."""

    at_least: float  # in the metric's own unit
    may_drop: float  # allowed drop against the parent release, same unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """What a metric must not exceed that is better the lower it is: a loss, in nats per learned token."""

    at_most: float | None  # None: no bound
    may_rise: float | None  # allowed rise against the parent release, same unit; None: no bound


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One rule applied to one metric of one slice; `all` is every slice pooled."""

    slice: str
    metric: str
    candidate: float | None
    parent: float | None  # null before the first release
    rule: Floor | Ceiling
    ok: bool
    reason: str | None  # why it is not ok


def decide(candidate: Measured, parent: Measured | None, rules: Mapping[str, Any]) -> list[Check]:
    """Apply every rule; the candidate passes when all checks are ok. Reads no file, clock or model.

    A slice without items is skipped: it can say nothing. A rule for a metric that the slice's kinds of records do not
    have is not applied. Where a rule names a slice, and without any items at all, what cannot be said is a refusal:
    what somebody asked for was not measured.
    """
    return [
        check(name, metric, _rule(rule), _block(candidate, name), _block(parent, name) if parent else None)
        for name, asked in _asked(candidate, rules)
        for metric, rule in asked.items()
        if name in rules["slices"] or metric in _block(candidate, name) or not _block(candidate, name)["items"]
    ]


def check(name: str, metric: str, rule: Floor | Ceiling, candidate: Measured, parent: Measured | None) -> Check:
    """Hold one metric against its bound and against the parent's value; `parent` is None before the first release."""
    value, before = candidate.get(metric), (parent or {}).get(metric)
    if value is None:
        reason = f"{name} {metric}: not measured"
    elif parent is not None and before is None:
        reason = f"{name} {metric}: not measured for the parent"
    else:
        said = _below(value, before, rule) if isinstance(rule, Floor) else _above(value, before, rule)
        reason = f"{name} {metric}: {value:.4f}, {said}" if said else ""
    return Check(
        slice=name, metric=metric, candidate=value, parent=before, rule=rule, ok=not reason, reason=reason or None
    )


def _below(value: float, before: float | None, rule: Floor) -> str:
    """What a value should have reached, where it did not."""
    # Rounded as the metrics are: 0.93 - 0.05 is a little more than 0.88 in floating point.
    allowed = rule.at_least if before is None else round(before - rule.may_drop, DIGITS)
    if value >= rule.at_least and value >= allowed:  # so written, NaN refuses
        return ""
    more = f" (parent {before:.4f}, may drop {rule.may_drop:.4f})" if allowed > rule.at_least else ""
    return f"needs at least {max(rule.at_least, allowed):.4f}{more}"


def _above(value: float, before: float | None, rule: Ceiling) -> str:
    """What a value should have stayed below, where it did not."""
    bound = inf if rule.at_most is None else rule.at_most
    allowed = inf if before is None or rule.may_rise is None else round(before + rule.may_rise, DIGITS)
    if value <= bound and value <= allowed:  # so written, NaN refuses
        return ""
    more = f" (parent {before:.4f}, may rise {rule.may_rise:.4f})" if allowed < bound else ""
    return f"allowed is at most {min(bound, allowed):.4f}{more}"


def unjudged(checks: Sequence[Check], rules: Mapping[str, Any], candidate: Measured) -> list[str]:
    """The reason to refuse a candidate that has metrics and rules, of which none says anything of the other."""
    stated = {metric for asked in (rules["all"], rules["each_slice"], *rules["slices"].values()) for metric in asked}
    if checks or not stated or not candidate["all"]["items"]:
        return []
    measured = ", ".join(sorted(set(candidate["all"]) - {"items", "tokens"}))
    return [
        f"no rule judged the candidate: measured are {measured}, and gate.rules speaks of {', '.join(sorted(stated))}"
    ]


def verdict(checks: Sequence[Check], more: Sequence[str] = ()) -> dict[str, Any]:
    """Content of verdict.json; schemas/verdict.schema.json. `more`: reasons to refuse beside the checks'."""
    reasons = [*(found.reason for found in checks if found.reason is not None), *more]
    return {"verdict": "refused" if reasons else "pass", "reasons": reasons, "checks": [_plain(c) for c in checks]}


def _plain(found: Check) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if name != "rule"} | asdict(found.rule)


def _rule(asked: Mapping[str, Any]) -> Floor | Ceiling:
    return Ceiling(**asked) if "at_most" in asked else Floor(**asked)


def _asked(candidate: Measured, rules: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "all", rules["all"]
    for name in sorted({*candidate["slices"], *rules["slices"]}):
        if name in rules["slices"] or candidate["slices"][name]["items"]:
            yield name, rules["slices"].get(name, rules["each_slice"])


def _block(measured: Measured, name: str) -> Measured:
    found: Measured = measured["all"] if name == "all" else measured["slices"].get(name, {})
    return found


def main() -> None:
    """Read metrics and reports; write verdict, decision, reasons and the report; print the verdict."""
    asked = params.load("gate", Params)
    found = files.read_json(REPORTS / "metrics.json")
    checks = decide(found["candidate"], found["parent"], asked.rules)
    decided = verdict(checks, unjudged(checks, asked.rules, found["candidate"]))
    lock = lockfile.load()
    text = markdown.render(
        markdown.Facts(
            verdict=decided,
            metrics=found,
            release=lock.parent.release if lock.parent else None,
            increment=Path(lock.increment).name,
            prepared=files.read_json(Path("data/prepared/report.json")),
            assembled=files.read_json(Path("data/assembled/report.json")),
            training=files.read_json(REPORTS / "training.json"),
        )
    )
    files.write_text(REPORTS / "report.md", text)
    files.write_text(REPORTS / "report.html", page.html(text, CURVE.read_text(encoding="utf-8")))
    files.write_json(REPORTS / "verdict.json", decided)
    # merge depends on these two and not on verdict.json: for every candidate that passes they hold the
    # same bytes, so that another rule or new wording merges nothing again.
    files.write_json(REPORTS / "decision.json", decided["verdict"])
    files.write_json(REPORTS / "reasons.json", decided["reasons"])
    print("\n  ".join([f"gate: {decided['verdict']}", *decided["reasons"]]))


if __name__ == "__main__":
    errors.run(main)
