import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.metrics import generation

ENGLISH = ["The cat sat on the mat, quietly.", "A red lamp: 40 W, 3.5 kg!", "it's 10-15% off", "nothing in common"]
CHINESE = ["双卡手机 8+256 超长待机", "安娜·林德《最后的花园》全3册", "红色台灯,护眼", "OK"]
TEXTS = st.lists(st.tuples(*[st.text("ab c.,-1é双卡", max_size=12)] * 2), min_size=1, max_size=6)


def summed(kind, pairs, language):
    return np.sum([generation.statistics(kind, *pair, language) for pair in pairs], axis=0)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(["en", "zh", "ja"]))
def test_bleu_and_chrf_of_summed_statistics_are_sacrebleus_corpus_scores(pairs, language):
    from sacrebleu.metrics import BLEU, CHRF

    said, meant = (list(column) for column in zip(*pairs, strict=True))
    for kind, metric in (("bleu", BLEU(tokenize=generation.tokenizer(language))), ("chrf", CHRF())):
        found = generation.score(kind, summed(kind, pairs, language))
        assert found == pytest.approx(metric.corpus_score(said, [meant]).score, abs=1e-9), kind


@pytest.mark.parametrize("texts", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_measure_is_sacrebleus_with_the_tokenizer_of_the_language(texts):
    from sacrebleu.metrics import BLEU, CHRF

    said = [text[:-1] for text in texts]
    found = generation.measure(said, texts)
    tokenize = {"en": "13a", "zh": "zh"}[generation.language(texts)]
    assert found["bleu"] == pytest.approx(BLEU(tokenize=tokenize).corpus_score(said, [texts]).score, abs=1e-6)
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(said, [texts]).score, abs=1e-6)
    assert 0 < found["bleu"] < 100


@pytest.mark.parametrize("texts", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_identical_texts_score_best(texts):
    found = generation.measure(texts, texts)
    assert found == {"exact_match": 1.0, "bleu": 100.0, "chrf": 100.0, "rouge_l": 1.0}


@pytest.mark.parametrize(
    ("said", "meant", "expected"),
    [
        # longest common subsequence: the cat on mat, 4 of 6 and of 5 words
        pytest.param("the cat is on a mat", "The cat slept on mat.", 2 * 4 / 11, id="words"),
        pytest.param("红色手机壳", "红色的手机", 2 * 4 / 10, id="chinese-by-characters"),
        pytest.param("Vantor手机", "vantor 手表", 2 * 2 / 6, id="mixed"),
        pytest.param("über", "uber", 0.0, id="accents-count"),
        pytest.param("", "a", 0.0, id="nothing-generated"),
        pytest.param("!", "!", 0.0, id="no-words-at-all"),
    ],
)
def test_rouge_l(said, meant, expected):
    assert generation.measure([said], [meant])["rouge_l"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("said", "meant", "expected"),
    [
        ("The cat sat on the mat, quietly.", "The quiet cat is on the mat", 0.714286),
        ("A red lamp: 40 W, 3.5 kg!", "a lamp of 40 W (red), 3,5 kg", 0.823529),
    ],
)
def test_rouge_l_is_what_rouge_score_0_1_2_said(said, meant, expected):
    assert generation.measure([said], [meant])["rouge_l"] == expected


@settings(max_examples=300, deadline=None)
@given(st.text("ab cB1-.", max_size=40), st.text("ab cB1-.", max_size=40))
def test_rouge_l_is_rouge_scores(said, meant):
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    expected = scorer.score(meant, said)["rougeL"].fmeasure
    assert generation.statistics("rouge_l", said, meant, "en")[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("said", "meant", "same"),
    [("a  b\n", "a b", 1.0), ("A b", "a b", 0.0), ("a b.", "a b", 0.0), ("", "", 1.0), ("", "a", 0.0)],
)
def test_exact_match_forgives_white_space_alone(said, meant, same):
    assert generation.measure([said], [meant])["exact_match"] == same


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(["a red lamp"], "en", id="latin"),
        pytest.param(["красная лампа"], "en", id="cyrillic"),
        pytest.param(["红色台灯", "手机"], "zh", id="chinese"),
        pytest.param(["赤いランプ", "東京"], "ja", id="kana-make-it-japanese"),
        pytest.param(["빨간 램프"], "ko", id="korean"),
        pytest.param(["โคมไฟสีแดง"], "th", id="thai"),
        pytest.param(["a red lamp for desks", "红色台灯"], "zh", id="a-fifth-is-chinese"),
        pytest.param(["a red lamp for desks " * 5, "灯"], "en", id="one-word-is-not"),
        pytest.param(["123"], "en", id="no-letters"),
        pytest.param([], "en", id="no-texts"),
    ],
)
def test_language(texts, expected):
    assert generation.language(texts) == generation.language(reversed(texts)) == expected
    assert generation.language(texts, "ko") == "ko"


def test_without_texts_nothing_is_measured():
    assert generation.measure([], []) == {}
    for kind in generation.KINDS:
        assert generation.score(kind, generation.statistics(kind, "", "", "en") * 0) == 0.0


def test_texts_and_references_must_pair():
    with pytest.raises(ValueError, match="shorter"):
        generation.measure(["a", "b"], ["a"])


def test_order_of_the_texts_changes_nothing():
    dice = random.Random(3)  # noqa: S311
    texts = [" ".join(dice.choices(["a", "b", "cc", "d.", "机"], k=dice.randrange(9))) for _ in range(60)]
    pairs = list(zip(texts, dice.sample(texts, 60), strict=True))
    before = generation.measure(*zip(*pairs, strict=True))
    dice.shuffle(pairs)
    assert generation.measure(*zip(*pairs, strict=True)) == before


def test_sacrebleu_is_loaded_for_bleu_alone():
    code = (
        "import sys; from pipeline.evaluation.metrics import generation as g; g.statistics('chrf', 'a', 'a', 'en');"
        "g.statistics('rouge_l', 'a', 'a', 'en'); print('sacrebleu' in sys.modules);"
        "g.statistics('bleu', 'a', 'a', 'en'); print('sacrebleu' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
