"""reports/report.md: the verdict first and in words, then why, then what it rests on. Fits a pull request's comment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report import funnel
from pipeline.words import counted

METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "loss": "loss",
    "perplexity": "perplexity",
    "preference_accuracy": "preferred",
    "preference_margin": "margin",
}  # a table has columns for those that a slice has
FEW_LABELS = 10
FEW = 30  # evaluation items; one of them is then more than 0.03 of a score


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the report is made of: contents of the files that the gate reads."""

    verdict: Mapping[str, Any]
    metrics: Mapping[str, Any]
    release: str | None  # the parent
    increment: str
    prepared: Mapping[str, Any]
    assembled: Mapping[str, Any]
    training: Mapping[str, Any]


def render(facts: Facts) -> str:
    """The whole report; the same facts give the same text."""
    blocks = [*_verdict(facts), *_scores(facts), *_data(facts), *_training(facts)]
    return "\n\n".join(blocks) + "\n"


def _verdict(facts: Facts) -> Iterator[str]:
    checks, reasons = facts.verdict["checks"], facts.verdict["reasons"]
    if reasons:
        failed = sum(check["reason"] in reasons for check in checks)
        yield f"# Refused: {failed} of {len(checks)} checks failed" if checks else "# Refused: no rule judged it"
    elif facts.release:
        yield f"# Pass: the candidate may replace {facts.release}"
    else:
        yield "# Pass: the candidate may become the first release"
    parent = f"the parent, {facts.release}" if facts.release else "the base: there is no release before it"
    yield f"Increment `{facts.increment}`, on top of {parent}."
    yield "## Why"
    yield _list(reasons or [f"all {len(checks)} checks hold: every metric is at its floor or above" + _drops(facts)])


def _drops(facts: Facts) -> str:
    return f", and none fell further below {facts.release} than allowed" if facts.release else ""


def _scores(facts: Facts) -> Iterator[str]:
    candidate, parent = facts.metrics["candidate"], facts.metrics["parent"]
    refused = {(check["slice"], check["metric"]) for check in facts.verdict["checks"] if check["status"] == "fail"}
    metrics = {key: title for key, title in METRICS.items() if key in candidate["all"]}
    columns = [title for name in metrics.values() for title in ([name, "parent", "change"] if parent else [name])]
    rows = []
    for name in ["all", *sorted(candidate["slices"])]:
        ours, theirs = _block(candidate, name), _block(parent, name) if parent else None
        cells = [_cells(ours.get(key), theirs, key, (name, key) in refused) for key in metrics]
        rows.append(
            ["**all**" if name == "all" else name, str(ours["items"]), *(cell for part in cells for cell in part)]
        )
    yield "## Scores"
    yield _table(["slice", "items", *columns], rows)
    small = [name for name, block in candidate["slices"].items() if block["items"] < FEW]
    if {"loss", "preference_margin"} & set(metrics):
        yield (
            "Loss: nats per learned token, over what is no classification; the lower, the better. Preferred: share of "
            "pairs whose chosen answer is the likelier one; margin: by how many nats, on average."
        )
    if small:
        yield f"Fewer than {FEW} items, so one answer moves a score by more than 0.03: {', '.join(sorted(small))}."
    if facts.metrics["truncated"]:
        yield f"{facts.metrics['truncated']} items were longer than `train.max_length`; they were cut."


def _cells(value: float | None, parent: Mapping[str, Any] | None, key: str, refused: bool) -> list[str]:
    shown = f"**{_number(value)}** ✗" if refused else _number(value)
    if parent is None:
        return [shown]
    before = parent.get(key)
    change = "–" if value is None or before is None else f"{value - before:+.4f}"
    return [shown, _number(before), change]


def _data(facts: Facts) -> Iterator[str]:
    prepared, assembled = facts.prepared, facts.assembled
    yield "## Data"
    yield _table(["", "count"], [[name, f"{count:,}"] for name, count in funnel.lines(prepared, assembled)])
    remarks = [*_remarks(prepared, assembled), *(_label_changes(assembled) if facts.release else [])]
    if remarks:
        yield _list(remarks)


def _remarks(prepared: Mapping[str, Any], assembled: Mapping[str, Any]) -> Iterator[str]:
    """What deserves a look, a line each; reports/data.html shows it with examples."""
    yield from funnel.replay(assembled)
    if masked := {kind: count for kind, count in prepared.get("masked", {}).items() if count}:
        yield "masked: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(masked.items()))
    if keys := assembled.get("keys"):
        yield "keys: " + ", ".join(f"{name} {count:,}" for name, count in keys.items())


def _label_changes(assembled: Mapping[str, Any]) -> Iterator[str]:
    changes = assembled.get("label_changes", {})
    for title in ("new", "vanished"):
        if names := changes.get(title):
            yield f"{title} labels: {_names(names)}"
    if renamed := changes.get("renamed"):
        yield f"labels that differ in case or spaces: {_names(f'{old} → {new}' for old, new in renamed)}"


def _names(names: Iterable[str]) -> str:
    """A list of labels; of a long one its beginning. As code, so that nothing in a label is Markdown."""
    every = ["`" + " ".join(name.replace("`", "'").split()) + "`" for name in names]
    more = f" and {len(every) - FEW_LABELS:,} more" if len(every) > FEW_LABELS else ""
    return ", ".join(every[:FEW_LABELS]) + more


def _training(facts: Facts) -> Iterator[str]:
    training = facts.training
    yield "## Training"
    if not training["steps"]:
        yield "Nothing new: the parent's adapter is handed on, byte for byte."
        return
    trainable, total = training["trainable_parameters"], training["total_parameters"]
    machine = ", ".join(f"{name} {value}" for name, value in sorted(training["machine_class"].items()))
    lines = [
        f"{counted(training['records'], 'record')}, {counted(training['epochs'], 'epoch')}, "
        f"{counted(training['steps'], 'step')}, {training['tokens']:,} tokens; "
        f"loss of the last steps {training['final_loss']:.4f}",
        f"{trainable:,} of {total:,} parameters trained, "
        + ("continuing the parent's adapter" if training["continued_from"] else "in a new adapter"),
        f"machine class: {machine}",
    ]
    if training["truncated"]:
        lines.append(f"{training['truncated']:,} examples were longer than `train.max_length` and were cut")
    if training.get("dropped"):
        lines.append(f"{counted(training['dropped'], 'record')} left out: too long, or with no answer to learn")
    if training.get("undesirable"):
        lines.append(f"{counted(training['undesirable'], 'undesirable answer')} left out")
    yield _list(lines)


def _block(measured: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = measured["all"] if name == "all" else measured["slices"][name]
    return found


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column holds names and whose others hold numbers."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
