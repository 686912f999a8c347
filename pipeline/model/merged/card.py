"""The model card: README.md beside the merged weights, as the Hugging Face hub reads it.

Format: https://huggingface.co/docs/hub/model-cards; the front matter is written by huggingface_hub.
It holds no clock, host or figure that never repeats.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, StrictUndefined, Template

from pipeline.common.visible import one_line
from pipeline.report.parts.markdown_parts import code, plain, table

TEMPLATE = Path(__file__).with_name("card.md")
METRICS = {"accuracy": "accuracy", "macro_f1": "f1", "perplexity": "perplexity", "preference_accuracy": "accuracy"}
_TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "perplexity": "perplexity",
    "preference_accuracy": "preferred",
}
_CLASSIFICATION, _GENERATION = (
    ("text-classification", "Text classification"),
    ("text-generation", "Text generation"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CardBase:
    """The pretrained model that the adapter was merged into."""

    name: str  # a hub's ORG/NAME or a folder
    revision: str | None  # hub only: commit, 40 hex digits
    fingerprint: str  # SHA-256 over its files' names and hashes
    embedded: bool  # is it the one of examples/base?


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFacts:
    """What a card is made of."""

    base: CardBase
    adapter: str  # SHA-256 of its weights
    dtype: str
    increment: str
    parent: str | None  # release before it
    metrics: Mapping[str, Any]  # reports/metrics.json
    training: Mapping[str, Any]  # reports/training.json
    prepared: Mapping[str, Any]  # data/prepared/report.json
    assembled: Mapping[str, Any]  # data/assembled/report.json


def markdown(facts: CardFacts) -> str:
    """The card's text; the same facts give the same text."""
    front = ModelCardData(
        base_model=facts.base.name if facts.base.revision else None,  # the hub resolves names of its own only
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["graft", "lora", "merged"],
        model_name=one_line(facts.increment),
        eval_results=[*_results(facts.metrics["candidate"])],
    ).to_yaml()
    return f"---\n{front}\n---\n\n{_template().render(**_values(facts))}"


class _Markdown(str):
    """Text that is Markdown already; any other that the template takes is escaped."""

    __slots__ = ()


def _template() -> Template:
    options: dict[str, Any] = {"trim_blocks": True, "keep_trailing_newline": True, "undefined": StrictUndefined}
    environment = Environment(finalize=_escaped, autoescape=False, **options)  # noqa: S701 - Markdown has its own
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _escaped(value: object) -> str:
    return value if isinstance(value, _Markdown) else plain(value)


def _values(facts: CardFacts) -> dict[str, Any]:
    prepared, assembled, training = facts.prepared, facts.assembled, facts.training
    labels = sorted(assembled["labels"].items())
    counts = [[code(name, 300), f"{n:,}"] for name, n in labels]
    machine = sorted((training["machine_class"] or {}).items())
    return {
        "base": facts.base.name,
        "embedded": facts.base.embedded,
        "method": training["method"],
        "dtype": facts.dtype,
        "about": _Markdown(_about(facts)),
        "rows": f"{prepared['read']:,}",
        "records": f"{prepared['records']:,}",
        "new": f"{assembled['train_new']:,}",
        "replayed": f"{assembled['replayed']:,}",
        "labels": _Markdown(table(["label", "new to train on"], counts)),
        "steps": f"{training['steps']:,}" if training["steps"] else "",
        "trained": f"{training['trainable_parameters'] or 0:,}",
        "parameters": f"{training['total_parameters'] or 0:,}",
        "tokens": f"{training['tokens']:,}",
        "continued": bool(training["continued_from"]),
        "machine": ", ".join(f"{name} {value}" for name, value in machine),
        "scores": _Markdown(_scores(facts)),
        "answers_with_labels": bool("accuracy" in facts.metrics["candidate"]["all"] and labels),
    }


def _about(facts: CardFacts) -> str:
    base = facts.base
    return table(
        ["", ""],
        [
            ["base", code(base.name, 300) + (f" at `{base.revision}`" if base.revision else "")],
            ["base, SHA-256 over its files' hashes", f"`{base.fingerprint}`"],
            ["adapter, SHA-256", f"`{facts.adapter}`"],
            ["method, objective", f"{facts.training['method']}, {facts.training['objective']}"],
            ["increment", code(facts.increment, 300)],
            ["parent release", facts.parent or "none: the first"],
            ["dtype", facts.dtype],
        ],
    )


def _scores(facts: CardFacts) -> str:
    candidate, parent = facts.metrics["candidate"], facts.metrics["parent"]
    metrics = [name for name in METRICS if name in candidate["all"]]
    rows = []
    for name in ["all", *sorted(candidate["slices"])]:
        ours, theirs = _block(candidate, name), _block(parent, name) if parent else {}
        figures = [_number(side.get(metric)) for metric in metrics for side in (ours, theirs)]
        rows.append([code(name, 300), str(ours["items"]), *figures])
    return table(["slice", "items", *(title for name in metrics for title in (_TITLES[name], "parent"))], rows)


def _results(measured: Mapping[str, Any]) -> Iterator[EvalResult]:
    for name in ["all", *sorted(measured["slices"])]:
        for ours, theirs in METRICS.items():
            value = _block(measured, name).get(ours)
            task = _CLASSIFICATION if ours in ("accuracy", "macro_f1") else _GENERATION
            if value is not None:
                yield EvalResult(
                    task_type=task[0],
                    task_name=task[1],
                    dataset_type="graft-slice",
                    dataset_name=one_line(name),
                    dataset_config=one_line(name),
                    metric_type=theirs,
                    metric_name=ours,
                    metric_value=value,
                )


def _block(measured: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = measured["all"] if name == "all" else measured["slices"].get(name, {})
    return found


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
