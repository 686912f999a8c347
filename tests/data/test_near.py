import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.index import near, sketch

TEXTS = st.lists(st.text(max_size=40), max_size=12)
DESK = "walnut writing desk with three drawers and brass handles for the study"


def sketched(texts):
    return sketch.sketches(sketch.normal_forms(texts))


def pairs(texts, similarity=0.9, of=None):
    found = near.pairs(
        sketched(texts), lambda some: sketch.normal_forms([texts[n] for n in some]).to_pylist(), similarity, of
    )
    return {tuple(pair) for pair in found.T.tolist()}


@given(TEXTS, TEXTS)
@settings(deadline=None, max_examples=60)
def test_a_sketch_does_not_depend_on_its_neighbours(before, after):
    whole = sketched([*before, DESK, *after])
    alone = sketched([DESK])
    assert np.array_equal(whole.bytes_NH[len(before)], alone.bytes_NH[0])
    assert whole.marks_N[len(before)] == alone.marks_N[0]


@given(TEXTS)
@settings(deadline=None, max_examples=60)
def test_any_text_has_a_sketch_and_is_near_itself(texts):
    assert sketched(texts).bytes_NH.shape == (len(texts), 64)
    twice = pairs([*texts, *texts], similarity=1.0)
    assert {(n, n + len(texts)) for n in range(len(texts))} <= twice


def test_blocks_do_not_change_sketches(monkeypatch):
    texts = [DESK[: 3 * n] for n in range(20)] + ["a" * 5000]
    whole = sketched(texts)
    monkeypatch.setattr(sketch, "BLOCK", 100)
    cut = sketched(texts)
    assert np.array_equal(whole.bytes_NH, cut.bytes_NH)
    assert np.array_equal(whole.marks_N, cut.marks_N)


def test_the_estimate_is_near_the_truth_and_not_biased():
    rng = random.Random(4)  # noqa: S311
    errors = []
    for _ in range(300):
        letters = [rng.choice("abcdefgh ") for _ in range(120)]
        changed = list(letters)
        for _ in range(rng.choice([1, 2, 5, 10])):
            changed[rng.randrange(120)] = "z"
        one, other = "".join(letters), "".join(changed)
        made = sketched([one, other])
        estimate = float(sketch.agreement(made.bytes_NH[:1], made.bytes_NH[1:])[0])
        forms = sketch.normal_forms([one, other]).to_pylist()
        errors.append(estimate - sketch.similarity(*forms))
    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) < 0.06


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Desk, walnut (new)!", "desk walnut NEW", id="case-and-punctuation"),
        pytest.param("桌子　６４ＧＢ，蓝色", "桌子 64gb 蓝色", id="full-width"),
        pytest.param("Café table", "Cafe\u0301 table", id="combining-accent"),
        pytest.param(DESK, DESK + ".", id="a-full-stop"),
    ],
)
def test_other_spellings_are_near(one, other):
    assert pairs([one, other], similarity=1.0) == {(0, 1)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(f"{DESK} 64", f"{DESK} 128", id="number"),
        pytest.param(f"{DESK} a52", f"{DESK} a52s", id="model"),
        pytest.param(f"{DESK} size xl", f"{DESK} size xxl", id="size"),
        pytest.param(f"{DESK} pro", DESK, id="model-name"),
        pytest.param("苹果手机256GB全网通", "苹果手机128GB全网通", id="chinese"),
    ],
)
def test_another_number_size_or_model_is_another_product(one, other):
    assert pairs([one, other], similarity=0.5) == set()


def test_order_of_marks_does_not_count():
    assert pairs([f"{DESK} 64gb 8mp", f"{DESK} 8mp 64gb"], similarity=0.8) == {(0, 1)}


def test_only_pairs_with_a_wanted_text_are_looked_at():
    texts = [DESK, DESK + "!", DESK + "?", DESK + "."]
    assert pairs(texts, of=np.array([True, False, False, False])) == {(0, 1), (0, 2), (0, 3)}


def test_of_a_large_bucket_every_text_is_near_its_first():
    assert {(0, n) for n in range(1, 50)} <= pairs([DESK + "!" * n for n in range(50)])


def test_of_near_texts_the_first_stays_and_no_near_pair_does():
    assert near.thinned(np.array([[0, 1, 3], [1, 2, 4]])) == {1: 0, 4: 3}


def test_clusters_reach_over_others():
    assert near.clusters(6, [(0, 1), (1, 2), (4, 5)]).tolist() == [0, 0, 0, 3, 4, 4]


def test_known_answers_do_not_change():
    """Sketches of years ago are compared with today's: a change of these is a new version of the index."""
    answers = sketch.known_answers()
    assert [answer[:16] for answer in answers] == GOLDEN


GOLDEN = ["ebc76596e79edb23", "e4eae163d5293ae2", "4ba234bb654875fe", "361848880f964285", "d93ec1ea9a1bcd21"]


def test_a_null_counts_as_empty():
    made = sketched(pa.array([None, ""], pa.string()))
    assert np.array_equal(made.bytes_NH[0], made.bytes_NH[1])
