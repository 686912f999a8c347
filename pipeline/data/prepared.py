"""data/prepared/report.json: what an increment's rows came to, with examples in which nobody's data stands."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data import views
from pipeline.data.clean import pii
from pipeline.data.increment import Increment
from pipeline.data.selection import DUPLICATE, NEAR, OLDER, Selected
from pipeline.data.views import counted
from pipeline.errors import GraftError

REPEATED = (DUPLICATE, OLDER, NEAR)  # leaving these out loses nothing
EDGES = (0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240)  # characters
EXAMPLES, SHOWN = 3, 20


def report(
    increment: Increment, kept: pa.Table, lost: pa.Table, masked: Mapping[str, int], chosen: Selected
) -> dict[str, Any]:
    """Counts, in which `read` is `records` plus the sum of `rejects`, and examples."""
    view = views.view(kept)
    lengths = pc.utf8_length(view.bodies).to_numpy(zero_copy_only=False)
    places = np.searchsorted(EDGES, lengths, side="right") - 1
    return {
        "increment": increment.name,
        "read": kept.num_rows + lost.num_rows,
        "records": kept.num_rows,
        "rejects": counted(lost.column("reason")),
        "labels": counted(view.labels),
        "kinds": counted(kept.column("kind")),
        "masked": dict(sorted(masked.items())),
        "files": _files(increment, kept, lost),
        "lengths": {"edges": list(EDGES), "counts": np.bincount(places, minlength=len(EDGES)).tolist()},
        "near_duplicates": _clusters(chosen),
        "conflicts": [_masked(conflict.shown(label)) for conflict, label in chosen.settled[:SHOWN]],
        "examples": _examples(lost),
    }


def check(report: Mapping[str, Any], max_reject_share: float) -> None:
    """Refuse an increment of which too much, or all, was rejected.

    Raises:
        GraftError: names the reasons, most frequent first, with the first rows of each.
    """
    name, read = report["increment"], report["read"]
    lost = sum(count for reason, count in report["rejects"].items() if reason not in REPEATED)
    if not report["records"]:
        message = f"{name}: none of {read} rows can be trained on"
    elif lost > max_reject_share * read:
        message = (
            f"{name}: {lost} of {read} rows rejected ({lost / read:.1%}), "
            f"prepare.max_reject_share allows {max_reject_share:.1%}"
        )
    else:
        return
    raise GraftError(
        message,
        list(summary(report)),
        help="correct the files, or how increment.yaml says to read them, or raise prepare.max_reject_share",
    )


def summary(report: Mapping[str, Any]) -> Iterator[str]:
    """Reasons, most frequent first, with their first rows."""
    for reason, count in sorted(report["rejects"].items(), key=lambda item: (-item[1], item[0])):
        places = ", ".join(f"{row['file']}:{row['line']}" for row in report["examples"][reason])
        yield f"{reason}: {count} ({places}{', ...' if count > EXAMPLES else ''})"


def _files(increment: Increment, kept: pa.Table, lost: pa.Table) -> dict[str, dict[str, int]]:
    records, rejected = Counter(counted(kept.column("file"))), Counter(counted(lost.column("file")))
    return {
        file: {"read": records[file] + rejected[file], "records": records[file]} for file in sorted(increment.files)
    }


def _clusters(chosen: Selected) -> dict[str, Any]:
    largest = [
        {
            "size": cluster.size,
            "kept": _masked(cluster.shown[0]),
            "dropped": [_masked(row) for row in cluster.shown[1:]],
        }
        for cluster in chosen.largest
    ]
    return {"clusters": chosen.clusters, "largest": largest}


def _examples(lost: pa.Table) -> dict[str, list[dict[str, Any]]]:
    shown: dict[str, list[dict[str, Any]]] = {}
    for reason in counted(lost.column("reason")):
        rows = lost.filter(pc.equal(lost.column("reason"), reason)).slice(0, EXAMPLES)
        found = rows.select(["file", "line", "raw"]).to_pylist()
        shown[reason] = [row | {"raw": pii.mask_text(row["raw"])} for row in found]
    return shown


def _masked(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {**shown, "text": pii.mask_text(str(shown["text"]))}
