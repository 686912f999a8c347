"""How much is replayed, which records, and why."""

import random
from collections import Counter

import pyarrow.compute as pc
import pytest

from pipeline.data.assemble import replay, shift
from pipeline.data.assemble.shift import Shift
from pipeline.data.records import arrow, message_columns, records
from pipeline.data.records.records import Record
from pipeline.training import batches
from pipeline.training.examples.examples import Example

WORDS = ["lamp", "sofa", "chair", "spoon", "radio", "kettle", "mirror", "basket", "blanket", "hammer", "pencil"]
OTHERS = ["Lampe", "Sessel", "Stuhl", "Löffel", "Funk", "Kessel", "Spiegel", "Korb", "Decke", "Hammer", "Stift"]


def table(labels, words=WORDS, seed=0):
    """One record for each label, of three words and some digits."""
    dice = random.Random(seed)  # noqa: S311
    items = []
    for number, label in enumerate(labels):
        messages = records.classification(" ".join(dice.choices(words, k=3)) + f" {dice.random():.9f}", label)
        items.append(
            Record(id=records.content_id(messages), messages=messages, increment=f"s{seed}", file="a", line=number + 1)
        )
    return arrow.table_of(items)


def labels_of(found):
    return message_columns.counted(message_columns.view(found).labels)


def often(found):
    """How often an epoch draws each label."""
    counts = Counter()
    for label, weight in zip(
        message_columns.view(found).labels.to_pylist(), found.column("weight").to_pylist(), strict=True
    ):
        counts[label] += weight
    return counts


def choose(now, before, asked="auto", words=WORDS):
    old = table(before, seed=1)
    return replay.choose(asked, table(now, words, seed=2), old, Counter(before))


EVEN = ["a", "b", "c", "d"] * 100


def test_no_shift_gives_a_tenth():
    found = choose(EVEN, EVEN)
    assert (found.share, found.why, found.warning) == (
        replay.BASE, "no shift of labels, balance or texts was measured", None,
    )  # fmt: skip


def test_chance_is_no_shift():
    dice = random.Random(3)  # noqa: S311
    found = choose(dice.choices("abcd", k=300), dice.choices("abcd", k=2000))
    assert found.share < replay.BASE + 0.05
    assert found.measured.drift < 0.01


def test_absent_labels_raise_the_share_and_are_named():
    found = choose(["e", "f"] * 100, EVEN)
    assert found.measured == Shift(
        new_labels=2, absent_labels=4, present_labels=2, balance=0.0, drift=found.measured.drift
    )
    assert found.share > 0.5
    assert found.why.startswith("4 of 6 labels are not in the increment")


def test_one_label_more_is_no_reason_to_replay_much():
    found = choose(EVEN + ["e"] * 5, EVEN)
    assert (found.measured.new_labels, found.measured.absent_labels) == (1, 0)
    assert found.share == pytest.approx(replay.BASE, abs=0.05)


def test_a_label_too_rare_to_be_missed_is_not_absent():
    assert shift.absent({"a": 100}, {"a": 990, "b": 10}) == []
    assert shift.absent({"a": 100}, {"a": 970, "b": 30}) == ["b"]


def test_another_balance_raises_the_share():
    found = choose(["a"] * 340 + ["b", "c", "d"] * 20, EVEN)
    assert found.measured.balance == pytest.approx(0.58, abs=0.02)
    assert found.share > replay.BASE
    assert "balance" in found.why


def test_other_texts_raise_the_share():
    found = choose(EVEN, EVEN, words=OTHERS)
    assert found.measured.drift > 0.5
    assert found.share > replay.BASE
    assert "texts" in found.why


def test_share_never_passes_its_bound():
    found = choose(["z"] * 100, [f"label {n}" for n in range(50)] * 8)
    assert found.share <= replay.MOST


def test_nothing_new_and_nothing_old_replay_nothing():
    empty = table([])
    assert replay.choose("auto", empty, table(EVEN), {}).why == "there is nothing new"
    assert replay.choose(0.5, table(EVEN), empty, {}).why == "there is nothing old"
    assert replay.drawn(empty, table(EVEN), 0.5, salt="x").num_rows == 0


@pytest.mark.parametrize(("asked", "warned"), [(0.0, True), (0.009, True), (0.01, False), (0.5, False)])
def test_less_than_a_hundredth_warns(asked, warned):
    found = choose(EVEN, EVEN, asked)
    assert found.share == asked
    assert (found.warning is not None) == warned
    assert found.why == "train.replay asks for it"


