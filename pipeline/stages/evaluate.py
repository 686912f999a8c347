"""evaluate: candidate, parent and anchor on every slice -> predictions, and all figures that follow from them

Each is scored as it is served: merged and rounded to its merge.dtype, with its own template and context. What the
parent and the anchor said before is part of their states; a model is loaded for what nobody said yet, and only then.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import errors, files, params, timing
from pipeline.chain import lockfile
from pipeline.data import arrow, marks
from pipeline.data.records import Record
from pipeline.evaluation import custom, fields, figures, harness, judged, perturb, predictions, sides
from pipeline.evaluation import items as evaluated
from pipeline.evaluation.sides import ADAPTER, RELEASED, Params
from pipeline.model import pinned, saved
from pipeline.report import efficiency

SLICES = Path("data/assembled/slices")
TRAINING = Path("reports/training.json")
PREDICTIONS = Path("reports/predictions.json")
METRICS = Path("reports/metrics.json")
DETAILS = Path("reports/details.json")
MATRIX = Path("reports/matrix.json")
PLOTS = Path("reports/plots")
TIMINGS = Path("reports/timings")


def variants(found: evaluated.Items, asked: Mapping[str, Any] | None) -> list[perturb.Variant]:
    """Badly written variants of some classifications, as `evaluate.robustness` asks for; none without it."""
    if not asked or not asked["items"]:
        return []
    return perturb.variants(evaluated.sources(found, asked["items"]), asked["kinds"], asked["strengths"])


def told(
    found: evaluated.Items,
    varied: Sequence[perturb.Variant],
    compared: Sequence[sides.Side],
    rows: Mapping[str, Mapping[str, predictions.Row]],
) -> dict[str, Any]:
    """What predictions.json holds of models, labels, items and variants.

    Args:
        found: the items.
        varied: variants of some of them.
        compared: the models.
        rows: side -> id -> row, of items and variants.
    """
    models = {side.name: side.model for side in compared}
    source = {item.record.id: item for item in found.items}

    def said(record: Record, names: Sequence[str]) -> dict[str, Any]:
        return {name: rows[name][record.id] if name in rows else None for name in names}

    return {
        "version": predictions.VERSION,
        "models": {name: models[name].plain() if name in models else None for name in predictions.SIDES},
        "labels": list(compared[0].labels),
        "items": [_item(item) | said(item.record, predictions.SIDES) for item in found.items],
        "robustness": [
            {
                "source": one.source,
                "kind": one.kind,
                "strength": one.strength,
                "slices": list(source[one.source].slices),
                "answer": one.record.answer,
            }
            | said(one.record, ["candidate", "parent"])
            for one in varied
        ],
    }


def main() -> None:
    """Read slices, adapters and labels; write predictions, metrics, details, matrix and plots."""
    for path in (PREDICTIONS, METRICS, DETAILS, MATRIX):
        path.unlink(missing_ok=True)
    asked, lock = params.load("evaluate", Params), lockfile.load()
    own, judge, tasks = custom.load(asked.custom), judged.load(asked.judge), harness.load(asked.lm_eval)
    with timing.measured("evaluate") as timings:
        slices = {path.stem: arrow.read_records(path) for path in sorted(SLICES.glob("*.arrow"))}
        found = evaluated.items(slices, marks.read(SLICES), asked.slice_by, asked.max_items)
        varied, base = variants(found, asked.robustness), pinned.load()
        before = list(sides.released())
        scores = judged.known(judge, [one.predictions for one in before]) if judge else {}
        compared = [sides.candidate(base), *(one.side for one in before)]
        known = {key: row for one in before for key, row in predictions.rows(one.predictions).items()}
        records = {record.id: record for record in [*found.records, *(one.record for one in varied)]}
        said = sides.ask(compared, list(records.values()), known, base, asked, measured=True)
        rows = {name: _with_own(records, of, own) for name, of in said.rows.items()}
        rows = {name: _judged(records, of, judge, scores) for name, of in rows.items()}
        content = told(found, varied, compared, rows) | {
            "releases": {
                "parent": lock.parent.release if lock.parent else None,
                "anchor": lock.anchor.release if lock.anchor else None,
            },
            "params": {"candidate": _params(), **{one.side.name: _own_params(one) for one in before}},
            "golden": {one.side.name: _golden(one) for one in before},
        }
        if tasks is not None:
            content |= {"lm_eval": sides.benchmarked(compared[0], before, tasks, base, asked)}
            for line in harness.lines(content["lm_eval"]["candidate"]):
                print(f"evaluate: {line}", flush=True)
        predictions.write(PREDICTIONS, content)
        matrix = RELEASED["parent"] / MATRIX.name
        made = figures.figures(
            content,
            found.slices,
            language=asked.language,
            increment=Path(lock.increment).name,
            before=files.read_json(matrix) if matrix.exists() else None,
        )
        files.write_json(METRICS, made.metrics)
        files.write_json(DETAILS, made.details)
        files.write_json(MATRIX, made.matrix)
        for name, text in made.plots.items():
            files.write_text(PLOTS / name, text)
        timings["adapter"] = files.sha256(ADAPTER / saved.WEIGHTS)  # whose timings these are
        timings |= {name: said.cost.get(name) for name in predictions.SIDES}
        release = lock.parent.release if lock.parent else None
        files.write_text(TIMINGS / "efficiency.md", efficiency.markdown(timings, release))
        files.write_text(TIMINGS / "efficiency.html", efficiency.html(timings, release))
        cut = [item.record for item in found.items if said.rows["candidate"][item.record.id]["truncated"]]
        scored = judged.coverage(list(rows["candidate"].values())) if judge else None
        notes = [*fields.unsaid(asked.slice_by, found.slices), *evaluated.budget(found), *evaluated.cut(cut)]
        for line in [*notes, *_coverage(scored)]:
            print(f"evaluate: {line}", flush=True)
        print("evaluate: " + ", ".join(f"{k} {v}" for k, v in made.metrics["candidate"]["all"].items()), flush=True)


def _with_own(
    records: Mapping[str, Record], rows: Mapping[str, predictions.Row], own: Sequence[custom.Metric]
) -> dict[str, predictions.Row]:
    """What was said of each record, with the values of the user's metrics."""
    plain = [{name: value for name, value in rows[id_].items() if name != "custom"} for id_ in records]
    return dict(zip(records, custom.added(own, list(records.values()), plain), strict=True))


