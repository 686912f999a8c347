"""What both reports show in columns, as plain text; each makes the cells harmless in its own way."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report import comparison, headline, params_changes
from pipeline.report.comparison import ComparisonRow
from pipeline.report.facts import Facts
from pipeline.report.parts.measures import NONE, measured, number, share, signed, title

KINDS = {
    "typos": "slips of the finger",
    "case": "upper and lower case",
    "noise": "wrong characters",
    "drop": "words left out",
    "spacing": "spaces moved",
    "width": "full and half width",
    "junk": "something appended",
    "all": "any of them",
}
CANDIDATE = "candidate"
Cells = Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of plain text."""

    titles: Cells
    rows: Sequence[Cells]
    names: Collection[int] = ()  # columns that come from data
    numbers: Collection[int] = ()  # columns that stand flush right
    left_out: int = 0  # further rows

    def first(self, most: int) -> "Table":
        """The first rows, the others counted."""
        more = max(0, len(self.rows) - most)
        return Table(
            titles=self.titles,
            rows=self.rows[:most],
            names=self.names,
            numbers=self.numbers,
            left_out=self.left_out + more,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What the gate judged, slice by slice."""

    rows: Sequence[ComparisonRow]
    against: Sequence[str]  # parent, anchor: those that anything was compared with
    names: Mapping[str, str]  # what to call them


def judged_slices(facts: Facts) -> Judged:
    """The rows of the table that both reports begin with."""
    rows = comparison.rows(facts.verdict["checks"], facts.gate)
    return Judged(rows=rows, against=comparison.compared(rows), names=headline.others(facts))


def sides(facts: Facts) -> dict[str, Mapping[str, Any]]:
    """Blocks of metrics.json by what a column is called: candidate, then parent and anchor by their releases."""
    named = {CANDIDATE: CANDIDATE} | headline.others(facts)
    return {shown: facts.metrics[side] for side, shown in named.items() if facts.metrics.get(side)}


def pooled(facts: Facts) -> Table:
    """Every measure over all items, one column for each side."""
    found = sides(facts)
    names = list(dict.fromkeys(name for side in found.values() for name in measured(side["all"])))
    rows = [[title(name), *(number(side["all"].get(name)) for side in found.values())] for name in names]
    return Table(titles=["all items", *found], rows=rows, names=(), numbers=range(1, 1 + len(found)))


def judged(facts: Facts) -> list[str]:
    """A sentence that says of how many answers there are scores; none where nobody judges."""
    blocks = {name: side["all"] for name, side in sides(facts).items() if "judged" in side["all"]}
    told = [f"{x['judged']:,} of {x['judged'] + x['unjudged']:,} of {name}" for name, x in blocks.items()]
    return (
        [f"Answers with a judge's score: {', '.join(told)}. The others count neither well nor badly."] if told else []
    )


def by_slice(facts: Facts) -> Table:
    """Every measure of the candidate on each slice, judged or not."""
    slices = facts.metrics[CANDIDATE]["slices"]
    names = list(dict.fromkeys(name for block in slices.values() for name in measured(block)))
    rows = [
        [name, f"{block['items']:,}", *(number(block.get(measure)) for measure in names)]
        for name, block in sorted(slices.items())
    ]
    return Table(titles=["slice", "items", *map(title, names)], rows=rows, names=(0,), numbers=range(1, 2 + len(names)))


def robustness(facts: Facts) -> Table:
    """How far accuracy falls where the same items are written otherwise."""
    found = facts.metrics.get("robustness") or {}
    ours, theirs = found.get(CANDIDATE) or {}, found.get("parent") or {}
    whole = (facts.details.get("robustness") or {}).get("all") or {}  # intervals, too, for which there is no room here
    rows = [
        [
            KINDS.get(kind, kind),
            f"{figures['items']:,}",
            number(figures["accuracy"]),
            _fall(figures),
            *([signed(_negative(theirs.get(kind, {}).get("drop")))] if theirs else []),
            number(whole.get(kind, {}).get("worst_case")),
            figures.get("worst_slice") or NONE,
            signed(_negative(figures.get("worst_drop"))),
        ]
        for kind, figures in ours.items()
    ]
    parent = [f"change of {facts.release}"] if theirs else []
    titles = ["changed on purpose", "items", "accuracy", "change", *parent]
    titles += ["right however changed", "worst slice", "change there"]
    worst = titles.index("worst slice")
    return Table(titles=titles, rows=rows, names=(worst,), numbers=[*range(1, worst), worst + 1])


def robustness_by_slice(facts: Facts) -> Table:
    """The same, slice by slice, the largest fall first."""
    found = [
        (name, kind, figures)
        for name, kinds in (facts.details.get("robustness") or {}).items()
        for kind, figures in kinds.items()
    ]
    ordered = sorted(found, key=lambda row: (-(row[2]["drop"] or 0), row[0], row[1]))
    rows = [
        [name, KINDS.get(kind, kind), f"{x['items']:,}", number(x["accuracy"]), _fall(x)] for name, kind, x in ordered
    ]
    return Table(
        titles=["slice", "changed on purpose", "items", "accuracy", "change"],
        rows=rows,
        names=(0,),
        numbers=(2, 3, 4),
    )


def benchmarks(facts: Facts) -> Table:
    """Standard benchmarks, each figure as the harness names it; of a release that was not asked there is none."""
    told = {name: (block.get("lm_eval") or {}).get("tasks", {}) for name, block in sides(facts).items()}
    asked = [(task, measure) for task, of in told.get(CANDIDATE, {}).items() for measure in of["metrics"]]
    rows = [
        [
            task,
            measure,
            NONE if (items := told[CANDIDATE][task].get("items")) is None else f"{items:,}",
            *(number(of.get(task, {}).get("metrics", {}).get(measure)) for of in told.values()),
        ]
        for task, measure in sorted(asked)
    ]
    titles = ["task", "measure", "items", *told]
    return Table(titles=titles, rows=rows, names=(0, 1), numbers=range(2, len(titles)))


def confused(details: Mapping[str, Any]) -> Table:
    """Pairs of labels that the candidate takes for one another, the most frequent first."""
    support: dict[str, int] = {}
    for actual, _, count in details.get("confusion", []):
        support[actual] = support.get(actual, 0) + count
    wrong = [pair for pair in details.get("confusion", []) if pair[0] != pair[1]]
    ordered = sorted(wrong, key=lambda pair: (-pair[2], pair[0], pair[1]))
    rows = [[actual, predicted, f"{count:,}", share(count / support[actual])] for actual, predicted, count in ordered]
    titles = ["right answer", "candidate's answer", "items", "of that label"]
    return Table(titles=titles, rows=rows, names=(0, 1), numbers=(2, 3))


def labels(details: Mapping[str, Any]) -> Table:
    """Precision, recall and F1 of each label, the lowest F1 first; labels of no item last."""
    found: Iterable[tuple[str, Mapping[str, Any]]] = (details.get("labels") or {}).items()
    ordered = sorted(found, key=lambda item: (not item[1]["support"], item[1]["f1"] or 0, -item[1]["support"], item[0]))
    rows = [
        [
            name,
            *(number(x[measure]) for measure in ("precision", "recall", "f1")),
            f"{x['support']:,}",
            f"{x['predicted']:,}",
        ]
        for name, x in ordered
    ]
    titles = ["label", "precision", "recall", "F1", "items", "answered"]
    return Table(titles=titles, rows=rows, names=(0,), numbers=range(1, 6))


def calibration(details: Mapping[str, Any]) -> Table:
    """The bins of confidence that hold items."""
    rows = [
        [f"{x['low']:.1f} to {x['high']:.1f}", f"{x['items']:,}", number(x["confidence"]), number(x["accuracy"])]
        for x in details.get("calibration", [])
        if x["items"]
    ]
    return Table(titles=["confidence", "items", "mean", "accuracy"], rows=rows, numbers=(1, 2, 3))


def forgetting(facts: Facts) -> Table:
    """How far each slice lies below the best that any release reached on it, the largest first."""
    found = (facts.metrics.get("chain") or {}).get("forgetting") or {}
    rows = [[name, signed(_negative(value))] for name, value in sorted(found.items(), key=lambda x: (-x[1], x[0]))]
    return Table(titles=["slice", "against its best release"], rows=rows, names=(0,), numbers=(1,))


def chain(facts: Facts) -> list[str]:
    """Measures of continual learning, a sentence each."""
    found = facts.metrics.get("chain") or {}
    words = {
        "average_accuracy": ("average accuracy over the slices of all increments: {}", number),
        "backward_transfer": ("backward transfer, the mean change of older slices since their own release: {}", signed),
        "forward_transfer": (
            "forward transfer, what a release could do of the next increment, above chance: {}",
            signed,
        ),
    }
    return [words[key][0].format(words[key][1](found[key])) for key in words if found.get(key) is not None]


def changed(facts: Facts) -> Table:
    """Settings that differ from the parent's; without rows where one side's are not known."""
    known = facts.predictions.get("params") or {}
    ours, theirs = known.get(CANDIDATE), known.get("parent")
    rows = params_changes.changed(theirs, ours) if ours is not None and theirs is not None else []
    return Table(titles=["setting", facts.release or "parent", CANDIDATE], rows=rows, names=(0, 1, 2))


def _fall(figures: Mapping[str, Any]) -> str:
    """A drop as a change, with the ends of its interval where it has one."""
    low, high = figures.get("low"), figures.get("high")
    ends = "" if low is None or high is None else f" ({signed(-high)} to {signed(-low)})"
    return signed(_negative(figures["drop"])) + ends


def _negative(drop: float | None) -> float | None:
    """A drop as a change: how much less."""
    return None if drop is None else -drop
