"""predictions.json and section `gate` -> the verdict. Reads no file, clock or model: anybody can compute it again."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.common.words import counted
from pipeline.gate import broken, cut_share, override, paired, unchecked, untuned_base
from pipeline.gate import rules as asked_for
from pipeline.gate.check import DIGITS, FAIL, INCONCLUSIVE, LOSSES, PASS, UNCHECKED, UNDECIDED, Check
from pipeline.gate.rules import Rule
from pipeline.gate.settings import GateSettings
from pipeline.gate.slice_checks import Case, judge
from pipeline.gate.values import BUILT_IN, JUDGE, Book, Item, applies, counting, right

ALWAYS = ("accuracy", "macro_f1", "loss", "preference_accuracy")  # rules for kinds of records that may be absent
SHOWN = 5  # must-pass items by name

Predictions = Mapping[str, Any]
Slices = Mapping[str, list[Item]]


def decide(predictions: Predictions, params: GateSettings | Mapping[str, Any]) -> dict[str, Any]:
    """The content of verdict.json; schemas/verdict.schema.json.

    Args:
        predictions: content of reports/predictions.json.
        params: section `gate` of params.yaml.
    """
    asked = params if isinstance(params, GateSettings) else GateSettings(**params)
    evaluated = ((predictions.get("params") or {}).get("candidate") or {}).get("evaluate") or {}
    scale = (evaluated.get("judge") or {}).get("scale") or (0.0, 0.0)
    slices, book = _slices(predictions), Book(evaluated.get("language"), scale)
    checks = [
        *_must_pass(slices["all"]),
        *_floors(slices, asked, book),
        *_references(predictions, slices, asked, book),
    ]
    if predictions["models"].get("parent") is None:
        checks += untuned_base.checks(slices["all"], asked, book)
    open_ = unchecked.kinds(slices["all"], (rule for _, rule, items in _asked(slices, asked) if items), checks)
    told = _Told(
        beside=_beside(predictions, slices, asked, checks),
        unchecked=list(open_),
        losses=cut_share.found(predictions),
        fewer=list(_fewer(predictions, slices)),
    )
    return _verdict(checks, told, predictions, asked)


def _slices(predictions: Predictions) -> dict[str, list[Item]]:
    """The items of each slice; `all` holds each item once. By id, so that no order of theirs has a say."""
    found: dict[str, list[Item]] = defaultdict(list, {"all": []})
    for item in sorted(predictions["items"], key=lambda item: str(item["id"])):
        for name in ("all", *sorted(set(item["slices"]) - {"all"})):
            found[name].append(item)
    return dict(found)


def _asked(slices: Slices, params: GateSettings) -> Iterator[tuple[str, Rule, list[Item]]]:
    """Each slice and rule with the items that it speaks of; without items only where that is a fault.

    A rule for a metric that the slice's kinds of records do not have is not applied. Where a rule names a slice, where
    one for `all` names what is no default, and without any items at all, what was asked for was not measured.
    """
    names = [name for name in slices if name != "all"]
    for name, rule in asked_for.by_slice(params.rules, names):
        items = [item for item in slices.get(name, []) if applies(rule.metric, item)]
        strict = name in params.rules["slices"] or (name == "all" and rule.metric not in ALWAYS)
        if items or strict or not slices.get(name):
            yield name, rule, items


def _must_pass(items: Sequence[Item]) -> Iterator[Check]:
    """Zero tolerance: one check over all items that must be right."""
    found = [item for item in items if item.get("must_pass")]
    if not found:
        return
    outcomes = {str(item["id"])[:12]: right(item) for item in found}
    wrong = [name for name, outcome in outcomes.items() if outcome is False]
    unsaid = [name for name, outcome in outcomes.items() if outcome is None]
    share = 1 - (len(wrong) + len(unsaid)) / len(found)
    check = Check(slice="all", metric="must_pass", against="floor", candidate=share, reference=1.0, items=len(found))
    said = [f"must-pass: {counted(len(wrong), 'item')} of {len(found)} wrong: {_named(wrong)}"] if wrong else []
    if unsaid:
        said.append(
            f"must-pass: {counted(len(unsaid), 'item')} of {len(found)} neither right nor wrong: {_named(unsaid)}; "
            "an answer needs evaluate.max_new_tokens, a plain text has none"
        )
    yield check.but(FAIL, "; ".join(said)) if said else check


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")


def _floors(slices: Slices, params: GateSettings, book: Book) -> Iterator[Check]:
    """Each metric's own value: measured at all, and on the right side of its bound."""
    for name, rule, every in _asked(slices, params):
        items = counting(rule.metric, every, "candidate")
        check = Check(slice=name, metric=rule.metric, against="floor", reference=rule.bound, items=len(items))
        if rule.metric == JUDGE and not items:
            yield _unjudged(check, "no answer is judged", params)
            continue
        value = paired.measure(rule.metric, items, "candidate", book) if items else None
        if value is None:
            missing = "an item's value is missing or no number" if items else _unmeasured(name, rule.metric, slices)
            yield check.but(FAIL, f"{name} {rule.metric}: {missing}")
            continue
        value = round(value, DIGITS)
        check = replace(check, candidate=value, difference=None if rule.bound is None else value - rule.bound)
        needs = "allowed is at most" if rule.lower else "needs at least"
        reason = f"{name} {rule.metric}: {value:.4f}, {needs} {rule.bound or 0:.4f}"
        yield check.but(FAIL, reason) if rule.misses(value) else check


