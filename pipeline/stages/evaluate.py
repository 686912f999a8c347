"""evaluate: candidate, parent and anchor on every slice -> predictions and metrics

Each is scored as it is served: merged and rounded to its merge.dtype, with its own template and context. What the
parent and the anchor said before is part of their states; a model is loaded for what nobody said yet, and only then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import errors, files, params, timing
from pipeline.chain import lockfile
from pipeline.data import arrow
from pipeline.data.records import Record
from pipeline.evaluation import keys, predictions
from pipeline.model import lean, measures, pinned, templates

SLICES = Path("data/assembled/slices")
LABELS = Path("data/assembled/labels.json")
ADAPTER = Path("models/adapter")
PARENT = Path("models/parent")
ANCHOR = Path("models/anchor")
PREDICTIONS = Path("reports/predictions.json")
METRICS = Path("reports/metrics.json")

Slices = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `evaluate` of params.yaml."""

    batch_size: int
    normalize: str  # none | length
    max_new_tokens: int  # of a generated answer; 0: none is generated


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the models that are compared."""

    name: str  # candidate | parent | anchor
    adapter: Path
    model: keys.Model
    labels: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a model says of items, by their ids, and what saying it cost; None where it was all known."""

    rows: Mapping[str, predictions.Row]
    cost: Mapping[str, Any] | None


def candidate(base: pinned.Base) -> Side:
    """The adapter of this tree, served as params.yaml says."""
    everything, labels = params.load_all(), files.read_json(LABELS)
    asked = keys.model(
        ADAPTER,
        base,
        labels,
        template=templates.text(everything["train"]["chat_template"]),
        dtype=everything["merge"]["dtype"],
        max_length=everything["train"]["max_length"],
    )
    return Side(name="candidate", adapter=ADAPTER, model=asked, labels=labels)


def released() -> Iterator[tuple[Side, Mapping[str, predictions.Row]]]:
    """Parent and anchor, as they were when they were released, and what they said then."""
    for name, folder in (("parent", PARENT), ("anchor", ANCHOR)):
        if (folder / ADAPTER.name).exists():
            told = predictions.read(folder / PREDICTIONS.name)
            model = keys.known(told["models"]["candidate"])
            labels = files.read_json(folder / LABELS.name)
            yield (
                Side(name=name, adapter=folder / ADAPTER.name, model=model, labels=labels),
                predictions.rows(told),
            )


def ask(
    side: Side, items: Sequence[Record], known: Mapping[str, predictions.Row], base: pinned.Base, asked: Params
) -> Said:
    """What a model says of items: as it was said before, where the key is the same; else now.

    Args:
        side: the model.
        items: to be predicted.
        known: what any model said before, by its key.
        base: the pinned one.
        asked: of params.yaml.
    """
    judge = keys.Judge(normalize=asked.normalize, max_new_tokens=asked.max_new_tokens)
    named = {item.id: keys.key(side.model, judge, item) for item in items}
    unsaid = [item for item in items if named[item.id] not in known]
    print(f"evaluate: {side.name}: {len(items) - len(unsaid)} predictions known, {len(unsaid)} to score", flush=True)
    rows = {item.id: known[named[item.id]] for item in items if named[item.id] in known}
    if not unsaid:
        return Said(rows=rows, cost=None)
    with lean.serving(ADAPTER, PARENT / ADAPTER.name, ANCHOR / ADAPTER.name):  # all: what is hidden once, stays so
        from pipeline.evaluation import predict

        scored = predict.predict(
            base,
            side.adapter,
            side.model,
            side.labels,
            unsaid,
            judge=judge,
            batch_size=asked.batch_size,
            threads=params.load_all()["train"]["threads"],
        )
    rows |= {id_: row | {"key": named[id_]} for id_, row in scored.rows.items()}
    return Said(rows=rows, cost=scored.cost)


def distinct(slices: Slices) -> list[Record]:
    """Every item once, by id, whatever slices it stands in."""
    return [item for _, item in sorted({item.id: item for items in slices.values() for item in items}.items())]


def measure(slices: Slices, told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics of each slice, and of every item once; `told` goes from an item's id to what was said of it."""
    return {
        "all": measures.measure(distinct(slices), told),
        "slices": {name: measures.measure(items, told) for name, items in slices.items()},
    }


def main() -> None:
    """Read slices, adapters and labels; write predictions.json and metrics.json."""
    PREDICTIONS.unlink(missing_ok=True)
    METRICS.unlink(missing_ok=True)
    asked = params.load("evaluate", Params)
    with timing.measured("evaluate") as figures:
        slices = {path.stem: arrow.read_records(path) for path in sorted(SLICES.glob("*.arrow"))}
        items, base = distinct(slices), pinned.load()
        before = list(released())
        compared = [candidate(base), *(side for side, _ in before)]
        known = {key: row for _, rows in before for key, row in rows.items()}
        said = {}
        for side in compared:
            said[side.name] = ask(side, items, known, base, asked)
            known |= {row["key"]: row for row in said[side.name].rows.values()}  # an anchor may be the parent
        predictions.write(PREDICTIONS, _predictions(compared, slices, items, said))
        found: dict[str, Any] = {
            name: measure(slices, said[name].rows) if name in said else None for name in predictions.SIDES
        }
        found["truncated"] = sum(row["truncated"] for row in said["candidate"].rows.values())
        files.write_json(METRICS, found)
        figures["adapter"] = files.sha256(ADAPTER / "adapter_model.safetensors")  # whose figures these are
        figures |= {name: one.cost for name, one in said.items()}
        print("evaluate: " + ", ".join(f"{k} {v}" for k, v in found["candidate"]["all"].items()), flush=True)


def _predictions(
    compared: Sequence[Side], slices: Slices, items: Sequence[Record], said: Mapping[str, Said]
) -> dict[str, Any]:
    lock = lockfile.load()
    places: dict[str, list[str]] = {}
    for name, those in sorted(slices.items()):
        for item in those:
            places.setdefault(item.id, []).append(name)
    models = {side.name: keys.plain(side.model) for side in compared}
    return {
        "version": predictions.VERSION,
        "models": {name: models.get(name) for name in predictions.SIDES},
        "releases": {
            "parent": lock.parent.release if lock.parent else None,
            "anchor": lock.anchor.release if lock.anchor else None,
        },
        "labels": files.read_json(LABELS),
        "items": [
            {
                "id": item.id,
                "kind": item.kind,
                "slices": places[item.id],
                **_answer(item),
                **{name: said[name].rows[item.id] if name in said else None for name in predictions.SIDES},
            }
            for item in items
        ],
        "robustness": [],
    }


def _answer(item: Record) -> dict[str, str]:
    return {"answer": item.answer} if item.kind in ("classification", "sft") else {}


if __name__ == "__main__":
    errors.run(main)
