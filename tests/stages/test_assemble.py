import json
import random
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.data.assemble import assemble_report, golden, replay, slices, state
from pipeline.data.assemble.fates import FATES
from pipeline.data.assemble.settings import AssembleSettings
from pipeline.data.augment.settings import AugmentSettings
from pipeline.data.clean.settings import CleaningSettings
from pipeline.data.index import sketch
from pipeline.data.prepare.conflicts import Review
from pipeline.data.records import arrow, item_marks, jsonl, kinds, records
from pipeline.data.records.records import Record
from pipeline.model.base import base_files
from pipeline.stages import assemble
from pipeline.stages.assemble import NewRecords
from tests.stages.conftest import set_params, settle

OPTIONS = AssembleSettings(eval_share=0.3, slice_items=20, max_slices=4, reservoir=50)
WORDS = [
    "lamp",
    "sofa",
    "chair",
    "spoon",
    "radio",
    "kettle",
    "mirror",
    "basket",
    "blanket",
    "hammer",
    "pencil",
    "wallet",
]


def title(n: int) -> str:
    """Texts that are not near each other."""
    return f"{WORDS[n % 12]} {WORDS[n // 12 % 12]} {WORDS[n // 144 % 12]} no {n}"


def classified(text: str, label: str, increment: str = "winter", line: int = 1, **more) -> Record:
    messages = records.classification(text, label)
    file = more.pop("file", "raw/a.csv")
    return Record(id=records.content_id(messages), messages=messages, increment=increment, file=file, line=line, **more)


def record(n: int, label: str | None = None, increment: str = "winter", **more) -> Record:
    return classified(title(n), label or "xyz"[n % 3], increment, n + 1, **more)


def batch(start: int, stop: int, increment: str = "winter") -> list[Record]:
    return [record(n, increment=increment) for n in range(start, stop)]


def table(items):
    return arrow.table_of(sorted(items, key=lambda item: item.id))


