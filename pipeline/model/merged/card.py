"""The model card: README.md beside the merged weights, as the Hugging Face hub reads it.

Format: https://huggingface.co/docs/hub/model-cards; the front matter is written by huggingface_hub.
It holds no clock, host or figure that never repeats.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from pipeline.common.visible import one_line
from pipeline.report.parts.markdown_parts import code, plain, table

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
    blocks = ["# A fine-tuned model", *_what(facts), *_data(facts), *_training(facts), *_scores(facts), _use(facts)]
    return f"---\n{front}\n---\n\n" + "\n\n".join(blocks) + "\n"


_USE = """## Use

    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained("models/merged")
    tokenizer = AutoTokenizer.from_pretrained("models/merged")

{answers} Scores are on held-out
items of the increments and on golden items, and say nothing of texts of another kind. The commit that made it holds
the rest: `models.lock`, `reports/report.md` (the gate's verdict), `reports/manifest.json` (SHA-256 of every file)."""


_LABELS = "It answers with one of the labels above, as trained; of other questions nothing was measured."
_OPEN = "It was trained on texts and answers like those of the increments; of other questions nothing was measured."


def _use(facts: CardFacts) -> str:
    measured = facts.metrics["candidate"]["all"]
    labelled = "accuracy" in measured and facts.assembled["labels"]
    return _USE.format(answers=_LABELS if labelled else _OPEN)


def _what(facts: CardFacts) -> Iterator[str]:
    base = facts.base
    name, method = plain(base.name), facts.training["method"]
    yield f"{name} with what was trained ({method}) merged into it, rounded to {facts.dtype}."
    yield table(
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


def _data(facts: CardFacts) -> Iterator[str]:
    prepared, assembled = facts.prepared, facts.assembled
    yield "## Data"
    yield (
        f"Of {prepared['read']:,} rows {prepared['records']:,} became records; {assembled['train_new']:,} of them are "
        f"new to train on, and {assembled['replayed']:,} were replayed from the releases before."
    )
    labels = sorted(assembled["labels"].items())
    if labels:
        yield table(["label", "new to train on"], [[code(name, 300), f"{n:,}"] for name, n in labels])


def _training(facts: CardFacts) -> Iterator[str]:
    training = facts.training
    yield "## Training"
    if not training["steps"]:
        yield "Nothing was new: the parent's adapter is handed on, byte for byte."
        return
    machine = ", ".join(f"{name} {value}" for name, value in sorted(training["machine_class"].items()))
    yield (
        f"{training['trainable_parameters']:,} of {training['total_parameters']:,} parameters, {training['steps']:,} "
        f"steps, {training['tokens']:,} tokens, "
        + ("continuing the parent's adapter." if training["continued_from"] else "in a new adapter.")
        + f" Machine class: {plain(machine)}."
    )


def _scores(facts: CardFacts) -> Iterator[str]:
    candidate, parent = facts.metrics["candidate"], facts.metrics["parent"]
    metrics = [name for name in METRICS if name in candidate["all"]]
    rows = []
    for name in ["all", *sorted(candidate["slices"])]:
        ours, theirs = _block(candidate, name), _block(parent, name) if parent else {}
        figures = [_number(side.get(metric)) for metric in metrics for side in (ours, theirs)]
        rows.append([code(name, 300), str(ours["items"]), *figures])
    yield "## Evaluation"
    yield table(["slice", "items", *(title for name in metrics for title in (_TITLES[name], "parent"))], rows)


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
