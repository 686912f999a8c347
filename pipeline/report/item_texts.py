"""Texts of evaluation items by id, read from data/assembled/slices: of the few that a report shows."""

from collections.abc import Collection
from pathlib import Path

from pipeline.data.records import arrow


def read(folder: Path, ids: Collection[str]) -> dict[str, str]:
    """What the model was asked; of plain text the text itself. Ids that no slice holds are left out."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.arrow")) if ids else []:
        table = arrow.read_table(path)
        places = (place for place, id_ in enumerate(table["id"].to_pylist()) if id_ in ids)
        for place in places:  # few: a filter by Arrow would load pandas, if there is one, only to look at the ids
            [record] = arrow.records_of(table.slice(place, 1))
            asked = record.prompt or record.messages
            found[record.id] = str(asked[-1].get("content") or "")
    return found
