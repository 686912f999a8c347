import hashlib
import json

import numpy as np
import pytest

from pipeline.common.errors import GraftError
from pipeline.data.index import index, runs, sketch
from pipeline.data.index.index import Index
from pipeline.data.records import message_columns


def digest(text: str) -> list[int]:
    return [int.from_bytes(hashlib.sha256(text.encode()).digest()[at : at + 8], "big") for at in range(0, 32, 8)]


def sketched(texts):
    return sketch.sketches(sketch.normal_forms(texts))


def rows(*pairs: tuple[int, str], evaluated: bool = False, keys: list[str] | None = None):
    """Rows of (question's number, label) pairs."""
    texts = [f"question {'abcdefghij'[n % 10] * 9} number {n}" for n, _ in pairs]
    return index.rows(
        np.array([digest(str(n)) for n, _ in pairs], dtype=np.uint64).reshape(-1, 4),
        np.array([digest(f"{n} {label}") for n, label in pairs], dtype=np.uint64).reshape(-1, 4),
        sketched(texts),
        evaluated=np.full(len(pairs), evaluated),
        labelled=np.ones(len(pairs), bool),
        answers_N=np.array([digest(label)[0] for _, label in pairs], dtype=np.uint64),
        keys_N=np.array([digest(key)[0] for key in keys] if keys else [0] * len(pairs), dtype=np.uint64),
    )


def grown(folder, *batches):
    """An index of one run per (increment, rows)."""
    current = Index()
    for number, (name, batch) in enumerate(batches):
        target = folder / str(number)
        target.mkdir(parents=True)
        current.extended(target, name, batch, {})
        current = index.load(target)
    return current


def states(current, asked):
    known = current.compare(asked)
    return [
        "seen" if seen else "conflict" if other else "new"
        for seen, other in zip(known.seen, known.conflict, strict=True)
    ]


def test_seen_new_and_conflict_over_all_runs(tmp_path):
    current = grown(tmp_path, ("a", rows((1, "x"), (2, "x"))), ("b", rows((3, "y"))))
    asked = rows((1, "x"), (1, "other"), (3, "y"), (3, "x"), (4, "x"))
    assert states(current, asked) == ["seen", "conflict", "seen", "conflict", "new"]


def test_questions_that_share_their_first_bytes_are_told_apart(tmp_path):
    one = rows((1, "x"))
    other = one.copy()
    other[runs.P1] += np.uint64(1)
    current = grown(tmp_path, ("a", one))
    assert states(current, np.concatenate([one, other], axis=1)) == ["seen", "new"]


def test_empty_index_and_empty_question(tmp_path):
    assert states(Index(), rows((1, "x"))) == ["new"]
    assert states(Index(), runs.none()) == []
    assert states(grown(tmp_path, ("a", rows((1, "x")))), runs.none()) == []


def test_sides_are_remembered_also_of_what_is_gone(tmp_path):
    kept, held_out = rows((1, "x")), rows((2, "x"), evaluated=True)
    current = grown(tmp_path, ("a", kept), ("b", held_out), ("c", index.gone(np.concatenate([kept, held_out], axis=1))))
    known = current.compare(rows((1, "y"), (2, "y"), (3, "y")))
    assert known.trained.tolist() == [True, False, False]
    assert known.evaluated.tolist() == [False, True, False]


def test_the_newest_row_says_whether_a_record_is_gone(tmp_path):
    one = rows((1, "x"), keys=["sku"])
    gone = index.gone(one)
    assert states(grown(tmp_path / "1", ("a", one), ("b", gone)), one) == ["new"]
    assert states(grown(tmp_path / "2", ("a", one), ("b", gone), ("c", one)), one) == ["seen"]
    assert grown(tmp_path / "3", ("a", one), ("b", gone)).with_key(one[runs.KEY]).query_M.tolist() == []
    eight = [("a", one), ("b", gone), *[(f"more-{n}", rows((n + 10, "x"))) for n in range(6)]]
    united = grown(tmp_path / "4", *eight)
    assert [run.file for run in united.runs] == ["00001+8.run"]
    assert (states(united, one), united.records) == (["new"], 7)


def test_keys_find_the_live_rows_of_an_item(tmp_path):
    current = grown(
        tmp_path, ("a", rows((1, "x"), (2, "x"), keys=["sku-1", "sku-2"])), ("b", rows((3, "x"), keys=["sku-1"]))
    )
    found = current.with_key(np.array([digest("sku-1")[0], digest("none")[0], 0], dtype=np.uint64))
    assert found.query_M.tolist() == [0, 0]
    assert sorted(found.rows_CM[runs.P0].tolist()) == sorted([digest("1")[0], digest("3")[0]])


def test_near_texts_are_found_and_say_how_near(tmp_path):
    text = "walnut writing desk with three drawers and brass handles"
    texts = [text, text + " new", "something else entirely, in other words"]

    def of(text):
        made = rows((1, "x"))
        sketches = sketched([text])
        made[runs.MARKS], made[runs.BAND :, 0] = sketches.marks_N, sketches.bands_N8[0]
        return made

    current = grown(tmp_path, ("a", of(text)))
    found, how = current.near(sketched(texts), 0.8)
    assert found.query_M.tolist() == [0, 1]
    assert how[0] == 1.0
    assert 0.8 <= how[1] < 1.0


