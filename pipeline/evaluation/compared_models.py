"""The models that are compared, and what each says of items: what it said before, or is asked now."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.chain.lock import lockfile
from pipeline.common import files, params
from pipeline.common.errors import GraftError
from pipeline.data.records.records import Record
from pipeline.evaluation import lm_eval_tasks, predictions
from pipeline.evaluation.metrics import custom
from pipeline.evaluation.predict import keys
from pipeline.evaluation.predictions import Row
from pipeline.evaluation.settings import EvaluateSettings
from pipeline.model.base import pinned
from pipeline.model.chat import templates

LABELS = Path("data/assembled/labels.json")
ADAPTER = Path("models/adapter")
RELEASED = {"parent": Path("models/parent"), "anchor": Path("models/anchor")}
PREDICTIONS = "predictions.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFiles:
    """One of the models that are compared."""

    name: str  # candidate | parent | anchor | base
    adapter: Path | None  # None: the untuned base
    model: keys.ModelHashes
    labels: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class HandedOn:
    """What a release handed on for comparisons."""

    side: ModelFiles
    predictions: Mapping[str, Any]  # its predictions.json


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What models say of items."""

    rows: Mapping[str, Mapping[str, Row]]  # side -> item's id -> row
    cost: Mapping[str, Any]  # side -> of pipeline.evaluation.cost.efficiency; absent where a model was not loaded


def decoding(asked: EvaluateSettings) -> keys.Decoding:
    """How answers are decoded and scored."""
    return keys.Decoding(normalize=asked.normalize, max_new_tokens=asked.max_new_tokens)


def candidate(base: pinned.Base, adapter: Path = ADAPTER, labels: Sequence[str] | None = None) -> ModelFiles:
    """An adapter, served as params.yaml says.

    Args:
        base: the pinned one.
        adapter: its folder.
        labels: that it knows; None: those of this tree.
    """
    knows = files.read_json(LABELS) if labels is None else labels
    return ModelFiles(name="candidate", adapter=adapter, model=_served(base, adapter, knows), labels=knows)


def untuned(base: pinned.Base, labels: Sequence[str]) -> ModelFiles:
    """The base itself, asked as the candidate is: by its template, of its labels."""
    return ModelFiles(name=predictions.BASE, adapter=None, model=_served(base, None, labels), labels=labels)


def _served(base: pinned.Base, adapter: Path | None, labels: Sequence[str]) -> keys.ModelHashes:
    """An adapter, or the base without one, as params.yaml serves it today."""
    everything = params.load_all()
    return keys.model(
        adapter,
        base,
        labels,
        template=templates.text(everything["train"]["chat_template"]),
        dtype=everything["merge"]["dtype"],
        max_length=everything["train"]["max_length"],
    )


def released() -> Iterator[HandedOn]:
    """Parent and anchor, where there are, as they were when they were released; an adopted adapter as params.yaml says.

    Raises:
        GraftError: what one said is not what models.lock names: its rows would be taken for the model's own.
    """
    for name, folder in RELEASED.items():
        if (folder / ADAPTER.name).exists():
            lock = lockfile.load()
            _require_own(folder / PREDICTIONS, lock.parent if name == "parent" else lock.anchor)
            told, labels = predictions.read(folder / PREDICTIONS), files.read_json(folder / LABELS.name)
            model = told["models"]["candidate"]  # null where the adapter was adopted: no Graft has served it yet
            side = ModelFiles(
                name=name,
                adapter=folder / ADAPTER.name,
                model=keys.known(model) if model else _served(pinned.load(), folder / ADAPTER.name, labels),
                labels=labels,
            )
            yield HandedOn(side=side, predictions=told)