def _judged(
    records: Mapping[str, Record],
    rows: Mapping[str, predictions.Row],
    judge: judged.Judge | None,
    scores: Mapping[str, float | None],
) -> dict[str, predictions.Row]:
    """What was said of each record, with the scores of answers in words."""
    found = judged.added(judge, scores, list(records.values()), [rows[id_] for id_ in records])
    return dict(zip(records, found, strict=True))


def _item(item: evaluated.Item) -> dict[str, Any]:
    record = item.record
    made: dict[str, Any] = {"id": record.id, "kind": record.kind, "slices": list(item.slices)}
    if record.kind in ("classification", "sft"):
        made["answer"] = record.answer
    if item.cluster != record.id:
        made["cluster"] = item.cluster
    return made | ({"must_pass": True} if item.must_pass else {})


def _coverage(scored: tuple[int, int] | None) -> list[str]:
    """A line that says how many answers have a score; none where nobody judges."""
    if scored is None:
        return []
    if not scored[1]:
        return ["no answer is generated, so there is nothing to judge"]
    more = "; `make judge` asks for the others" if scored[0] < scored[1] else ""
    return [f"{scored[0]} of {scored[1]} answers are judged{more}"]


def _own_params(release: sides.Release) -> Any:
    return (release.predictions.get("params") or {}).get("candidate")


def _golden(release: sides.Release) -> dict[str, int]:
    """Items of each golden slice that a release was evaluated on, so that one that is gone is missed."""
    names = (name for item in release.predictions["items"] for name in item["slices"] if name.startswith(marks.PREFIX))
    return dict(sorted(Counter(names).items()))


def _params() -> dict[str, Any]:
    """What was asked for, for the child's report to compare with: of `train` what makes its bytes."""
    everything = params.load_all()
    return {name: everything[name] for name in ("prepare", "assemble", "evaluate")} | {
        "train": files.read_json(TRAINING)["asked"],
        "merge": {"dtype": everything["merge"]["dtype"]},
    }


if __name__ == "__main__":
    errors.run(main)
