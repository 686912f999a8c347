"""What examples/ and data/golden/ ship: repeatable, realistic, and small."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples import drops
from examples.titles import KINDS, WORDS, Dice, choose, fill, title
from tests.conftest import ROOT, SAMPLE

INCREMENTS = ROOT / "examples/increments"
GOLDEN = SAMPLE / "data/golden/bestsellers.jsonl"


def test_generator_writes_every_file_that_ships_byte_for_byte(tmp_path):
    command = [sys.executable, "-m", "examples.generate", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    shipped, written = (
        {
            path.relative_to(root): path.read_bytes()
            for part in ("corpus", "increments")
            for path in (root / part).rglob("*.*")
        }
        for root in (ROOT / "examples", tmp_path)
    )
    assert shipped.keys() == written.keys()
    assert [str(name) for name in written if written[name] != shipped[name]] == []


def test_first_increment_is_the_one_that_the_pipeline_runs_on():
    raw = ROOT / "data/increments/2026-01-winter/raw/products.csv"
    if not raw.exists():
        pytest.skip("its raw files are not pulled")
    assert raw.read_bytes() == (INCREMENTS / "2026-01-winter/products.csv").read_bytes()


def test_increments_together_stay_below_one_megabyte():
    assert sum(path.stat().st_size for path in INCREMENTS.rglob("*") if path.is_file()) < 1_000_000


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("plain", {"plain"}, id="nothing-to-choose"),
        pytest.param("{a|b}", {"a", "b"}, id="choice"),
        pytest.param("{8-10}", {"8", "9", "10"}, id="range-with-both-ends"),
        pytest.param("{100-300/100}W", {"100W", "200W", "300W"}, id="range-in-steps"),
        pytest.param("{x|a {b|c}}", {"x", "a b", "a c"}, id="nested"),
        pytest.param("{|s}", {"", "s"}, id="empty-choice"),
    ],
)
def test_pattern_settles_to_each_of_its_choices(pattern, expected):
    dice = Dice(1)
    assert {choose(pattern, dice) for _ in range(100)} == expected


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_pattern_of_a_kind_can_be_filled(kind, language):
    dice = Dice(2)
    tables = (WORDS["kinds"][kind], WORDS["common"])
    patterns = [p for table in tables for values in table.values() if isinstance(values, list) for p in values]
    texts = [fill(pattern, kind, language, dice) for pattern in patterns if isinstance(pattern, str)]
    assert [text for text in texts if set(text) & set("{}<>|") - set("|")] == []


def test_dice_repeat_on_every_python():
    dice = Dice(7)
    assert [dice.below(1000) for _ in range(5)] == [323, 150, 650, 72, 535]


def test_title_is_repeatable():
    assert title("Shoes", Dice(3)) == title("Shoes", Dice(3))


@pytest.mark.parametrize(
    ("name", "labels"),
    [("2026-01-winter", 10), ("2026-02-spring", 12), ("2026-03-shuffled", 12)],
)
def test_increment_is_mostly_clean(name, labels):
    good, rows = [], 0
    for path in sorted((INCREMENTS / name).iterdir()):
        found, lines = _read(path)
        good, rows = good + found, rows + lines
    distinct = set(good)
    assert 1400 <= rows <= 1600
    assert 0.90 <= len(distinct) / rows < 1
    assert len({label for _, label in distinct}) == labels
    assert len({text for text, _ in distinct}) < len(distinct), "no conflicting labels"


def test_increment_has_every_kind_of_dirt():
    titles = [text for path in INCREMENTS.rglob("*.*") for text, _ in _read(path)[0]]
    for mark in ("@example", "+44 20 7946", "â€“", "\ufffd"):
        assert any(mark in text for text in titles), mark


def test_second_increment_lists_products_of_the_first_again():
    first = {text for text, _ in _read(INCREMENTS / "2026-01-winter/products.csv")[0]}
    second = {text for path in (INCREMENTS / "2026-02-spring").iterdir() for text, _ in _read(path)[0]}
    assert 20 <= len(first & second) <= 80


def test_golden_items_fit_the_first_increment_and_stand_in_none():
    items = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    assert {item["label"] for item in items} == set(drops.FIRST)
    everything = "".join(path.read_text(encoding="utf-8") for path in INCREMENTS.rglob("*.*"))
    assert [item["text"] for item in items if item["text"] in everything] == []


def _read(path: Path) -> tuple[list[tuple[str, str]], int]:
    """Usable (title, category) pairs of a file, and how many rows it has in all."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(_jsonl(file) if path.suffix == ".jsonl" else _csv(file))
    return [row for row in rows if row is not None and all(row)], len(rows)


def _csv(file):
    delimiter = ";" if ";title;" in file.readline() else ","
    for cells in csv.reader(file, delimiter=delimiter):
        yield (cells[1], cells[3]) if len(cells) == 4 else None


def _jsonl(file):
    for line in file:
        try:
            value = json.loads(line)
            yield value["title"], value["category"]
        except (ValueError, KeyError):
            yield None