def ask(
    sides: Sequence[ModelFiles],
    items: Sequence[Record],
    known: Mapping[str, Row],
    base: pinned.Base,
    asked: EvaluateSettings,
    *,
    measured: bool = False,
) -> Answers:
    """What each model says of every item: as it was said before, where the key is the same; else now.

    Args:
        sides: the models; what one says, another of the same hashes needs not to be asked.
        items: any records, variants of others included.
        known: what was said before, by key.
        base: the pinned one.
        asked: of params.yaml.
        measured: what answering costs, too, if a model is loaded.
    """
    told, rows, held, cost = dict(known), dict[str, Mapping[str, Row]](), dict[str, Any](), dict[str, Any]()
    for side in sides:
        named = {item.id: keys.key(side.model, decoding(asked), item) for item in items}
        unsaid = [item for item in items if named[item.id] not in told]
        print(
            f"evaluate: {side.name}: {len(items) - len(unsaid)} predictions known, {len(unsaid)} to score", flush=True
        )
        if unsaid:
            from pipeline.evaluation.predict import predict

            served = held[side.name] = predict.load(base, side.adapter, side.model, side.labels)
            for id_, row in predict.predict(served, unsaid, decoding(asked), asked.batch_size).items():
                told[named[id_]] = _finite(row) | {"key": named[id_]}
            if measured and not served.small:  # never a second copy of a large base
                cost |= predict.costs({side.name: held.pop(side.name)}, items, decoding(asked))
        rows[side.name] = {item.id: told[named[item.id]] for item in items}
    if measured and held:
        from pipeline.evaluation.predict import predict

        for side in sides[1:2]:  # candidate and parent take turns, even if the parent had nothing left to say
            if side.name not in held and not cost:
                held[side.name] = predict.load(base, side.adapter, side.model, side.labels)
        cost |= predict.costs(held, items, decoding(asked))
    return Answers(rows=rows, cost=cost)


def benchmarked(
    side: ModelFiles, before: Sequence[HandedOn], tasks: lm_eval_tasks.Tasks, base: pinned.Base, asked: EvaluateSettings
) -> dict[str, lm_eval_tasks.Results | None]:
    """What a model comes to in standard benchmarks, by side: the releases as they were measured once, or not at all.

    Args:
        side: the model that is asked.
        before: what it is compared with.
        tasks: of `harness.load`.
        base: the pinned one.
        asked: of params.yaml.
    """
    from pipeline.evaluation.predict import predict

    served = predict.load(base, side.adapter, side.model, side.labels)
    told = {one.side.name: one.predictions.get("lm_eval", {}).get("candidate") for one in before}
    made = lm_eval_tasks.run(tasks, served.model, served.chat.tokenizer, asked.batch_size)
    return dict.fromkeys(predictions.SIDES) | told | {side.name: made}


def judged(
    records: Sequence[Record], asked: EvaluateSettings, adapter: Path = ADAPTER, labels: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """What one adapter says of records, as items that `measures.measure` takes.

    Args:
        records: of any kinds.
        asked: of params.yaml.
        adapter: its folder.
        labels: that it knows; None: those of this tree.
    """
    base = pinned.load()
    said = ask([candidate(base, adapter, labels)], records, {}, base, asked).rows["candidate"]
    rows = custom.added(custom.load(asked.custom), records, [said[record.id] for record in records])
    return [
        {"id": record.id, "kind": record.kind, "answer": record.answer, "slices": [], "candidate": row}
        for record, row in zip(records, rows, strict=True)
    ]


def _require_own(path: Path, release: lockfile.LockedParent | lockfile.Anchor | None) -> None:
    named = release.state.get(f"reports/{path.name}") if release else None
    if release and named and files.md5(path) != named["md5"]:
        raise GraftError(
            f"{path}: these are not the bytes that {release.release} released: they were changed",
            help=f"rm -r {path.parent} .dvc/cache/files/md5/{named['md5'][:2]}/{named['md5'][2:]} && dvc repro",
        )


def _finite(row: Row) -> Row:
    """A row in which null stands for what is no number: the weights diverged."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