def _unmeasured(name: str, metric: str, slices: Slices) -> str:
    """Why a metric of a slice has no items: gate.rules may name what is not there."""
    if name not in slices:
        return f"not measured: there is no such slice, only {_named(sorted(slices))}"
    if metric not in BUILT_IN and not any(applies(metric, item) for item in slices["all"]):
        return f"not measured: no item has such a metric; Graft's own are {', '.join(sorted(BUILT_IN))}"
    return "not measured"


def _references(predictions: Predictions, slices: Slices, params: GateSettings, book: Book) -> Iterator[Check]:
    """Parent and anchor, each held against; an anchor that is the parent is judged once."""
    models, releases = predictions["models"], predictions.get("releases") or {}
    parent, anchor = models.get("parent"), models.get("anchor")
    if parent is not None:
        named = releases.get("parent") or "the parent"
        yield from _reference("parent", named, models["candidate"] == parent, slices, params, book)
    released = releases.get("anchor")
    if anchor is not None and anchor != parent and (released is None or released != releases.get("parent")):
        named = f"the anchor {released}" if released else "the anchor"
        yield from _reference("anchor", named, models["candidate"] == anchor, slices, params, book)


def _reference(side: str, named: str, same: bool, slices: Slices, params: GateSettings, book: Book) -> Iterator[Check]:
    """Every comparison with one of them; `same`: it is the candidate's own model."""
    cases, flips = [], []
    for name, rule, every in _asked(slices, params):
        items = counting(rule.metric, every, "candidate", side)
        if side == "parent" and rule.breaks is not None and (found := broken.flips(name, rule, items, side, book)):
            flips.append(found)
        if rule.metric == JUDGE and rule.margin is not None and not items and counting(JUDGE, every, "candidate"):
            check = Check(slice=name, metric=JUDGE, against=side, margin=rule.margin)
            yield _unjudged(check, f"of no item both answers are judged, the candidate's and {named}'s", params)
        if rule.margin is None or not items:
            continue
        compared = paired.compare(rule.metric, items, side, confidence=params.confidence, same=same, book=book)
        if compared is not None:
            cases.append(Case(slice=name, rule=rule, compared=compared))
        elif paired.measure(rule.metric, items, "candidate", book) is not None:  # else its own check says so
            check = Check(slice=name, metric=rule.metric, against=side, margin=rule.margin, items=len(items))
            yield check.but(FAIL, f"{name} {rule.metric}: not measured for {named} on every item")
    yield from judge(cases, side, named, params)
    yield from broken.checks(flips, side, named, params, same=same)


def _unjudged(check: Check, what: str, params: GateSettings) -> Check:
    """Scores that a rule asks for and nobody gave: a refusal for the pool, and where a slice is critical or named."""
    named = check.slice == "all" or check.slice in params.critical or check.slice in params.rules["slices"]
    return check.but(FAIL if named else UNDECIDED, f"{check.slice} {JUDGE}: {what}; `make judge` asks for scores")


