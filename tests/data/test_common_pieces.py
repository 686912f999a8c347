"""Near-duplicates where most records share a disclaimer, a signature, a form."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.data.index import common_pieces, sketch
from tests.conftest import Clone

DISCLAIMER = (
    "This message and any attachments are confidential and intended for the addressee alone. If you have received it "
    "by mistake, please tell the sender and delete it. Opinions are those of the author and not of the company. "
) * 2
THINGS = ["printer", "router", "laptop", "monitor", "keyboard", "badge", "phone", "scanner", "projector", "headset"]
FAULTS = ["makes a noise", "does not start", "lost its cable", "shows an error", "smells odd", "was left outside"]
PLACES = ["lobby", "attic", "canteen", "garage", "archive", "workshop", "reception", "basement"]


def tickets(count: int) -> list[str]:
    return [f"The {THINGS[n % 10]} {FAULTS[n // 10 % 6]} {PLACES[n // 60 % 8]}. {DISCLAIMER}" for n in range(count)]


def normal(texts: list[str]) -> list[str]:
    return sketch.normal_forms(texts).to_pylist()


def test_what_most_texts_share_is_found_and_left_out() -> None:
    forms = normal(tickets(240))
    common = common_pieces.common_shingles(forms)
    (left,) = common_pieces.without(pa.array(forms[:1]), common).to_pylist()
    assert left.startswith("the printer makes a noise lob")
    assert "confidential" not in left
    assert common_pieces.common_shingles(forms[:19]) == frozenset()
    plain = normal(
        [f"{thing} for the {place} with {fault}" for thing in THINGS for place in PLACES for fault in FAULTS]
    )
    assert common_pieces.common_shingles(plain) == frozenset()


def test_a_text_of_nothing_else_stays_whole() -> None:
    forms = normal(tickets(240))
    common = common_pieces.common_shingles(forms)
    (alone,) = normal([DISCLAIMER])
    (left,) = common_pieces.without(pa.array([alone]), common).to_pylist()
    assert left == alone


@pytest.mark.parametrize("task", ["classification", "sft"])
def test_tickets_with_one_disclaimer_are_no_near_duplicates(fresh: Clone, tmp_path: Path, task: str) -> None:
    made = tickets(240)
    keys = ("text", "label") if task == "classification" else ("instruction", "output")
    rows = [dict(zip(keys, (text, ["hardware", "network"][n % 2]), strict=True)) for n, text in enumerate(made)]
    again = [dict(zip(keys, (f"{made[n].upper()}!", rows[n][keys[1]]), strict=True)) for n in range(20)]
    (tmp_path / "drop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (*rows, *again)))
    said = fresh.graft("add", "mine", str(tmp_path / "drop.jsonl"), "--replace", "--set", f"task={task}")
    assert "260 rows, 240 records (20 near-duplicate)" in said


def test_a_high_share_of_near_duplicates_is_warned_of(fresh: Clone, tmp_path: Path) -> None:
    rows = [
        f"A very long title of the {THINGS[n % 5]} in the {PLACES[n % 3]} of the house{'!' * (n // 15)},{n % 2}\n"
        for n in range(90)
    ]
    (tmp_path / "drop.csv").write_text("title,category\n" + "".join(rows))
    said = fresh.graft("add", "mine", str(tmp_path / "drop.csv"), "--replace")
    assert "near-duplicates of others" in said
    assert "near-duplicates of others" in fresh.graft("plan")