def test_order_and_repeats_do_not_change_the_bytes(tmp_path):
    pairs = [(n, "x") for n in range(50)]
    one = grown(tmp_path / "one", ("a", rows(*pairs)))
    two = grown(tmp_path / "two", ("a", rows(*reversed(pairs), pairs[0])))
    assert one.runs == two.runs
    assert (one.folder / one.runs[0].file).read_bytes() == (two.folder / two.runs[0].file).read_bytes()


def test_run_is_sorted_and_holds_the_digests(tmp_path):
    current = grown(tmp_path, ("a", rows(*((n, "x") for n in range(9)))))
    columns = np.fromfile(current.folder / current.runs[0].file, dtype="<u8").reshape(runs.COLUMNS + runs.FINDERS, 9)
    assert columns[:2].T.tolist() == sorted(digest(str(n))[:2] for n in range(9))
    assert np.all(columns[runs.COLUMNS :, :-1] <= columns[runs.COLUMNS :, 1:])


def test_old_runs_keep_their_bytes_and_an_empty_run_is_not_written(tmp_path):
    current = grown(tmp_path, ("a", rows((1, "x"))), ("b", rows((2, "x"))), ("b", runs.none()))
    first = tmp_path / "0" / "00001-a.run"
    assert [run.file for run in current.runs] == ["00001-a.run", "00002-b.run"]
    assert (tmp_path / "2" / "00001-a.run").read_bytes() == first.read_bytes()
    assert sorted(path.name for path in (tmp_path / "2").iterdir()) == ["00001-a.run", "00002-b.run", "index.json"]


def test_same_increment_twice_gets_two_files(tmp_path):
    current = grown(tmp_path, ("a", rows((1, "x"))), ("a", rows((2, "x"))))
    assert [run.file for run in current.runs] == ["00001-a.run", "00002-a.run"]


def test_labels_are_counted_over_the_chain(tmp_path):
    (tmp_path / "0").mkdir()
    (tmp_path / "1").mkdir()
    first = Index().extended(tmp_path / "0", "a", rows((1, "x")), {"x": 2})
    assert first.extended(tmp_path / "1", "b", rows((2, "y")), {"x": 1, "y": 4}).labels == {"x": 3, "y": 4}
    assert index.load(tmp_path / "1").labels == {"x": 3, "y": 4}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("algorithm", "blake3", id="algorithm"),
        pytest.param("version", 1, id="version"),
        pytest.param("normaliser", 7, id="normaliser"),
        pytest.param("known_answers", ["00"], id="known-answers"),
    ],
)
def test_other_kind_is_refused(tmp_path, key, value):
    current = grown(tmp_path, ("a", rows((1, "x"))))
    path = current.folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(GraftError, match=key.replace("_", " ")):
        index.load(current.folder)


def test_damage_is_named(tmp_path):
    current = grown(tmp_path, ("a", rows((1, "x"))), ("b", rows((2, "x"))))
    (current.folder / "00001-a.run").unlink()
    (current.folder / "00002-b.run").write_bytes(b"cut")
    with pytest.raises(GraftError, match=r"(?s)00001-a.run: missing.*00002-b.run: 3 bytes, expected 184"):
        index.load(current.folder)
    (current.folder / "index.json").write_text("{")
    with pytest.raises(GraftError, match="missing or unreadable"):
        index.load(current.folder)


def test_agrees_with_a_dictionary(tmp_path):
    source = np.random.default_rng(5)
    batches = [(name, [(int(n), "xyz"[n % 3]) for n in source.integers(0, 3000, 800)]) for name in "abc"]
    current = grown(tmp_path, *((name, rows(*pairs)) for name, pairs in batches))
    known = {n: "xyz"[n % 3] for _, pairs in batches for n, _ in pairs}
    asked = [(int(n), answer) for n in source.integers(0, 4000, 2000) for answer in "xy"]
    expected = ["new" if n not in known else "seen" if known[n] == answer else "conflict" for n, answer in asked]
    assert states(current, rows(*asked)) == expected


def test_a_long_chain_has_few_runs_and_forgets_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BLOCK", 7)  # so that runs are united in pieces
    batches = [(f"month-{n}", [(3 * n + k, "x") for k in range(1 + n % 3)]) for n in range(75)]
    current = grown(tmp_path, *((name, rows(*pairs)) for name, pairs in batches))
    assert [run.file for run in current.runs[:2]] == ["00001+64.run", "00065+8.run"]
    assert [run.span for run in current.runs] == [64, 8, 1, 1, 1]
    assert sorted(path.name for path in current.folder.glob("*.run")) == [run.file for run in current.runs]
    pairs = [pair for _, batch in batches for pair in batch]
    assert states(current, rows(*pairs)) == ["seen"] * len(pairs)
    assert states(current, rows(*((n, "y") for n, _ in pairs))) == ["conflict"] * len(pairs)
    assert states(current, rows((1000, "x"))) == ["new"]
    found, _ = current.near(sketched([f"question {'abcdefghij'[n % 10] * 9} number {n}" for n, _ in pairs]), 1.0)
    assert set(found.query_M.tolist()) == set(range(len(pairs)))
    united = np.fromfile(current.folder / "00001+64.run", dtype="<u8").reshape(runs.COLUMNS + runs.FINDERS, -1)
    assert np.all(united[0][:-1] < united[0][1:])
    assert grown(tmp_path / "again", *((name, rows(*pairs)) for name, pairs in batches)).runs == current.runs


def test_hashes_of_names_are_never_zero_but_for_none():
    import pyarrow as pa

    assert message_columns.hashes(pa.array(["a", None, "b", "a"])).tolist() == [
        digest("a")[0],
        0,
        digest("b")[0],
        digest("a")[0],
    ]