def _beside(predictions: Predictions, slices: Slices, params: GateSettings, checks: Sequence[Check]) -> list[str]:
    """Reasons to refuse that belong to no metric: what was asked for and nobody judged."""
    models, releases = predictions["models"], predictions.get("releases") or {}
    judged = {check.slice for check in checks}
    compared = {check.slice for check in checks if check.against == "parent"}
    found = []
    for name in params.critical:
        if name not in slices:
            found.append(f"{name}: declared critical, and there is no such slice, only {_named(sorted(slices))}")
        elif name not in judged:
            found.append(f"{name}: declared critical, and no rule judged it")
        elif models.get("parent") and name not in compared:
            found.append(
                f"{name}: declared critical, and no rule holds it against the parent; give one may_drop or may_rise"
            )
    if params.anchor and models.get("anchor") is None and params.anchor != releases.get("parent"):
        found.append(f"gate.anchor: {params.anchor} was not measured; `graft lock` resolves it")
    stated = asked_for.stated(params.rules)
    missed = {check.metric for check in checks if check.status == FAIL}
    for metric in sorted(stated - set(BUILT_IN) - missed):
        if not any(applies(metric, item) for item in slices["all"]):
            help_ = (
                "`make judge` asks for scores" if metric == JUDGE else "evaluate.custom measures metrics of your own"
            )
            found.append(f"{metric}: no item has it; {help_}")
    if stated and slices["all"] and not any(check.metric != "must_pass" for check in checks):
        measured = [name for name in sorted(BUILT_IN) if any(applies(name, item) for item in slices["all"])]
        found.append(
            f"no rule judged the candidate: measured are {', '.join(measured)}, "
            f"and gate.rules speaks of {', '.join(sorted(stated))}"
        )
    return found


def _fewer(predictions: Predictions, slices: Slices) -> Iterator[str]:
    """Warnings: golden items that the parent was evaluated on, and the candidate was not."""
    named = (predictions.get("releases") or {}).get("parent") or "the parent"
    for name, before in ((predictions.get("golden") or {}).get("parent") or {}).items():
        now = len(slices.get(name, []))
        if now < before:
            yield f"{name}: {named} was evaluated on {counted(before, 'item')}, this candidate on {now}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What is said beside the checks."""

    beside: Sequence[str]  # reasons to refuse that belong to no metric
    unchecked: Sequence[str]  # kinds of records that nothing checks
    losses: cut_share.Losses
    fewer: Sequence[str]  # warnings


def _verdict(checks: Sequence[Check], told: _Told, predictions: Predictions, params: GateSettings) -> dict[str, Any]:
    by_status: dict[str, list[str]] = defaultdict(list)
    for check in checks:
        by_status[check.status].append(check.reason or "")
    # The first that has something to say is the verdict; of the later ones nothing is lost, but for what is passed.
    found = {
        FAIL: [*by_status[FAIL], *told.beside],
        LOSSES: told.losses.beyond,
        INCONCLUSIVE: by_status[INCONCLUSIVE],
        UNCHECKED: [*by_status[UNCHECKED], *told.unchecked],
    }
    verdict = next((name for name, lines in found.items() if lines), PASS)
    overridden = override.judge(params, (predictions.get("releases") or {}).get("parent"), verdict)
    let_pass = {
        INCONCLUSIVE: params.inconclusive == "warn" or overridden.counts,
        UNCHECKED: params.accepts or predictions["models"].get("parent") is not None,
    }
    blocking = [name for name, lines in found.items() if lines and not let_pass.get(name)]
    refused = bool(blocking)
    word = blocking[0] if refused else verdict
    reasons = found[word] if refused else []
    others = [line for name in (INCONCLUSIVE, UNCHECKED) if name not in blocking[:1] for line in found[name]]
    return {
        "verdict": word,
        "decision": "refused" if refused else "pass",
        "reasons": list(reasons),
        "warnings": [*others, *told.losses.said, *_accepted(found[UNCHECKED], params), *overridden.said, *told.fewer],
        "override": overridden.shown,
        "checks": [check.plain() for check in checks],
        "undecided": sorted(
            {check.slice for check in checks if check.status == UNDECIDED}
            - {check.slice for check in checks if check.status == FAIL}
        ),
    }


def _accepted(open_: Sequence[str], params: GateSettings) -> list[str]:
    """What is said where somebody answers for what nothing checks, needed or not."""
    if not params.accepts:
        return []
    return [f"gate.unchecked is accept{'' if open_ else ', and nothing is unchecked'}: {params.unchecked_reason}"]
