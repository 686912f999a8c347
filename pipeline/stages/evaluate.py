"""evaluate: candidate, parent and anchor on every slice -> predictions, and all figures that follow from them

Each is scored as it is served: merged and rounded to its merge.dtype, with its own template and context. What the
parent and the anchor said before is part of their states; a model is loaded for what nobody said yet, and only then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.chain.lock import lockfile
from pipeline.common import errors, files, params, sources, timing
from pipeline.data.records.records import Record
from pipeline.evaluation import compared_models, fields, lm_eval_tasks, predictions, predictions_content
from pipeline.evaluation import items as evaluated
from pipeline.evaluation.compared_models import ADAPTER
from pipeline.evaluation.cost import efficiency_page
from pipeline.evaluation.llm_judge import judged
from pipeline.evaluation.metrics import custom, write_figures
from pipeline.evaluation.settings import EvaluateSettings
from pipeline.model.adapter import saved_adapter
from pipeline.model.base import pinned

PREDICTIONS = Path("reports/predictions.json")
TIMINGS = Path("reports/timings")


def main() -> None:
    """Read slices, adapters and labels; write predictions, metrics, details, matrix and plots."""
    for path in (PREDICTIONS, write_figures.METRICS, write_figures.DETAILS, write_figures.MATRIX):
        path.unlink(missing_ok=True)
    asked, lock = params.load("evaluate", EvaluateSettings), lockfile.load()
    own, judge, tasks = custom.load(asked.custom), judged.load(asked.judge), lm_eval_tasks.load(asked.lm_eval)
    with timing.measured("evaluate") as timings:
        found = predictions_content.read_items(asked.slice_by, asked.max_items)
        varied, base = predictions_content.variants(found, asked.robustness), pinned.load()
        before = list(compared_models.released())
        scores = judged.known(judge, [one.predictions for one in before]) if judge else {}
        compared = [compared_models.candidate(base), *(one.side for one in before)]
        known = {key: row for one in before for key, row in predictions.rows(one.predictions).items()}
        records = {record.id: record for record in [*found.records, *(one.record for one in varied)]}
        said = compared_models.ask(compared, list(records.values()), known, base, asked, measured=True)
        rows = {name: _with_own(records, of, own) for name, of in said.rows.items()}
        rows = {name: _judged(records, of, judge, scores) for name, of in rows.items()}
        models = {side.name: side.model.plain() for side in compared}
        if lock.parent is None:
            untuned = compared_models.untuned(base, compared[0].labels)
            likely = replace(asked, max_new_tokens=0)  # how likely it finds the right answers tells enough
            of_base = compared_models.ask([untuned], predictions_content.asked_of_base(found), {}, base, likely)
            rows[untuned.name], models[untuned.name] = dict(of_base.rows[untuned.name]), untuned.model.plain()
        told = predictions_content.build(
            found,
            varied,
            models,
            compared[0].labels,
            rows,
            {one.side.name: one.predictions for one in before},
        )
        if tasks is not None:
            told |= {"lm_eval": compared_models.benchmarked(compared[0], before, tasks, base, asked)}
            for line in lm_eval_tasks.lines(told["lm_eval"]["candidate"]):
                print(f"evaluate: {line}", flush=True)
        told |= {"sources": sources.stage_hashes("evaluate")}
        predictions.write(PREDICTIONS, told)
        made = write_figures.write(told, found.slices, asked.language)
        timings["adapter"] = files.sha256(ADAPTER / saved_adapter.WEIGHTS)  # whose timings these are
        timings |= {name: said.cost.get(name) for name in predictions.SIDES}
        release = lock.parent.release if lock.parent else None
        files.write_text(TIMINGS / "efficiency.md", efficiency_page.markdown(timings, release))
        files.write_text(TIMINGS / "efficiency.html", efficiency_page.html(timings, release))
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


def _coverage(scored: tuple[int, int] | None) -> list[str]:
    """A line that says how many answers have a score; none where nobody judges."""
    if scored is None:
        return []
    if not scored[1]:
        return ["no answer is generated, so there is nothing to judge"]
    more = "; `make judge` asks for the others" if scored[0] < scored[1] else ""
    return [f"{scored[0]} of {scored[1]} answers are judged{more}"]


if __name__ == "__main__":
    errors.run(main)
