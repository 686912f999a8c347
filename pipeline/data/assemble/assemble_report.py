"""data/assembled/report.json: what the increment's records came to against the chain."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from pipeline.data.assemble.fates import FATES, Decided
from pipeline.data.assemble.neighbours import Neighbours
from pipeline.data.clean import pii
from pipeline.data.index.index import Index
from pipeline.data.index.runs import KEY, Rows
from pipeline.data.records.message_columns import counted

EXAMPLES, SHOWN = 3, 20
_STAY = ("train_new", "eval")


def report(
    name: str,
    table: pa.Table,
    found: Neighbours,
    decided: Decided,
    fates: Sequence[str],
    labels: Sequence[str],
    chain: Index,
    leaving_CM: Rows,
) -> dict[str, Any]:
    """Counts, in which `records` is the sum of the fates, and examples in which nobody's data stands."""
    learned = found.view.labels.filter(pa.array(np.array(fates, dtype=object) == "train_new"))
    new, asked = counted(learned), counted(found.view.labels.filter(pa.array(np.array(fates, dtype=object) == "eval")))
    return {
        "increment": name,
        "records": table.num_rows,
        **{fate: fates.count(fate) for fate in FATES},
        "labels": new,
        "new_labels": sorted(set(new) - set(labels)),
        "label_changes": label_changes(labels, counted(found.view.labels)),
        "balance": {
            label: {
                "before": chain.labels.get(label, 0),
                "new": new.get(label, 0),
                "held_out": asked.get(label, 0),
            }
            for label in sorted({*chain.labels, *new, *asked})
        },
        "conflicts_shown": [_masked(conflict.shown(label)) for conflict, label in decided.settled[:SHOWN]],
        "keys": _keys(found, decided, fates, leaving_CM),
        "index": {"records": chain.records, "runs": len(chain.runs)},
        "examples": _examples(table, found, fates),
    }


def label_changes(before: Sequence[str], now: Mapping[str, int]) -> dict[str, Any]:
    """Labels that came, that did not come again, and that look like another way of writing an old one."""
    plain = {_plain(label): label for label in before}
    renamed = [[plain[_plain(label)], label] for label in sorted(now) if label not in before and _plain(label) in plain]
    return {
        "new": sorted(set(now) - set(before)) if before else [],
        "vanished": sorted(set(before) - set(now)) if now else [],  # no labels: nothing is said of them
        "renamed": renamed,
    }


def dropped(table: pa.Table, fates: Sequence[str]) -> list[dict[str, Any]]:
    """Every record that is neither trained on nor evaluated, with the reason and where it stands."""
    places = [place for place, fate in enumerate(fates) if fate not in _STAY]
    rows = table.select(["id", "increment", "file", "line"]).take(pa.array(places, pa.int64())).to_pylist()
    return [row | {"reason": fates[place]} for row, place in zip(rows, places, strict=True)]


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line."""
    with path.open("wb") as sink:
        for row in rows:
            sink.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _keys(found: Neighbours, decided: Decided, fates: Sequence[str], leaving_CM: Rows) -> dict[str, int] | None:
    has_key = found.rows_CN[KEY] != 0
    if not has_key.any() and not leaving_CM.shape[1]:
        return None
    known = np.zeros(len(fates), bool)
    known[found.same_key.query_M] = True
    kept = np.isin(np.array(fates, dtype=object), (*_STAY, "eval_over_cap"))
    return {
        "new": int(np.count_nonzero(has_key & ~known & kept)),
        "updated": int(np.count_nonzero(decided.updated)),
        "unchanged": int(np.count_nonzero(has_key & known & ~decided.updated)),
        "withdrawn": len(np.unique(leaving_CM[KEY])),
    }


def _examples(table: pa.Table, found: Neighbours, fates: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    shown: dict[str, list[dict[str, Any]]] = {}
    counts = Counter[str]()
    for place, fate in enumerate(fates):
        counts[fate] += 1
        if fate not in _STAY and counts[fate] <= EXAMPLES:
            (row,) = table.select(["file", "line"]).slice(place, 1).to_pylist()
            shown.setdefault(fate, []).append(row | {"text": pii.mask_text(found.view.bodies[place].as_py())})
    return shown


def _masked(shown: dict[str, object]) -> dict[str, object]:
    return shown | {"text": pii.mask_text(str(shown["text"]))}


def _plain(label: str) -> str:
    return "".join(label.split()).casefold()
