"""data/prepared/report.json, counted batch by batch, with examples in which nobody's data stands."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.clean import pii
from pipeline.data.prepare.selection import Selected
from pipeline.data.reading.increment import Increment
from pipeline.data.records import message_columns

EDGES = (0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240)  # characters
EXAMPLES, SHOWN = 3, 20


class Tally:
    """What an increment's rows came to so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._lengths = np.zeros(len(EDGES), np.int64)
        self._examples: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def records(self, kept: pa.RecordBatch | pa.Table) -> None:
        """Count records."""
        view = message_columns.view(kept)
        for name, column in (("labels", view.labels), ("kinds", kept.column("kind")), ("records", kept.column("file"))):
            self._counts[name].update(message_columns.counted(column))
        lengths = pc.utf8_length(view.bodies).to_numpy(zero_copy_only=False)
        places = np.searchsorted(EDGES, lengths, side="right") - 1
        self._lengths += np.bincount(places, minlength=len(EDGES))
        contents = kept.column("messages").flatten().field("content")
        self._counts["masked"].update(pii.counts(contents))

    def rejects(self, rows: pa.RecordBatch, reasons: Sequence[str]) -> None:
        """Count rows that are no records."""
        self._counts["rejects"].update(reasons)
        self._counts["rejected"].update(message_columns.counted(rows.column("file")))
        for place, reason in enumerate(reasons):
            if len(self._examples[reason]) < EXAMPLES:
                (row,) = rows.select(["file", "line", "raw"]).slice(place, 1).to_pylist()
                self._examples[reason].append(row | {"raw": pii.mask_text(row["raw"])})

    def report(self, increment: Increment, chosen: Selected) -> dict[str, Any]:
        """The report: `read` is `records` plus the sum of `rejects`."""
        records, rejected = self._counts["records"], self._counts["rejected"]
        plain = {name: dict(sorted(self._counts[name].items())) for name in ("rejects", "labels", "kinds", "masked")}
        return plain | {
            "increment": increment.name,
            "read": records.total() + rejected.total(),
            "records": records.total(),
            "files": {
                file: {"read": records[file] + rejected[file], "records": records[file]}
                for file in sorted(increment.files)
            },
            "lengths": {"edges": list(EDGES), "counts": self._lengths.tolist()},
            "near_duplicates": _clusters(chosen),
            "conflicts": [_masked(conflict.shown(label)) for conflict, label in chosen.settled[:SHOWN]],
            "examples": dict(sorted(self._examples.items())),
        }


def _clusters(chosen: Selected) -> dict[str, Any]:
    largest = [
        {"size": cluster.size, "kept": shown[0], "dropped": shown[1:]}
        for cluster in chosen.largest
        if (shown := [_masked(row) for row in cluster.shown])
    ]
    return {"clusters": chosen.clusters, "largest": largest}


def _masked(shown: dict[str, Any]) -> dict[str, Any]:
    return {**shown, "text": pii.mask_text(str(shown["text"]))}
