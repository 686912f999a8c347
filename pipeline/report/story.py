"""One sentence that a person would say of a verdict, found by rules over slices, labels and losses.

The first rule that holds speaks. Each says figures that stand in the report, too, and what they suggest.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.common.words import counted
from pipeline.gate.values import BINARY, right
from pipeline.report.facts import Facts
from pipeline.report.parts.measures import title

FAR = 0.25  # of accuracy: a slice that lies so far below all others is another kind of thing
FELL = 0.02  # of accuracy, by which a slice must have fallen to be told of
MANY = 0.5  # of the broken items that share a right answer, and twice its share of all: the label is what broke
FEW = 5  # broken items, of fewer no label is blamed

Check = Mapping[str, Any]


def sentence(facts: Facts) -> str:
    """What happened, in one sentence; empty where no rule knows."""
    rules: Sequence[Callable[[Facts], str]] = (
        _cut, _no_better_than_base, _below_floor, _mislabelled, _forgot, _one_label, _worse_everywhere, _unchecked,
        _too_few, _good,
    )  # fmt: skip
    return next((said for rule in rules if (said := rule(facts))), "")


def _cut(facts: Facts) -> str:
    if facts.verdict["verdict"] != "losses":
        return ""
    return "Too much of the data was cut to say what the model is like: train.max_length is too short for it."


def _no_better_than_base(facts: Facts) -> str:
    checks = _of(facts, "base")
    if facts.verdict["verdict"] != "fail" or not checks or all(check["status"] == "pass" for check in checks):
        return ""
    check = next(check for check in checks if check["status"] != "pass")
    return (
        f"Training brought nothing that shows: {title(check['metric'])} {_figure(check, 'candidate')}, and the base "
        f"alone {_figure(check, 'reference')}; were the learning rate, the epochs or the data too small?"
    )


def _below_floor(facts: Facts) -> str:
    """A first release that misses a floor; later ones have more to tell."""
    missed = [c for c in _of(facts, "floor") if c["status"] == "fail" and c["slice"] == "all" and _is_number(c)]
    if facts.verdict["verdict"] != "fail" or facts.release or not missed:
        return ""
    check = missed[0]
    return (
        f"It is not good enough yet: {title(check['metric'])} {_figure(check, 'candidate')}, where gate.rules ask for "
        f"{_figure(check, 'reference')}."
    )


def _mislabelled(facts: Facts) -> str:
    """The new data stands far below all else, and was no better before: its labels contradict what is known."""
    values = _slices(facts, "candidate")
    own, others = values.pop(facts.increment, None), sorted(values.values())
    if facts.verdict["verdict"] != "fail" or own is None or not others or others[0] - own < FAR:
        return ""
    before = _slices(facts, "reference").get(facts.increment)
    if before is not None and before - own > FAR:
        return ""
    elsewhere = " to ".join(dict.fromkeys(map(_percent, (others[0], others[-1]))))
    return f"The new data looks mislabelled: {_percent(own)} right on {facts.increment}, elsewhere {elsewhere}."


def _forgot(facts: Facts) -> str:
    changes = _changes(facts)
    new = changes.pop(facts.increment, None)
    fell = {name: change for name, change in changes.items() if change[1] - change[0] <= -FELL}
    if facts.verdict["verdict"] != "fail" or not fell or new is None or new[1] - new[0] < 0:
        return ""
    name = min(fell, key=lambda one: fell[one][1] - fell[one][0])
    more = f", and {counted(len(fell) - 1, 'other slice')} fell, too" if len(fell) > 1 else ""
    return (
        f"It learned the new data and forgot older: {name} fell from {_percent(fell[name][0])} to "
        f"{_percent(fell[name][1])}{more}."
    )


def _one_label(facts: Facts) -> str:
    broken = [item for item in facts.predictions.get("items", []) if right(item, "parent") and not right(item)]
    labels = Counter(str(item["answer"]) for item in broken if item["kind"] == "classification")
    if facts.verdict["verdict"] != "fail" or len(broken) < FEW or not labels:
        return ""
    label, number = labels.most_common(1)[0]
    every = [item for item in facts.predictions["items"] if item["kind"] == "classification"]
    usual = sum(str(item["answer"]) == label for item in every) / len(every)
    if number < max(MANY, 2 * usual) * len(broken):
        return ""
    return f"Most of what broke is one label: {number:,} of {counted(len(broken), 'broken item')} are {label!r}."


def _worse_everywhere(facts: Facts) -> str:
    changes = _changes(facts)
    fell = [name for name, (before, now) in changes.items() if now - before <= -FELL]
    if facts.verdict["verdict"] != "fail" or len(changes) < 2 or len(fell) < len(changes):
        return ""
    worst = min(changes, key=lambda name: changes[name][1] - changes[name][0])
    before, now = changes[worst]
    return (
        f"It is worse on every slice, most on {worst} ({_percent(before)} to {_percent(now)}): this looks like the "
        "training, not like some of the data."
    )


def _unchecked(facts: Facts) -> str:
    if facts.verdict["verdict"] != "unchecked" or facts.verdict["decision"] == "pass":
        return ""
    better = [check for check in _of(facts, "base") if check["status"] == "pass"]
    said = f"It is better than the untuned base ({_against(better[0])}), but nothing" if better else "Nothing"
    return f"{said} says what is good enough: gate.rules need a bound that can fail."


def _too_few(facts: Facts) -> str:
    if facts.verdict["verdict"] != "inconclusive":
        return ""
    open_ones = [check for check in facts.verdict["checks"] if check["status"] == "inconclusive"]
    worst = min(open_ones, key=lambda check: check["items"], default=None)
    if worst is None or not _is_number(worst):
        return ""
    enough = worst["needed"] is not None and worst["items"] >= worst["needed"]
    tells = "a decline is likely, and not proven" if enough else f"{counted(worst['items'], 'item')} cannot tell"
    return (
        f"Nobody can say whether it is worse: {worst['slice']} {title(worst['metric'])} "
        f"{_figure(worst, 'reference')} before, {_figure(worst, 'candidate')} now, and {tells}."
    )


def _good(facts: Facts) -> str:
    if facts.verdict["decision"] != "pass":
        return ""
    parent = [check for check in _of(facts, "parent") if check["slice"] == "all"]
    base = [check for check in _of(facts, "base") if check["status"] == "pass"]
    if parent:
        return f"It is as good as {facts.release} on what was asked: {_against(parent[0])} before."
    return f"It is better than the untuned base: {_against(base[0])} there." if base else ""


def _of(facts: Facts, against: str) -> list[Check]:
    return [check for check in facts.verdict["checks"] if check["against"] == against]


def _changes(facts: Facts) -> dict[str, tuple[float, float]]:
    """Share of right answers of each slice that is compared with the parent: (before, now)."""
    return {
        check["slice"]: (check["reference"], check["candidate"])
        for check in _of(facts, "parent")
        if check["slice"] != "all" and check["metric"] in BINARY and _is_number(check)
    }


def _slices(facts: Facts, side: str) -> dict[str, float]:
    """Share of right answers of each slice; of the reference where it was compared."""
    against = ("floor", "parent") if side == "candidate" else ("parent",)
    return {
        check["slice"]: check[side]
        for check in facts.verdict["checks"]
        if check["slice"] != "all"
        and check["against"] in against
        and check["metric"] in BINARY
        and check[side] is not None
    }


def _is_number(check: Check) -> bool:
    return check["candidate"] is not None and check["reference"] is not None


def _against(check: Check) -> str:
    return f"{title(check['metric'])} {_figure(check, 'candidate')}, {_figure(check, 'reference')}"


def _figure(check: Check, side: str) -> str:
    value = check[side]
    return _percent(value) if check["metric"] in (*BINARY, "macro_f1") else f"{value:.2f}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0.99 <= share < 1 else f"{share:.0%}"