def test_a_share_that_the_reservoir_cannot_reach_is_told():
    learned = table(EVEN, seed=1)

    def told(old, asked):
        chosen = replay.choose(asked, learned, old, Counter(EVEN))
        return replay.after(chosen, replay.drawn(old, learned, chosen.share, salt="x"), learned)

    assert told(table(EVEN * 2, seed=2), 0.3).warning is None
    assert told(table(EVEN * 2, seed=2), 0.3).reached == pytest.approx(0.3, abs=0.01)
    small = told(table(["a", "b"] * 5, seed=2), 0.5)
    assert small.reached == pytest.approx(0.09, abs=0.01)
    assert small.warning == f"only {small.reached:.1%} of the tokens are replayed, not 50%: the reservoir is too small"
    assert "reservoir is empty" in told(table([]), 0.5).warning
    assert told(table([]), 0.0).warning is None
    assert replay.choose(0.5, learned, table([]), {}).warning is None  # the first of its chain
    fresh = replay.choose(0.5, learned, table([]), Counter(EVEN), fresh=True)
    assert (fresh.why, fresh.warning) == ("train.chain: fresh draws nothing", None)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.75])
def test_share_is_of_the_bytes(share):
    learned, old = table(EVEN[:100], seed=1), table(EVEN * 2, OTHERS, seed=2)
    drawn = replay.drawn(old, learned, share, salt="spring")
    of_all = replay.sizes(drawn).sum() / (replay.sizes(drawn).sum() + replay.sizes(learned).sum())
    assert of_all == pytest.approx(share, abs=0.005)


def test_each_label_is_drawn_equally_often_whatever_the_increment_brings():
    learned, old = table(["a"] * 90 + ["b"] * 10), table(["a"] * 400 + ["b", "c"] * 100, seed=1)
    found = often(replay.drawn(old, learned, 0.5, salt="spring"))
    assert set(found) == {"a", "b", "c"}
    assert max(found.values()) - min(found.values()) < 1.1


def test_every_epoch_draws_other_old_records():
    learned, old = table(EVEN[:40], seed=1), table(EVEN, seed=2)
    found = replay.drawn(old, learned, 0.5, salt="spring")
    assert found.num_rows == pytest.approx(replay.SPREAD * 40, abs=12)
    examples = [
        Example(id=id_, tokens=[0], learned=[True], weight=weight)
        for id_, weight in zip(found.column("id").to_pylist(), found.column("weight").to_pylist(), strict=True)
    ]
    epochs = [[example.id for example in batches.drawn(examples, 1, epoch)] for epoch in range(replay.SPREAD)]
    assert max(Counter(id_ for epoch in epochs for id_ in epoch).values()) == 1
    assert all(len(epoch) == pytest.approx(40, abs=20) for epoch in epochs)


def test_an_example_is_drawn_as_often_as_its_weight_says_over_any_epochs():
    for weight in (0.25, 1.0, 2.3):
        example = Example(id="a", tokens=[0], learned=[True], weight=weight)
        counts = [len(batches.drawn([example], 1, epoch)) for epoch in range(40)]
        assert sum(counts) == pytest.approx(40 * weight, abs=1)
        assert max(counts) - min(counts) <= 1


def test_a_weight_of_its_own_stays():
    old = table(EVEN, seed=2)
    twice = old.set_column(old.column_names.index("weight"), "weight", pc.add(pc.fill_null(old.column("weight"), 1), 1))
    weights = pc.unique(replay.drawn(twice, table(EVEN[:40]), 0.5, salt="x").column("weight")).to_pylist()
    assert weights == [pytest.approx(2 / replay.SPREAD, rel=0.1)]


def test_plain_texts_are_no_more_than_an_epoch_takes():
    old = table(EVEN, seed=2)
    texts = old.set_column(old.column_names.index("kind"), "kind", [["text"] * old.num_rows])
    found = replay.drawn(texts, table(EVEN[:40]), 0.5, salt="x")
    assert found.num_rows == pytest.approx(40, abs=3)


def test_draw_depends_on_contents_and_name_alone():
    learned, old = table(EVEN, seed=1), table(EVEN * 3, seed=2)
    first = replay.drawn(old, learned, 0.3, salt="spring")
    assert first.equals(replay.drawn(old, learned, 0.3, salt="spring"))
    other_order = replay.drawn(old.take(list(reversed(range(old.num_rows)))), learned, 0.3, salt="spring")
    assert set(other_order.column("id").to_pylist()) == set(first.column("id").to_pylist())
    assert set(replay.drawn(old, learned, 0.3, salt="summer").column("id").to_pylist()) != set(
        first.column("id").to_pylist()
    )


def test_a_small_reservoir_is_drawn_more_often_up_to_a_bound():
    learned, old = table(EVEN, seed=1), table(["a", "b"] * 5, seed=2)
    weights = pc.unique(replay.drawn(old, learned, 0.04, salt="x").column("weight")).to_pylist()
    assert weights == [pytest.approx(0.04 / 0.96 * 40, rel=0.05)]
    assert pc.unique(replay.drawn(old, learned, 0.9, salt="x").column("weight")).to_pylist() == [replay.MOST_OFTEN]
