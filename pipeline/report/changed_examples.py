"""Items whose answer changed between parent and candidate: the ones fixed, the ones broken, the worst first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.gate import values

MOST = 30  # of each sort on the page
Row = Mapping[str, Any]  # what one model said of one item


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedExample:
    """One item: what was right, what the parent said, what the candidate says."""

    id: str
    slices: Sequence[str]
    answer: str
    before: str | None  # None before the first release
    after: str
    must_pass: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """How many items changed sides, and the first `MOST` of them."""

    broken: Sequence[ChangedExample]  # right with the parent, wrong now; without a parent: wrong
    fixed: Sequence[ChangedExample]
    broken_items: int
    fixed_items: int


def changes(predictions: Mapping[str, Any], verdict: Mapping[str, Any]) -> Changes:
    """Those that must pass first, then those of slices that fail, then by id, which is as good as by lot.

    Args:
        predictions: predictions.json; may be empty.
        verdict: verdict.json.
    """
    failed = {check["slice"] for check in verdict["checks"] if check["status"] == "fail"}
    broken: list[Row] = []
    fixed: list[Row] = []
    for item in predictions.get("items", []):
        after, before = values.right(item), values.right(item, "parent")
        required = item.get("must_pass") and not after  # shown whatever the parent said
        if not required and (after is None or after == before or (before is None and after)):
            continue
        (fixed if after else broken).append(item)
    return Changes(
        broken=_first(broken, failed),
        fixed=_first(fixed, failed),
        broken_items=len(broken),
        fixed_items=len(fixed),
    )


def shown(predictions: Mapping[str, Any], verdict: Mapping[str, Any]) -> list[str]:
    """Ids of the items whose texts a report shows, sorted."""
    found = changes(predictions, verdict)
    return sorted(example.id for example in (*found.broken, *found.fixed))


def _first(items: Iterable[Row], failed: set[str]) -> list[ChangedExample]:
    def order(item: Row) -> tuple[bool, bool, str]:
        return not item.get("must_pass"), failed.isdisjoint(item["slices"]), item["id"]

    return [
        ChangedExample(
            id=item["id"],
            slices=item["slices"],
            answer=str(item.get("answer", "the chosen answer")),
            before=_said(item.get("parent")),
            after=_said(item["candidate"]) or "",
            must_pass=bool(item.get("must_pass")),
        )
        for item in sorted(items, key=order)[:MOST]
    ]


def _said(row: Row | None) -> str | None:
    if row is None:
        return None
    if "chosen" in row:
        return "the chosen answer" if _chosen(row) else "the rejected answer"
    return str(row["predicted"] if "predicted" in row else row.get("text", ""))


def _chosen(row: Row) -> bool:
    """Whether the chosen answer is the likelier one; it is not where a model that diverged gave no numbers."""
    return None not in (row["chosen"], row["rejected"]) and bool(row["chosen"] > row["rejected"])
