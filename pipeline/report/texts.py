"""Texts of evaluation items by id, read from data/assembled/slices: of the few that a report shows."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data import arrow


def read(folder: Path, ids: Collection[str]) -> dict[str, str]:
    """What the model was asked; of plain text the text itself. Ids that no slice holds are left out."""
    wanted, found = pa.array(sorted(ids), pa.string()), {}
    for path in sorted(folder.glob("*.arrow")):
        table = arrow.read_table(path)
        for record in arrow.records_of(table.filter(pc.is_in(table["id"], value_set=wanted))):
            asked = record.prompt or record.messages
            found[record.id] = str(asked[-1].get("content") or "")
    return found