class Chain:
    """Releases on disk: each step assembles onto the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parent, self.steps = folder, state.ParentState(), 0

    def add(self, name: str, items, options: AssembleSettings = OPTIONS, golden=None, **asked):
        golden_tables = {key: table(value) for key, value in (golden or {}).items()}
        done = assemble.assemble(
            NewRecords(name=name, table=table(items), golden=golden_tables, **asked), self.parent, options
        )
        report = done.report
        assert report["records"] == sum(report[fate] for fate in FATES) == len(items)
        assert len(done.train) == report["train_new"] + report["replayed"] + report["augmented"]
        assert len(done.dropped) == len(items) - report["train_new"] - report["eval"]
        evaluated = prompts(slices.united(done.slices.values()))
        assert not prompts(done.train) & evaluated
        assert not prompts(done.reservoir) & evaluated
        out = self.folder / str(self.steps)
        assemble.write(done, self.parent, name, out)
        self.parent, self.steps = state.load(out), self.steps + 1
        return done

    def files(self) -> dict[str, bytes]:
        out = self.folder / str(self.steps - 1)
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def lineage(self) -> list[dict]:
        return pq.read_table(self.folder / str(self.steps - 1) / "lineage.parquet").to_pylist()


@pytest.fixture
def chain(tmp_path):
    return Chain(tmp_path)


def prompts(items):
    return {records.content_id(item.prompt) for item in arrow.records_of(items)}


def ids(items):
    return items.column("id").to_pylist()


def texts(items):
    return {item.prompt[0]["content"] for item in arrow.records_of(items)}


def fates(done):
    return {row["id"]: row["reason"] for row in done.dropped}


def test_the_split_takes_its_share_of_every_label(chain):
    done = chain.add("winter", batch(0, 400), replace(OPTIONS, slice_items=1000))
    held_out = [item.answer for item in arrow.records_of(done.slices["winter"])]
    assert len(held_out) == pytest.approx(120, abs=1)
    for label in "xyz":
        assert held_out.count(label) == pytest.approx(40, abs=1)
    assert done.report["replayed"] == 0
    assert done.labels == ["x", "y", "z"]
    assert done.report["new_labels"] == ["x", "y", "z"]


def test_slice_is_the_lowest_prompt_hashes_and_the_rest_is_trained_on(tmp_path):
    done = Chain(tmp_path / "1").add("winter", batch(0, 200))
    drawn = Chain(tmp_path / "2").add("winter", batch(0, 200), replace(OPTIONS, slice_items=1000))
    assert len(done.slices["winter"]) == 20
    assert max(prompts(done.slices["winter"])) < min(prompts(drawn.slices["winter"]) - prompts(done.slices["winter"]))
    assert (done.report["train_new"], done.report["eval"], done.report["eval_over_cap"]) == (180, 20, 0)


def test_what_is_near_an_item_of_the_slice_never_returns_to_training(chain):
    twins = [classified(f"{title(n)}!", "xyz"[n % 3], line=900 + n) for n in range(200)]
    done = chain.add("winter", [*batch(0, 200), *twins])
    asked = {text.removesuffix("!") for text in texts(done.slices["winter"])}
    assert not asked & {text.removesuffix("!") for text in texts(done.train)}
    assert 0 < done.report["eval_over_cap"] <= 20
    assert done.report["train_new"] == 400 - 2 * len(asked)
    again = chain.add("spring", [*batch(0, 200, "spring"), *twins])
    assert again.report["seen"] == 400


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
    assert (len(again.train), again.report["seen"], again.report["replayed"]) == (0, 200, 0)
    assert (again.slices, again.reservoir, again.labels) == (first.slices, first.reservoir, first.labels)
    assert [run.increment for run in chain.parent.index.runs] == ["winter"]


def test_old_slices_and_runs_keep_their_bytes(chain):
    chain.add("winter", batch(0, 200))
    before = chain.files()
    chain.add("spring", batch(200, 400, "spring"))
    after = chain.files()
    for name in ("slices/winter.arrow", "index/00001-winter.run"):
        assert after[name] == before[name]
    assert "slices/spring.arrow" in after


def test_replay_is_its_share_of_the_tokens_as_bytes_tell_them(chain):
    first = chain.add("winter", batch(0, 200))
    done = chain.add("spring", batch(200, 250, "spring"), replay=0.25)
    old = done.train.filter(pc.equal(done.train.column("increment"), "winter"))
    assert old.num_rows == done.report["replayed"]
    assert replay.sizes(old).sum() / replay.sizes(done.train).sum() == pytest.approx(0.25, abs=0.01)
    assert set(ids(old)) <= set(ids(first.reservoir))
    assert ids(done.train) == sorted(ids(done.train))
    assert done.report["replay"]["share"] == 0.25


def test_replay_is_bounded_by_the_reservoir_and_what_lacks_is_drawn_more_often(chain):
    chain.add("winter", batch(0, 200))
    done = chain.add("spring", batch(200, 300, "spring"), replay=0.6)
    old = [item for item in arrow.records_of(done.train) if item.increment == "winter"]
    assert done.report["replayed"] == len(old) == OPTIONS.reservoir
    assert len({item.weight for item in old}) == 1
    assert replay.sizes(done.train.filter(pc.equal(done.train.column("increment"), "winter"))).sum() == pytest.approx(
        1.5 * replay.sizes(done.train.filter(pc.equal(done.train.column("increment"), "spring"))).sum(), rel=0.01
    )


def test_without_a_shift_a_tenth_is_replayed(chain):
    order = random.Random(0).sample(range(1200), 1200)  # noqa: S311
    big = replace(OPTIONS, reservoir=400)
    chain.add("winter", [record(n) for n in order[:600]], big)
    report = chain.add("spring", [record(n, increment="spring") for n in order[600:]], big).report["replay"]
    assert (report["share"], report["warning"]) == (0.1, None)
    assert report["why"] == "no shift of labels, balance or texts was measured"


def test_oldest_slices_fold_into_history(chain):
    done = [chain.add(f"part-{n}", batch(n * 100, n * 100 + 100)) for n in range(6)]
    assert list(done[3].slices) == ["part-0", "part-1", "part-2", "part-3"]
    assert list(done[4].slices) == ["history", "part-2", "part-3", "part-4"]
    assert list(done[5].slices) == ["history", "part-3", "part-4", "part-5"]
    folded = slices.united(done[n].slices[f"part-{n}"] for n in range(3))
    assert done[5].slices["history"] == slices.lowest(folded, OPTIONS.slice_items)


def test_golden_prompts_are_in_no_other_place(chain):
    done = chain.add("winter", batch(0, 200), golden={"golden-hand": batch(0, 30)})
    assert {fates(done)[item.id] for item in batch(0, 30)} == {"golden"}
    assert done.slices["golden-hand"] == table(batch(0, 30))
    assert "golden-hand" not in chain.parent.slices
    some = arrow.records_of(done.reservoir.slice(0, 10))
    later = chain.add("spring", batch(200, 300, "spring"), golden={"golden-more": some})
    assert not prompts(slices.united([later.train, later.reservoir])) & prompts(table(some))
    assert set(later.slices) == {"winter", "spring", "golden-more"}


def test_another_eval_share_never_moves_a_slice_item_to_training(chain):
    first = chain.add("winter", batch(0, 200))
    for fresh in (False, True):
        done = chain.add("again", batch(0, 200), replace(OPTIONS, eval_share=0.01), fresh=fresh)
        assert not prompts(done.train) & prompts(first.slices["winter"])


def test_fresh_trains_on_the_whole_chain_again(chain):
    first = chain.add("winter", batch(0, 200))
    second = chain.add("spring", batch(200, 400, "spring"))
    learned = first.report["train_new"] + second.report["train_new"]
    done = chain.add("full", [replace(item, increment="full") for item in batch(0, 450)], fresh=True)
    new = done.report["train_new"] - learned
    assert done.report["seen"] == 400 - learned
    assert new + done.report["eval"] == 50
    assert done.report["replayed"] == 0
    assert set(done.reservoir.column("increment").to_pylist()) == {"full"}
    assert set(done.slices) == {"winter", "spring", "full"}
    assert {key: done.slices[key] for key in second.slices} == second.slices
    assert chain.parent.index.runs[-1].records == 50


def test_labels_grow_with_the_chain_and_start_anew_when_fresh(chain):
    chain.add("winter", batch(0, 200))
    done = chain.add("spring", [record(n, "new") for n in range(200, 220)])
    assert (done.labels, done.report["new_labels"]) == (["new", "x", "y", "z"], ["new"])
    assert chain.add("full", [record(n, "only") for n in range(300, 320)], fresh=True).labels == ["only"]


def test_a_label_in_other_case_or_spacing_is_named(chain):
    chain.add("winter", [record(n, ("Toys", "Garden tools")[n % 2]) for n in range(20)])
    done = chain.add("spring", [record(n, ("toys", "GardenTools", "Books")[n % 3]) for n in range(20, 40)])
    assert done.report["label_changes"] == {
        "new": ["Books", "GardenTools", "toys"],
        "vanished": ["Garden tools", "Toys"],
        "renamed": [["Garden tools", "GardenTools"], ["Toys", "toys"]],
    }
    assert done.report["balance"]["Toys"] == {"before": 10, "new": 0, "held_out": 0}


def test_labels_do_not_vanish_where_an_increment_holds_none():
    assert assemble_report.label_changes(["Toys"], {}) == {"new": [], "vanished": [], "renamed": []}


def test_nothing_new_at_all(chain):
    done = chain.add("winter", [])
    assert (len(done.train), done.slices, len(done.reservoir), done.labels) == (0, {}, 0, [])


def test_dropped_records_are_kept_with_reason_and_origin(chain):
    chain.add("winter", batch(0, 5))
    chain.add("spring", batch(0, 5, "spring"))
    rows = [json.loads(line) for line in chain.files()["dropped.jsonl"].splitlines()]
    assert {(row["reason"], row["increment"], row["file"]) for row in rows} == {("seen", "spring", "raw/a.csv")}
    assert sorted(row["line"] for row in rows) == [1, 2, 3, 4, 5]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


@pytest.mark.parametrize(
    ("policy", "fate", "answers"),
    [
        pytest.param("drop", "conflicts", {}, id="drop"),
        pytest.param("majority", "conflicts", {}, id="one-against-one-is-nobodys"),
        pytest.param("keep_newest", "kept", {}, id="the-newest-increment-wins"),
        pytest.param("review", "conflicts", {}, id="nobody-answered"),
        pytest.param("review", "kept", {title(7): "other"}, id="a-person-said-the-new-one"),
        pytest.param("review", "conflicts", {title(7): "y"}, id="a-person-said-the-old-one"),
    ],
)
def test_history_with_another_label(chain, policy, fate, answers):
    chain.add("winter", batch(0, 100))
    done = chain.add(
        "spring",
        [record(7, "other", "spring")],
        conflicts=policy,
        review=Review(given={text: (said,) for text, said in answers.items()}),
    )
    (kept,) = [{"label": row["kept"], "text": row["text"]} for row in done.report["conflicts_shown"]]
    assert kept["text"] == title(7)
    everywhere = slices.united([done.train, done.reservoir, *done.slices.values()])
    labels = {item.answer for item in arrow.records_of(everywhere) if item.prompt[0]["content"] == title(7)}
    if fate == "kept":
        assert (labels, kept["label"]) == ({"other"}, "other")
        again = chain.add("summer", [record(7, "other"), record(7)], conflicts="drop")
        assert sorted(fates(again).values()) == ["conflicts", "seen"]
    else:
        assert (set(fates(done).values()), kept["label"]) == ({"conflicts"}, answers.get(title(7)))
        assert "other" not in labels
    assert (title(7) in done.review) is (kept["label"] is None)


def test_conflicts_with_history_stop_the_stage_where_the_policy_says_so(chain):
    chain.add("winter", batch(0, 10))
    with pytest.raises(GraftError) as error:
        chain.add("spring", [record(n, "other") for n in range(3)], conflicts="fail")
    assert error.value.message == "assemble: 3 texts with contradicting labels"
    assert f"{title(0)!r}: x (1), other (1)" in error.value.problems


LONG = "solid oak dining table with two drawers and a drop leaf for six people in natural oil finish"


def test_a_near_duplicate_of_history_is_dropped_and_names_what_it_is_near(chain):
    chain.add("winter", [*batch(0, 20), classified(LONG, "x")])
    done = chain.add("spring", [classified(LONG.upper() + " !", "x"), *batch(20, 30)])
    assert list(fates(done).values()) == ["near-duplicate"]
    (row,) = [row for row in chain.lineage() if row["reason"] == "near-duplicate"]
    assert row["near"] == classified(LONG, "x").id[:16]


def test_a_number_or_size_that_differs_makes_another_product(chain):
    names = [f"{LONG} {mark}" for mark in ("64", "128", "xl", "xxl", "pro", "")]
    chain.add("winter", [classified(names[0], "x")])
    done = chain.add("spring", [classified(name, "x") for name in names[1:]])
    assert done.report["near-duplicate"] == 0


def test_near_duplicates_stand_on_one_side(tmp_path):
    pairs = [f"{title(n)} {LONG} {title(n)}" for n in range(60)]
    chain = Chain(tmp_path)
    first = chain.add("winter", [classified(text, "x", line=n) for n, text in enumerate(pairs)], similarity=None)
    again = [classified(text + "!", "y", line=n) for n, text in enumerate(pairs)]
    second = chain.add("spring", again, similarity=None)
    assert texts(second.slices["spring"]) == {text + "!" for text in texts(first.slices["winter"])}
    both = chain.add("summer", [item for n in range(60) for item in (
        classified(f"{LONG} {title(n)} {LONG}", "x"), classified(f"{LONG} {title(n)} {LONG}?", "y")
    )], similarity=None)  # fmt: skip
    held_out = {text.rstrip("?") for text in texts(both.slices["summer"])}
    assert held_out
    assert not held_out & {text.rstrip("?") for text in texts(both.train)}


def test_a_neighbour_on_both_sides_is_dropped(chain):
    one, other = LONG + " with a red cover", LONG + " with a red covering"
    first = chain.add(
        "winter",
        [classified(one, "x"), classified(other, "y", file="raw/b.csv")],
        evaluation=["raw/b.csv"],
        similarity=0.99,
    )
    assert (texts(first.train), texts(first.slices["winter"])) == ({one}, {other})
    done = chain.add("spring", [classified(LONG + " with a red coverin", "z")])
    assert set(fates(done).values()) == {"bridges-split"}


def test_an_evaluation_file_is_held_out_whole_and_nothing_near_it_is_trained_on(chain):
    test = [classified(title(n), "x", file="raw/test.csv") for n in range(10)] + [
        classified(LONG, "x", file="raw/test.csv")
    ]
    done = chain.add("winter", [*test, *batch(10, 100), classified(LONG + "!", "y")], evaluation=["raw/test.csv"])
    assert texts(done.slices["winter"]) == {title(n) for n in range(10)} | {LONG}
    assert (done.report["train_new"], done.report["near-evaluation"]) == (90, 1)


def keyed(key: str, text: str, increment: str = "winter", **more) -> Record:
    return classified(text, "x", increment, key=key, **more)


def test_an_updated_item_takes_the_place_of_the_old_one(chain):
    chain.add("winter", [keyed(f"sku-{n}", title(n)) for n in range(60)])
    news = [keyed(f"sku-{n}", f"{title(n)} improved", "spring") for n in range(30)]
    done = chain.add("spring", [*news, *[keyed(f"sku-{n}", title(n), "spring") for n in range(30, 61)]])
    assert done.report["keys"] == {"new": 1, "updated": 30, "unchanged": 30, "withdrawn": 0}
    everywhere = texts(slices.united([done.train, done.reservoir, *done.slices.values()]))
    assert not {title(n) for n in range(30)} & everywhere
    assert {title(n) for n in range(30, 60)} & everywhere
    ended = {(row["id"], row["near"]) for row in chain.lineage() if row["reason"] == "superseded"}
    assert ended == {(keyed("", title(n)).id[:16], news[n].id[:16]) for n in range(30)}
    back = chain.add("summer", [keyed("sku-1", title(1), "summer")])
    assert back.report["keys"]["updated"] == 1
    assert title(1) in texts(slices.united([back.train, *back.slices.values()]))


def test_an_update_stays_on_its_side(chain):
    first = chain.add("winter", [keyed(f"sku-{n}", title(n)) for n in range(60)], replace(OPTIONS, slice_items=100))
    done = chain.add("spring", [keyed(f"sku-{n}", f"quite another thing {n} {title(n * 7)}") for n in range(60)])
    held_out = {item.key for item in arrow.records_of(first.slices["winter"])}
    assert {item.key for item in arrow.records_of(done.slices["spring"])} <= held_out
    assert not {item.key for item in arrow.records_of(done.train)} & held_out


def test_content_that_goes_on_under_another_key_stays_and_nothing_comes_again(chain):
    chain.add("winter", [*batch(0, 30), keyed("K1", LONG)])
    news = [keyed("K1", title(50)), keyed("K2", LONG)]
    for options in ({}, {"withdrawn": ["K1"]}):
        done = chain.add("spring", news[1:] if options else news, **options)
        assert LONG in texts(slices.united([done.reservoir, *done.slices.values()]))
        assert "superseded" not in [row["reason"] for row in chain.lineage() if row["id"] == keyed("", LONG).id[:16]]
    again = chain.add("spring", news[1:])
    assert (again.report["train_new"], again.report["eval"]) == (0, 0)
    later = chain.add("summer", [keyed("K2", title(60))])
    assert LONG not in texts(slices.united([later.reservoir, *later.slices.values()]))


def test_what_leaves_contradicts_nothing(chain):
    chain.add("winter", [*batch(0, 30), keyed("K1", LONG)])
    other = classified(LONG, "y", "spring", key="K2")
    done = chain.add("spring", [other, keyed("K1", title(50))])
    assert done.report["conflicts"] == 0
    again = chain.add("spring", [other, keyed("K1", title(50))])
    assert again.report["seen"] == 2


def test_what_is_gone_keeps_other_spellings_on_its_side(chain):
    first = chain.add("winter", [keyed("K1", LONG), *[keyed(f"sku-{n}", title(n)) for n in range(20)]])
    chain.add("spring", [keyed("K1", title(77))])
    done = chain.add("summer", [classified(LONG.title() + "!", "x"), *batch(100, 130)])
    trained = LONG in texts(first.train)
    assert (LONG.title() + "!" in texts(done.train)) is trained


def test_texts_of_one_template_stand_on_one_side(chain):
    template = " ".join(f"{WORDS[n % 12]}ing" for n in range(60))
    ends = [f"{WORDS[n % 12]} {WORDS[n // 12 % 12]}" for n in range(144)]
    done = chain.add(
        "winter", [*batch(0, 300), *[classified(f"{template} {end}", "x") for end in ends]], similarity=None
    )
    forms = {side: sketch.normal_forms(sorted(found)).to_pylist() for side, found in (
        ("train", texts(done.train)), ("eval", texts(slices.united(done.slices.values()))),
    )}  # fmt: skip
    crossing = [1 for a in forms["train"] for b in forms["eval"] if sketch.similarity(a, b) >= 0.95]
    assert crossing == []


def test_a_withdrawn_key_leaves_slices_and_replay_and_may_come_back_on_its_side(chain):
    first = chain.add("winter", [keyed(f"sku-{n}", title(n)) for n in range(60)], replace(OPTIONS, slice_items=100))
    gone = [f"sku-{n}" for n in range(40)]
    done = chain.add("spring", batch(100, 130, "spring"), withdrawn=gone)
    everywhere = texts(slices.united([done.train, done.reservoir, *done.slices.values()]))
    assert not {title(n) for n in range(40)} & everywhere
    assert done.report["keys"]["withdrawn"] == 40
    assert {row["id"] for row in chain.lineage() if row["reason"] == "withdrawn"} == {
        keyed("", title(n)).id[:16] for n in range(40)
    }
    back = chain.add("summer", [keyed(key, title(n), "summer") for n, key in enumerate(gone)], withdrawn=())
    assert back.report["seen"] == 0
    assert texts(back.slices["summer"]) <= texts(first.slices["winter"])
    assert not texts(back.train) & texts(first.slices["winter"])


def test_reservoir_is_balanced_by_label_and_increment(chain):
    chain.add("winter", [record(n, "often" if n % 10 else "rare") for n in range(200)])
    done = chain.add("spring", [record(n, "often", "spring") for n in range(200, 600)])
    held = [(item.answer, item.increment) for item in arrow.records_of(done.reservoir)]
    assert len(held) == OPTIONS.reservoir
    rare = held.count(("rare", "winter"))
    assert 17 <= rare <= 20  # of 20, but those in the slice
    assert abs(held.count(("often", "winter")) - held.count(("often", "spring"))) <= 1


def test_reservoir_of_a_chain_is_the_reservoir_of_all_at_once(tmp_path):
    parts, whole = Chain(tmp_path / "parts"), Chain(tmp_path / "whole")
    for start in range(0, 400, 100):
        last = parts.add("part", batch(start, start + 100, "part"), replace(OPTIONS, eval_share=1e-9))
    all_at_once = whole.add("all", batch(0, 400, "part"), replace(OPTIONS, eval_share=1e-9))
    assert last.reservoir == all_at_once.reservoir
    assert len(last.reservoir) == OPTIONS.reservoir


def test_lineage_says_what_became_of_every_record(chain):
    first = chain.add("winter", batch(0, 100))
    done = chain.add("spring", batch(90, 150, "spring"))
    rows = chain.lineage()
    assert len(rows) == 60 + done.report["replayed"]
    by_fate = {
        fate: {row["id"] for row in rows if row["fate"] == fate} for fate in ("train", "eval", "replay", "dropped")
    }
    assert by_fate["train"] | by_fate["replay"] == set(ids(done.train))
    assert by_fate["replay"] <= set(ids(first.train))
    assert by_fate["dropped"] == set(fates(done))
    (row,) = [row for row in rows if row["id"] == record(95).id and row["fate"] == "dropped"]
    assert (row["reason"], row["increment"], row["file"], row["line"]) == ("seen", "spring", "raw/a.csv", 96)


def test_what_augmentation_adds_is_trained_on_marked_and_near_nothing_evaluated(chain):
    asked = replace(OPTIONS, augment=AugmentSettings(max_share=0.5, typos=True, swap=True, weights="inverse"))
    done = chain.add("winter", [record(n, "rare" if n % 9 == 0 else "often") for n in range(300)], asked)
    rows = [row for row in chain.lineage() if row["fate"] == "augmented"]
    assert len(rows) == done.report["augmented"] == done.report["train_new"] // 2
    trained = {row["id"] for row in chain.lineage() if row["fate"] == "train"}
    assert {row["near"] for row in rows} <= trained
    assert {row["reason"] for row in rows} <= {"typos", "swap"}
    weights = {item.answer: item.weight for item in arrow.records_of(done.train)}
    assert weights["rare"] > 1 > weights["often"]
    assert {row["id"] for row in rows} | trained == set(ids(done.train))
    assert not {row["id"] for row in rows} & set(ids(done.reservoir))


CLEANING = CleaningSettings(min_chars=1, max_chars=100)


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
    )
    (slice_,) = golden.load(folder, "Which kind?", CLEANING).slices.items()
    assert slice_[0] == "golden-hand"
    assert {(item.prompt[0]["content"], item.answer, item.file, item.line) for item in slice_[1]} == {
        ("Which kind?\nred fridge [EMAIL]", "Fridges", "data/golden/hand.jsonl", 1),
        ("Hi", "Ho", "data/golden/hand.jsonl", 3),
    }
    assert golden.load(tmp_path / "absent", "", CLEANING).slices == {}


def test_a_golden_file_without_items_guards_nothing_and_is_refused(tmp_path):
    with pytest.raises(GraftError, match=r"empty\.jsonl: no item; delete the file if it is to guard nothing"):
        golden.load(write_golden(tmp_path, empty="\n"), "", CLEANING)
    with pytest.raises(GraftError) as error:
        golden.load(write_golden(tmp_path, bad="{}\n", empty="\n"), "", CLEANING)
    assert "bad.jsonl:1: " in str(error.value)
    assert "empty.jsonl: no item" in str(error.value)


def test_golden_lines_may_say_that_they_must_pass_and_whose_variants_they_are(tmp_path):
    def line(n, **more):
        return json.dumps({"text": title(n), "label": "x"} | more) + "\n"

    hand = line(1) + line(2, must_pass=True) + line(3, cluster="no 3") + line(4, cluster="no 3")
    files = {"hand": hand, "must-pass-prices": line(5) + line(6, must_pass=False)}
    found = golden.load(write_golden(tmp_path / "golden", **files), "", CLEANING)
    by_title = {item.prompt[0]["content"]: item.id for items in found.slices.values() for item in items}
    assert found.marks.must_pass == {by_title[title(2)], by_title[title(5)]}
    assert found.marks.clusters == {by_title[title(3)]: "no 3", by_title[title(4)]: "no 3"}
    assert by_title[title(2)] == record(2, "x").id  # what is said of an item is no part of it
    item_marks.write(tmp_path / "slices", found.marks)
    assert item_marks.read(tmp_path / "slices") == found.marks
    assert item_marks.read(tmp_path / "golden") == item_marks.Marks()


def test_golden_conversations_are_labels_to_choose_unless_a_line_says_answers_to_generate(tmp_path):
    turns = [{"role": "user", "content": "Which mug?"}, {"role": "assistant", "content": "The red one."}]
    other = [{"role": "user", "content": "Which cup?"}, {"role": "assistant", "content": "Cups"}]
    lines = [{"messages": turns, "kind": "sft"}, {"messages": other}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    [slice_] = golden.load(write_golden(tmp_path / "golden", talks=text), "", CLEANING).slices.values()
    assert {item.answer: item.kind for item in slice_} == {"The red one.": "sft", "Cups": "classification"}


@pytest.mark.parametrize(
    "said", [{"must_pass": "yes"}, {"must_pass": None}, {"cluster": ""}, {"cluster": 3}, {"kind": "text"}]
)
def test_a_golden_line_that_says_something_else_is_named(tmp_path, said):
    folder = write_golden(tmp_path / "golden", hand=json.dumps({"text": "red lamp", "label": "x"} | said) + "\n")
    with pytest.raises(GraftError, match=r'hand.jsonl:1: "must_pass" is true or false, "cluster" a text'):
        golden.load(folder, "", CLEANING)


def test_every_bad_golden_line_is_named(tmp_path):
    folder = write_golden(
        tmp_path,
        a='{"text": "red", "label": "x"}\n{\n{"text": "red"}\n{"text": "red", "label": "x"}\n'
        '{"text": "", "label": "x"}\n',
        b='{"text": "red", "label": "y"}\n{"messages": [{"role": "user", "content": "Hi"}]}\n'
        '{"text": "red", "label": 3}\n',
    )
    with pytest.raises(GraftError) as error:
        golden.load(folder, "", CLEANING)
    found = [error.value.message.split(": ", 1)[1], *error.value.problems]
    assert [line.split(": ")[0] for line in found] == [
        "a.jsonl:2", "a.jsonl:3", "a.jsonl:4", "a.jsonl:5", "b.jsonl:1", "b.jsonl:2", "b.jsonl:3",
    ]  # fmt: skip
    assert found[2] == "a.jsonl:4: the same question as a.jsonl:1"
    assert found[4] == "b.jsonl:1: the same question as a.jsonl:1"


def opened() -> None:
    """In the current, empty folder: 60 prepared records of an open increment, and a golden item."""
    root = Path(__file__).parents[2]
    folder = Path("data/increments/winter")
    folder.mkdir(parents=True)
    (folder / "increment.yaml").write_text(
        "version: 1\ntask: classification\ninstruction: ''\n"
        "files:\n  raw/a.jsonl: {format: jsonl, encoding: utf-8, text: title, label: kind}\n"
    )
    Path("params.yaml").write_bytes((root / "params.yaml").read_bytes())
    settle(Path())
    hashes = {"revision": None, "sha256": {"f": "0" * 64}}
    base = {"requested": {"source": "builtin", "revision": None}, "resolved": hashes}
    lock = {"version": 1, "base": base, "parent": None, "anchor": None, "toolchain": {"torch": "2.13.0"}}
    Path("models.lock").write_text(json.dumps(lock | {"increment": folder.as_posix()}))
    Path("models/parent").mkdir(parents=True)
    Path("models/parent/NONE").touch()
    write_golden(Path("data/golden"), hand=json.dumps({"text": title(3), "label": "x"}) + "\n")
    Path("data/prepared").mkdir()
    with Path("data/prepared/records.jsonl").open("wb") as sink:
        jsonl.write(sink, jsonl.documents(table(batch(0, 60))))
    Path("data/prepared/rejects.jsonl").touch()
    prepared = {"increment": "winter", "read": 60, "records": 60, "rejects": {}, "labels": {}, "masked": {}}
    Path("data/prepared/report.json").write_text(json.dumps(prepared))


def test_main(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    opened()
    Path("data/assembled").mkdir()
    Path("data/assembled/stale").touch()
    assemble.main()
    assert sorted(path.name for path in Path("data/assembled").iterdir()) == [
        "dropped.jsonl", "index", "labels.json", "lineage.parquet", "report.json", "reservoir.arrow", "review.csv",
        "slices", "train.arrow",
    ]  # fmt: skip
    report = json.loads(Path("data/assembled/report.json").read_text())
    assert (report["records"], report["golden"], report["slices"]["golden-hand"]) == (60, 1, 1)
    assert len(arrow.read_records(Path("data/assembled/train.arrow"))) == report["train_new"]
    assert f"assemble: train on {report['train_new']} new and 0 replayed" in capsys.readouterr().out


def test_slices_that_only_a_template_shows_are_refused_before_texts_are_trained_on_a_base_without_one(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    opened()
    set_params(tmp_path, train__objective="pretrain")
    base = Path("a-base")
    base.mkdir()
    (base / "tokenizer_config.json").write_text('{"eos_token": "x"}')
    (base / "config.json").write_text("{}")

    def pinned() -> None:
        sha256 = {path.name: files.sha256(path) for path in base.iterdir()}
        base_files.write_pin(base_files.Pin(source="path:a-base", revision=None, sha256=sha256, store="cache"))

    pinned()
    with pytest.raises(GraftError, match=r"a-base: the base has no chat template\n  slice winter: \d+ items") as error:
        assemble.main()
    assert "slice golden-hand: 1 item that" in str(error.value)
    assert not Path("data/assembled/train.arrow").exists()
    set_params(tmp_path, train__chat_template="plain")
    assemble.main()
    set_params(tmp_path, train__chat_template=None)
    (base / "chat_template.jinja").write_text("{{ messages }}")
    pinned()
    assemble.main()


def said(n: int, kind: str) -> Record:
    messages = [{"role": "user", "content": title(n)}, {"role": "assistant", "content": f"{title(n + 1)}, probably"}]
    more = {"rejected": [{"role": "assistant", "content": "no"}]} if kind == "preference" else {}
    return Record(
        id=records.content_id(messages, more), kind=kind, messages=messages, increment=kind, file="raw/a.jsonl",
        line=n + 1, **more,
    )  # fmt: skip


def test_only_what_the_objective_learns_from_is_replayed_and_the_rest_is_kept_for_the_next(tmp_path):
    chain, sft = Chain(tmp_path), kinds.KINDS["sft"]
    chain.add("talks", [said(n, "sft") for n in range(0, 200, 2)], replayable=sft)
    pairs = [said(n, "preference") for n in range(500, 700, 2)]
    middle = chain.add("pairs", pairs, replayable=kinds.KINDS["dpo"])
    assert set(middle.train.column("kind").to_pylist()) == {"preference"}
    assert middle.report["replayed"] == 0
    assert set(middle.reservoir.column("kind").to_pylist()) == {"preference", "sft"}
    last = chain.add("more", [said(n, "sft") for n in range(1000, 1200, 2)], replayable=sft, replay=0.3)
    assert set(last.train.column("kind").to_pylist()) == {"sft"}
    assert last.report["replayed"] > 0


def test_an_older_version_that_comes_later_replaces_nothing(chain):
    chain.add("winter", [keyed(f"sku-{n}", title(n), date="2026-10-01") for n in range(60)])
    older = [keyed(f"sku-{n}", title(n + 200), "spring", date="2026-09-30") for n in range(30)]
    newer = [keyed(f"sku-{n}", title(n + 400), "spring", date="2026-10-02") for n in range(30, 60)]
    done = chain.add("spring", [*older, *newer])
    assert (done.report["superseded"], done.report["keys"]["updated"]) == (30, 30)
    held = texts(done.reservoir) | texts(slices.united(done.slices.values()))
    assert {title(n) for n in range(30)} & held
    assert not {title(n) for n in range(30, 60)} & held
    numbered = [keyed(f"sku-{n}", title(n + 800), "numbered", date="7".rjust(20, "0")) for n in range(60)]
    with pytest.raises(GraftError, match=r"(?s)plain numbers stand beside dates.*this increment"):
        chain.add("numbered", numbered)
    undated = chain.add("summer", [keyed(f"sku-{n}", title(n + 600), "summer") for n in range(60)])
    assert undated.report["keys"]["updated"] == 60  # without a date, what comes later is newer


@pytest.mark.parametrize(("day", "kept"), [("2026-09-30", "conflicts"), ("2026-10-02", "train_new")])
def test_keep_newest_goes_by_the_dates_of_increments(chain, day, kept):
    options = replace(OPTIONS, eval_share=1e-9)
    chain.add("winter", [record(n, date="2026-10-01") for n in range(60)], options)
    done = chain.add("spring", [record(7, "other", "spring", date=day)], options, conflicts="keep_newest")
    assert done.report[kept] == 1
