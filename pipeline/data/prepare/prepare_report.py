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
EXAMPLES, SHOWN, COMMONEST = 3, 20, 3


class Tally:
    """What an increment's rows came to so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._labels: dict[str, Counter[str]] = defaultdict(Counter)  # by file: a batch is of one
        self._lengths = np.zeros(len(EDGES), np.int64)
        self._examples: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def records(self, kept: pa.RecordBatch | pa.Table) -> None:
        """Count records."""
        view = message_columns.view(kept)
        if kept.num_rows:
            self._labels[kept.column("file")[0].as_py()].update(message_columns.counted(view.labels))
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
            "groups": [self._group(files) for files in _alike(increment)],
            "files": {
                file: {"read": records[file] + rejected[file], "records": records[file]}
                for file in sorted(increment.files)
            },
            "lengths": {"edges": list(EDGES), "counts": self._lengths.tolist()},
            "near_duplicates": _clusters(chosen),
            "conflicts": [_masked(conflict.shown(label)) for conflict, label in chosen.settled[:SHOWN]],
            "examples": dict(sorted(self._examples.items())),
        }

    def _group(self, files: Sequence[str]) -> dict[str, Any]:
        """What files that are read alike come to."""
        records, rejected = (sum(self._counts[name][file] for file in files) for name in ("records", "rejected"))
        labels = sum((self._labels[file] for file in files), Counter[str]())
        commonest = sorted(labels.items(), key=lambda item: (-item[1], item[0]))[:COMMONEST]
        read = {"files": list(files), "read": records + rejected, "records": records}
        return read | {"labels": len(labels), "commonest": dict(commonest)}


def _alike(increment: Increment) -> list[list[str]]:
    """The files of an increment, those together that are read alike."""
    groups: dict[str, list[str]] = {}
    for file, spec in sorted(increment.files.items()):
        groups.setdefault(repr(spec), []).append(file)
    return list(groups.values())


def _clusters(chosen: Selected) -> dict[str, Any]:
    largest = [
        {"size": cluster.size, "kept": shown[0], "dropped": shown[1:]}
        for cluster in chosen.largest
        if (shown := [_masked(row) for row in cluster.shown])
    ]
    return {"clusters": chosen.clusters, "largest": largest}


def _masked(shown: dict[str, Any]) -> dict[str, Any]:
    return {**shown, "text": pii.mask_text(str(shown["text"]))}
