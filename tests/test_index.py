import hashlib
import json

import numpy as np
import pytest

from pipeline.data import index
from pipeline.data.index import CONFLICT, NEW, SEEN, Index
from pipeline.errors import GraftError


def prompt(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


def keys(*pairs: tuple[int, str]):
    return index.keys((prompt(n), answer) for n, answer in pairs)


def grown(folder, *batches):
    """An index of one run per (increment, pairs)."""
    current = Index()
    for number, (name, pairs) in enumerate(batches):
        target = folder / str(number)
        target.mkdir(parents=True)
        current.extended(target, name, keys(*pairs))
        current = index.load(target)
    return current


def test_seen_new_and_conflict_over_all_runs(tmp_path):
    current = grown(tmp_path, ("a", [(1, "x"), (2, "x")]), ("b", [(3, "y")]))
    asked = keys((1, "x"), (1, "other"), (3, "y"), (3, "x"), (4, "x"))
    assert current.compare(asked).tolist() == [SEEN, CONFLICT, SEEN, CONFLICT, NEW]


@pytest.mark.parametrize(
    "batches",
    [
        pytest.param([("a", [(1, "x"), (1, "y")])], id="in-one-run"),
        pytest.param([("a", [(1, "x")]), ("b", [(1, "y")])], id="in-two-runs"),
        pytest.param([("a", [(1, "y")]), ("b", [(1, "x")])], id="in-two-runs-the-other-way-round"),
    ],
)
def test_seen_wins_when_a_prompt_has_two_answers(tmp_path, batches):
    current = grown(tmp_path, *batches)
    assert current.compare(keys((1, "x"), (1, "y"), (1, "z"))).tolist() == [SEEN, SEEN, CONFLICT]


def test_prompts_that_share_their_first_bytes_are_told_apart(tmp_path):
    near = [prompt(1)[:-1] + digit for digit in "0123456789abcdef"]
    Index().extended(tmp_path, "a", index.keys((one, "x") for one in near[::2]))
    states = index.load(tmp_path).compare(index.keys((one, "x") for one in near))
    assert states.tolist() == [SEEN, NEW] * 8


def test_empty_index_and_empty_question():
    assert Index().compare(keys((1, "x"))).tolist() == [NEW]
    assert Index().compare(keys()).tolist() == []


def test_order_and_repeats_do_not_change_the_bytes(tmp_path):
    pairs = [(n, "x") for n in range(50)]
    one = grown(tmp_path / "one", ("a", pairs))
    two = grown(tmp_path / "two", ("a", [*reversed(pairs), pairs[0]]))
    assert one.runs == two.runs
    assert (one.folder / one.runs[0].file).read_bytes() == (two.folder / two.runs[0].file).read_bytes()


def test_run_is_sorted_and_holds_the_digests(tmp_path):
    current = grown(tmp_path, ("a", [(n, "x") for n in range(9)]))
    columns = np.fromfile(current.folder / current.runs[0].file, dtype="<u8").reshape(5, 9)
    assert columns[:4].T.astype(">u8").tobytes().hex() == "".join(sorted(prompt(n) for n in range(9)))
    assert columns[4].astype(">u8").tobytes() == hashlib.sha256(b"x").digest()[:8] * 9


def test_old_runs_keep_their_bytes_and_an_empty_run_is_not_written(tmp_path):
    current = grown(tmp_path, ("a", [(1, "x")]), ("b", [(2, "x")]), ("b", []))
    first = tmp_path / "0" / "00001-a.run"
    assert [run.file for run in current.runs] == ["00001-a.run", "00002-b.run"]
    assert (tmp_path / "2" / "00001-a.run").read_bytes() == first.read_bytes()
    assert sorted(path.name for path in (tmp_path / "2").iterdir()) == ["00001-a.run", "00002-b.run", "index.json"]


def test_same_increment_twice_gets_two_files(tmp_path):
    current = grown(tmp_path, ("a", [(1, "x")]), ("a", [(2, "x")]))
    assert [run.file for run in current.runs] == ["00001-a.run", "00002-a.run"]


def test_index_json(tmp_path):
    current = grown(tmp_path, ("a", [(1, "x")]))
    assert json.loads((current.folder / "index.json").read_text()) == {
        "algorithm": "sha256",
        "version": 1,
        "runs": [{"file": "00001-a.run", "increment": "a", "records": 1}],
    }


@pytest.mark.parametrize(("key", "value"), [("algorithm", "blake3"), ("version", 2)])
def test_other_kind_is_refused(tmp_path, key, value):
    current = grown(tmp_path, ("a", [(1, "x")]))
    path = current.folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(GraftError, match=str(value)):
        index.load(current.folder)


def test_damage_is_named(tmp_path):
    current = grown(tmp_path, ("a", [(1, "x")]), ("b", [(2, "x")]))
    (current.folder / "00001-a.run").unlink()
    (current.folder / "00002-b.run").write_bytes(b"cut")
    with pytest.raises(GraftError, match=r"(?s)00001-a.run: missing.*00002-b.run: 3 bytes, expected 40"):
        index.load(current.folder)
    (current.folder / "index.json").write_text("{")
    with pytest.raises(GraftError, match="missing or unreadable"):
        index.load(current.folder)


def test_agrees_with_a_dictionary(tmp_path):
    source = np.random.default_rng(5)
    batches = [(name, [(int(n), "xyz"[n % 3]) for n in source.integers(0, 3000, 800)]) for name in "abc"]
    current = grown(tmp_path, *batches)
    known = {n: "xyz"[n % 3] for _, pairs in batches for n, _ in pairs}
    asked = [(int(n), answer) for n in source.integers(0, 4000, 2000) for answer in "xy"]
    expected = [NEW if n not in known else SEEN if known[n] == answer else CONFLICT for n, answer in asked]
    assert current.compare(keys(*asked)).tolist() == expected


def test_a_long_chain_has_few_runs_and_forgets_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "BLOCK", 7)  # so that runs are united in pieces
    batches = [(f"month-{n}", [(3 * n + k, "x") for k in range(1 + n % 3)]) for n in range(75)]
    current = grown(tmp_path, *batches)
    assert [run.file for run in current.runs[:2]] == ["00001+64.run", "00065+8.run"]
    assert [run.span for run in current.runs] == [64, 8, 1, 1, 1]
    assert sorted(path.name for path in current.folder.glob("*.run")) == [run.file for run in current.runs]
    pairs = [pair for _, batch in batches for pair in batch]
    assert current.compare(keys(*pairs)).tolist() == [SEEN] * len(pairs)
    assert current.compare(keys(*((n, "y") for n, _ in pairs))).tolist() == [CONFLICT] * len(pairs)
    assert current.compare(keys((1000, "x"))).tolist() == [NEW]
    united = np.fromfile(current.folder / "00001+64.run", dtype="<u8").reshape(5, -1)
    assert np.all(united[0][:-1] < united[0][1:])
    assert grown(tmp_path / "again", *batches).runs == current.runs
