"""Near-duplicates where many records share a disclaimer, a signature, a form."""

import itertools
import json
import random
from collections.abc import Iterator
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
    common = common_pieces.find(forms)
    (left,) = common_pieces.without(pa.array(forms[:1]), common).to_pylist()
    assert left.startswith("the printer makes a noise lob")
    assert "confidential" not in left
    assert common_pieces.find(forms[:19]) == frozenset()
    plain = normal(
        [f"{thing} for the {place} with {fault}" for thing in THINGS for place in PLACES for fault in FAULTS]
    )
    assert common_pieces.find(plain) == frozenset()


def test_a_text_of_nothing_else_stays_whole() -> None:
    forms = normal(tickets(240))
    common = common_pieces.find(forms)
    (alone,) = normal([DISCLAIMER])
    (left,) = common_pieces.without(pa.array([alone]), common).to_pylist()
    assert left == alone


def complaints(count: int, seed: int = 7) -> list[str]:
    rng = random.Random(seed)  # noqa: S311
    some = [f"The {a} of the {b} {c} and the {d} {e}." for a, b, c, d, e in itertools.islice(_parts(rng), count)]
    return list(dict.fromkeys(some))


def _parts(rng: random.Random) -> Iterator[tuple[str, ...]]:
    while True:
        yield tuple(rng.choice(words) for words in (THINGS, PLACES, FAULTS, THINGS, FAULTS))


def reworded(text: str, place: int) -> str:
    words = text.split()
    return " ".join([*words[:place], ["so", "it", "a"][place % 3], *words[place + 1 :]])


LONG = " ".join(complaints(20, seed=3))
COPIES = [reworded(LONG, place) for place in range(1, 31)]
SLIPS = [f"{LONG} {reworded(DISCLAIMER, place)}" for place in range(3, 33, 3)]
CUT = "Cotton shirt with round neck and long sleeves, washed by machine, pleasant on the skin in all seasons, in "


@pytest.mark.parametrize(
    ("texts", "boilerplate"),
    [
        *(
            pytest.param(
                [text + (f" {DISCLAIMER}" if n % every == 0 else "") for n, text in enumerate(complaints(400))],
                True,
                id=f"a-disclaimer-below-one-in-{every}",
            )
            for every in (20, 10, 3)
        ),
        pytest.param(
            [
                (
                    f"Answer in one sentence, be polite, and promise nothing that you cannot keep: {text}"
                    if n % 5 == 0
                    else text
                )
                for n, text in enumerate(complaints(400))
            ],
            True,
            id="the-template-of-a-question",
        ),
        pytest.param([*complaints(300), *COPIES], False, id="one-text-lightly-reworded"),
        pytest.param([*complaints(300), *(CUT + word for word in THINGS + PLACES)], False, id="variants-by-one-word"),
        pytest.param(complaints(400), False, id="nothing"),
    ],
)
def test_passages_beside_texts_of_their_own_are_boilerplate(texts: list[str], boilerplate: bool) -> None:
    found = [piece for piece in common_pieces.find(normal(texts)) if len(piece) > 50]  # not of the made tickets
    assert bool(found) == boilerplate


def test_some_tickets_with_a_disclaimer_and_reworded_copies(fresh: Clone, tmp_path: Path) -> None:
    own = [text + (f" {DISCLAIMER}" if n % 4 == 0 else "") for n, text in enumerate(complaints(400))]
    rows = [{"text": text, "label": "ab"[n % 2]} for n, text in enumerate(own)]
    copies = [{"text": f"{text} {DISCLAIMER}", "label": "a"} for text in (LONG, *COPIES)]
    copies += [{"text": text, "label": "a"} for text in SLIPS]
    (tmp_path / "drop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (*rows, *copies)))
    said = fresh.graft("add", "mine", str(tmp_path / "drop.jsonl"), "--replace")
    assert f"{len(own) + 41} rows, {len(own) + 1} records" in said


def test_two_texts_with_different_boilerplate_stay_apart() -> None:
    texts = [text + f" {DISCLAIMER if n % 2 else CUT}" for n, text in enumerate(complaints(400))]
    (same, other) = normal([f"{LONG} {DISCLAIMER}", f"{LONG} {CUT}"])
    found = common_pieces.sketched(pa.array([same, other]), common_pieces.find(normal(texts)))
    assert found.marks_N[0] != found.marks_N[1]
    assert (found.bytes_NH[0] == found.bytes_NH[1]).all()


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
