import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.data import arrow, golden, records, slices
from pipeline.data.records import Record
from pipeline.errors import GraftError
from pipeline.stages import assemble
from pipeline.stages.assemble import FATES, Increment, Params, Parent

OPTIONS = Params(eval_share=0.3, slice_items=20, max_slices=4, reservoir=50, replay_share=0.5)


def record(n: int, label: str | None = None, increment: str = "winter") -> Record:
    messages = records.classification(f"title {n}", label or "xyz"[n % 3])
    return Record(id=records.content_id(messages), messages=messages, increment=increment, file="raw/a.csv", line=n + 1)


def batch(start: int, stop: int, increment: str = "winter") -> list[Record]:
    return [record(n, increment=increment) for n in range(start, stop)]


class Chain:
    """Releases on disk: each step assembles onto the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parent, self.steps = folder, Parent(), 0

    def add(self, name: str, items, options: Params = OPTIONS, golden=None, fresh: bool = False):
        new = Increment(name=name, records=items, golden=golden or {}, fresh=fresh)
        done = assemble.assemble(new, self.parent, options)
        report = done.report
        assert report["records"] == sum(report[fate] for fate in FATES) == len(items)
        assert len(done.train) == report["train_new"] + report["replayed"]
        assert len(done.dropped) == len(items) - report["train_new"] - report["eval"]
        assert not prompts(done.train) & slices.prompts(item for slice_ in done.slices.values() for item in slice_)
        assert not prompts(done.reservoir) & slices.prompts(item for slice_ in done.slices.values() for item in slice_)
        out = self.folder / str(self.steps)
        assemble.write(done, self.parent, name, out)
        self.parent, self.steps = assemble.load_parent(out), self.steps + 1
        return done

    def files(self) -> dict[str, bytes]:
        out = self.folder / str(self.steps - 1)
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture
def chain(tmp_path):
    return Chain(tmp_path)


def prompts(items):
    return slices.prompts(items)


def fates(done):
    return {item.id: reason for item, reason in done.dropped}


def test_first_increment_splits_by_the_prompts_hash(chain):
    items = batch(0, 100)
    done = chain.add("winter", items, replace(OPTIONS, slice_items=1000))
    for item in items:
        evaluated = int(records.content_id(item.prompt)[:16], 16) < 0.3 * 2**64
        assert (item in done.slices["winter"]) is evaluated
        assert (item in done.train) is not evaluated
    assert done.report["replayed"] == 0
    assert done.labels == ["x", "y", "z"]
    assert done.report["new_labels"] == ["x", "y", "z"]


def test_slice_is_the_lowest_prompt_hashes_and_the_rest_is_dropped_as_over_cap(chain):
    done = chain.add("winter", batch(0, 200))
    over = [item for item, reason in done.dropped if reason == "eval_over_cap"]
    assert len(done.slices["winter"]) == 20
    assert max(prompts(done.slices["winter"])) < min(prompts(over))


def test_order_does_not_change_a_byte(tmp_path):
    files = []
    for seed in (1, 2):
        chain = Chain(tmp_path / str(seed))
        for name, items in (("winter", batch(0, 200)), ("spring", batch(150, 400, "spring"))):
            random.Random(seed).shuffle(items)  # noqa: S311
            chain.add(name, items)
        files.append(chain.files())
    assert files[0] == files[1]


def test_same_increment_again_trains_nothing(chain):
    first = chain.add("winter", batch(0, 200))
    again = chain.add("winter", batch(0, 200))
    assert (again.train, again.report["seen"], again.report["replayed"]) == ([], 200, 0)
    assert (again.slices, again.reservoir, again.labels) == (first.slices, first.reservoir, first.labels)
    assert [run.increment for run in chain.parent.index.runs] == ["winter"]


def test_history_wins_over_another_answer(chain):
    chain.add("winter", batch(0, 200))
    done = chain.add("spring", [record(n, "other") for n in range(200)])
    assert set(fates(done).values()) == {"conflicts"}
    assert done.labels == ["x", "y", "z"]


def test_old_slices_and_runs_keep_their_bytes(chain):
    chain.add("winter", batch(0, 200))
    before = chain.files()
    chain.add("spring", batch(200, 400, "spring"))
    after = chain.files()
    for name in ("slices/winter.arrow", "index/00001-winter.run"):
        assert after[name] == before[name]
    assert "slices/spring.arrow" in after


def test_replay_is_its_share_of_what_is_trained_on(chain):
    first = chain.add("winter", batch(0, 200))
    done = chain.add("spring", batch(200, 250, "spring"), replace(OPTIONS, replay_share=0.25))
    assert done.report["replayed"] == round(done.report["train_new"] / 3)
    old = [item for item in done.train if item.increment == "winter"]
    assert len(old) == done.report["replayed"]
    assert {item.id for item in old} <= {item.id for item in first.reservoir}
    assert [item.id for item in done.train] == sorted(item.id for item in done.train)


def test_replay_is_bounded_by_the_reservoir(chain):
    chain.add("winter", batch(0, 200))
    assert chain.add("spring", batch(200, 500, "spring")).report["replayed"] == OPTIONS.reservoir


def test_each_increment_draws_its_own_sample():
    reservoir = batch(0, 100)
    draws = [assemble.replay(reservoir, 10, 0.5, salt=salt) for salt in ("spring", "summer", "spring")]
    assert [len(draw) for draw in draws] == [10, 10, 10]
    assert draws[0] == draws[2] == assemble.replay(reservoir[::-1], 10, 0.5, salt="spring")
    assert draws[0] != draws[1]


def test_reservoir_of_a_chain_is_the_reservoir_of_all_at_once(tmp_path):
    parts, whole = Chain(tmp_path / "parts"), Chain(tmp_path / "whole")
    for start in range(0, 400, 100):
        last = parts.add(f"part-{start}", batch(start, start + 100))
    assert last.reservoir == whole.add("all", batch(0, 400)).reservoir
    assert len(last.reservoir) == OPTIONS.reservoir


def test_oldest_slices_fold_into_history(chain):
    done = [chain.add(f"part-{n}", batch(n * 100, n * 100 + 100)) for n in range(6)]
    assert list(done[3].slices) == ["part-0", "part-1", "part-2", "part-3"]
    assert list(done[4].slices) == ["history", "part-2", "part-3", "part-4"]
    assert list(done[5].slices) == ["history", "part-3", "part-4", "part-5"]
    folded = [item for n in range(3) for item in done[n].slices[f"part-{n}"]]
    assert done[5].slices["history"] == slices.lowest(folded, OPTIONS.slice_items)


def test_golden_prompts_are_in_no_other_place(chain):
    done = chain.add("winter", batch(0, 200), golden={"golden-hand": batch(0, 30)})
    assert {reason for item, reason in done.dropped if item in batch(0, 30)} == {"golden"}
    assert done.slices["golden-hand"] == batch(0, 30)
    assert "golden-hand" not in chain.parent.slices
    later = chain.add("spring", batch(200, 300, "spring"), golden={"golden-more": done.reservoir[:10]})
    assert not prompts([*later.train, *later.reservoir]) & prompts(done.reservoir[:10])
    assert set(later.slices) == {"winter", "spring", "golden-more"}


def test_another_eval_share_never_moves_a_slice_item_to_training(chain):
    first = chain.add("winter", batch(0, 200))
    for fresh in (False, True):
        done = chain.add("again", batch(0, 200), replace(OPTIONS, eval_share=0.01), fresh=fresh)
        assert not prompts(done.train) & prompts(first.slices["winter"])


def test_fresh_trains_on_the_whole_chain_again(chain):
    chain.add("winter", batch(0, 200))
    second = chain.add("spring", batch(200, 400, "spring"))
    union = [replace(item, increment="full") for item in batch(0, 450)]
    done = chain.add("full", union, fresh=True)
    sides = [slices.held_out(records.content_id(item.prompt), 0.3) for item in union]
    assert done.report["train_new"] == len(done.train) == sides.count(False)
    assert done.report["replayed"] == 0
    assert {item.increment for item in done.reservoir} == {"full"}
    assert done.report["seen"] == sides[:400].count(True)
    assert set(done.slices) == {"winter", "spring", "full"}
    assert {key: done.slices[key] for key in second.slices} == second.slices
    assert chain.parent.index.runs[-1].records == 50


def test_labels_grow_with_the_chain_and_start_anew_when_fresh(chain):
    chain.add("winter", batch(0, 200))
    done = chain.add("spring", [record(n, "new") for n in range(200, 220)])
    assert (done.labels, done.report["new_labels"]) == (["new", "x", "y", "z"], ["new"])
    assert chain.add("full", [record(n, "only") for n in range(300, 320)], fresh=True).labels == ["only"]


def test_nothing_new_at_all(chain):
    done = chain.add("winter", [])
    assert (done.train, done.slices, done.reservoir, done.labels) == ([], {}, [], [])


def test_dropped_records_are_kept_with_reason_and_origin(chain):
    chain.add("winter", batch(0, 5))
    chain.add("spring", batch(0, 5, "spring"))
    rows = [json.loads(line) for line in chain.files()["dropped.jsonl"].splitlines()]
    assert {(row["reason"], row["increment"], row["file"]) for row in rows} == {("seen", "spring", "raw/a.csv")}
    assert sorted(row["line"] for row in rows) == [1, 2, 3, 4, 5]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


def write_golden(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.jsonl").write_text(content, encoding="utf-8")
    return folder


def test_golden_items_are_cleaned_as_records_are(tmp_path):
    folder = write_golden(
        tmp_path,
        hand='{"text": " red\\tfridge a@b.example", "label": "Fridges"}\n\n'
        '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}\n',
        empty="",
    )
    (slice_,) = golden.load(folder, "Which kind?").items()
    assert slice_[0] == "golden-hand"
    assert {(item.prompt[0]["content"], item.answer, item.file, item.line) for item in slice_[1]} == {
        ("Which kind?\nred fridge [EMAIL]", "Fridges", "data/golden/hand.jsonl", 1),
        ("Hi", "Ho", "data/golden/hand.jsonl", 3),
    }
    assert golden.load(tmp_path / "absent", "") == {}


def test_every_bad_golden_line_is_named(tmp_path):
    folder = write_golden(
        tmp_path,
        a='{"text": "red", "label": "x"}\n{\n{"text": "red"}\n{"text": "red", "label": "x"}\n'
        '{"text": "", "label": "x"}\n',
        b='{"text": "red", "label": "y"}\n{"messages": [{"role": "user", "content": "Hi"}]}\n'
        '{"text": "red", "label": 3}\n',
    )
    with pytest.raises(GraftError) as error:
        golden.load(folder, "")
    found = [error.value.message.split(": ", 1)[1], *error.value.problems]
    assert [line.split(": ")[0] for line in found] == [
        "a.jsonl:2", "a.jsonl:3", "a.jsonl:4", "a.jsonl:5", "b.jsonl:1", "b.jsonl:2", "b.jsonl:3",
    ]  # fmt: skip
    assert found[2] == "a.jsonl:4: the same question as a.jsonl:1"
    assert found[4] == "b.jsonl:1: the same question as a.jsonl:1"


def test_main(tmp_path, monkeypatch, capsys):
    root = Path(__file__).parents[2]
    monkeypatch.chdir(tmp_path)
    folder = Path("data/increments/winter")
    folder.mkdir(parents=True)
    (folder / "increment.yaml").write_text(
        "version: 1\ntask: classification\ninstruction: ''\n"
        "files:\n  raw/a.jsonl: {format: jsonl, encoding: utf-8, text: title, label: kind}\n"
    )
    Path("params.yaml").write_bytes((root / "params.yaml").read_bytes())
    hashes = {"revision": None, "sha256": {"f": "0" * 64}}
    base = {"requested": {"source": "builtin", "revision": None}, "resolved": hashes}
    lock = {"version": 1, "base": base, "parent": None, "anchor": None, "toolchain": {"torch": "2.13.0"}}
    Path("models.lock").write_text(json.dumps(lock | {"increment": folder.as_posix()}))
    Path("models/parent").mkdir(parents=True)
    Path("models/parent/NONE").touch()
    write_golden(Path("data/golden"), hand='{"text": "title 3", "label": "x"}\n')
    rows = [{name: getattr(item, name) for name in arrow.SCHEMA.names} for item in batch(0, 60)]
    Path("data/prepared").mkdir()
    Path("data/prepared/records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("data/assembled").mkdir()
    Path("data/assembled/stale").touch()
    assemble.main()
    assert sorted(path.name for path in Path("data/assembled").iterdir()) == [
        "dropped.jsonl", "index", "labels.json", "report.json", "reservoir.arrow", "slices", "train.arrow",
    ]  # fmt: skip
    report = json.loads(Path("data/assembled/report.json").read_text())
    assert (report["records"], report["golden"], report["slices"]["golden-hand"]) == (60, 1, 1)
    assert len(arrow.read_records(Path("data/assembled/train.arrow"))) == report["train_new"]
    assert f"assemble: train on {report['train_new']} new and 0 replayed" in capsys.readouterr().out
