"""Metrics of generated texts beside their references: exact match, BLEU, chrF and ROUGE-L.

Each metric is the score of a sum over items: `statistics` of one item, added up, go into `score`. So a slice's
figure costs one sum, and a bootstrap resamples rows of numbers and never texts.

sacrebleu tokenises for BLEU and is imported for nothing else; the figures equal its corpus_score.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

KINDS = ("exact_match", "bleu", "chrf", "rouge_l")
DIGITS = 6
Vector = npt.NDArray[np.float64]

_WORDS = 4  # longest n-gram of words in BLEU
_CHARACTERS = 6  # longest n-gram of characters in chrF
_BETA = 2  # of chrF: recall counts twice as much as precision

# Scripts written without spaces between words, and Hangul, whose words take many endings.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_KANA = "\u3040-\u30fa\u30fc-\u30ff\uff66-\uff9f"  # without the middle dot: Chinese has it, too
_HANGUL = "\uac00-\ud7af\u1100-\u11ff"
_OTHERS = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Burmese, Khmer
_DENSE = f"{_HAN}{_KANA}{_HANGUL}{_OTHERS}"
_SCRIPTS = {"zh": _HAN, "ja": _KANA, "ko": _HANGUL, "th": _OTHERS}
_COUNTED = {language: re.compile(f"[{script}]") for language, script in _SCRIPTS.items()}
_LETTER = re.compile(r"[^\W\d_]")
_TOKEN = re.compile(f"[{_DENSE}]|[^\\W_{_DENSE}]+")
_SHARE = 0.05  # of the letters: from here on the dense script decides
_TOKENIZERS = {"zh": "zh", "ja": "char", "ko": "char", "th": "char", "lo": "char", "km": "char", "my": "char"}


def language(references: Iterable[str], asked: str | None = None) -> str:
    """The language that BLEU tokenises by, of all references of a set: zh, ja, ko, th, or else en.

    A script without spaces decides where it makes a twentieth of the letters or more: 13a takes a Chinese sentence
    for one word, while zh treats Latin words as 13a does. Kana make it Japanese from a twentieth of those letters
    on; else the most frequent of the scripts decides.

    Args:
        references: in any order.
        asked: `evaluate.language`, which overrules them.
    """
    if asked:
        return asked
    found: Counter[str] = Counter()
    letters = 0
    for text in references:
        letters += len(_LETTER.findall(text))
        found.update({name: len(pattern.findall(text)) for name, pattern in _COUNTED.items()})
    dense = found.total()
    if not dense or dense < _SHARE * letters:
        return "en"
    if found["ja"] >= _SHARE * dense:
        return "ja"
    return max(("zh", "ko", "th"), key=found.__getitem__)


def tokenizer(language: str) -> str:
    """Tokenizer of sacrebleu for a language: zh, char where words have no spaces, else 13a.

    Japanese and Korean go by char whether or not MeCab is installed: a figure must not depend on that.
    """
    return _TOKENIZERS.get(language, "13a")


def statistics(kind: str, hypothesis: str, reference: str, language: str) -> Vector:
    """What one item adds to a metric; float64, of one length for each kind.

    Args:
        kind: one of KINDS.
        hypothesis: what was generated.
        reference: the answer.
        language: of the set, as `language` has it; only BLEU asks for it.
    """
    return np.array(_STATISTICS[kind](hypothesis, reference, language), dtype=np.float64)


def score(kind: str, summed: Vector) -> float:
    """The metric of items whose statistics were added up; 0 of none.

    Returns:
        exact_match 0..1: share of texts that are the answer; spaces and line breaks count as one space, those at
        the ends for nothing, nothing else is normalised. rouge_l 0..1: mean F1 of the longest common subsequence.
        bleu 0..100: sacrebleu's corpus BLEU (4-grams, exponential smoothing). chrf 0..100: sacrebleu's corpus chrF2.
    """
    return _SCORES[kind](summed.tolist())


def measure(hypotheses: Sequence[str], references: Sequence[str], asked: str | None = None) -> dict[str, float]:
    """Every metric of generated texts; none without texts.

    Args:
        hypotheses: what was generated.
        references: the answers, one each.
        asked: `evaluate.language`: null where the references' script shall decide.
    """
    if not hypotheses:
        return {}
    told = language(references, asked)
    return {kind: round(score(kind, _summed(kind, hypotheses, references, told)), DIGITS) for kind in KINDS}


def _summed(kind: str, hypotheses: Sequence[str], references: Sequence[str], language: str) -> Vector:
    pairs = zip(hypotheses, references, strict=True)
    rows = [_STATISTICS[kind](hypothesis, reference, language) for hypothesis, reference in pairs]
    return np.array([math.fsum(column) for column in zip(*rows, strict=True)])  # in any order the same sum


def _exact_match(hypothesis: str, reference: str, _: str) -> list[float]:
    return [float(hypothesis.split() == reference.split()), 1.0]


def _bleu(hypothesis: str, reference: str, language: str) -> list[float]:
    """Lengths of both in tokens, matched n-grams of 1 to 4 tokens, n-grams of the hypothesis."""
    tokenize = _tokenize(tokenizer(language))
    said, meant = (tokenize(text.rstrip()).split() for text in (hypothesis, reference))
    said_N, meant_N = (_ngrams(tokens, _WORDS) for tokens in (said, meant))
    matched = [float((one & other).total()) for one, other in zip(said_N, meant_N, strict=True)]
    return [float(len(said)), float(len(meant)), *matched, *(float(one.total()) for one in said_N)]


def _chrf(hypothesis: str, reference: str, _: str) -> list[float]:
    """Of n-grams of 1 to 6 characters, spaces left out: those of the hypothesis, of the reference, of both."""
    said, meant = ("".join(text.split()) for text in (hypothesis, reference))
    figures: list[float] = []
    for one, other in zip(_ngrams(said, _CHARACTERS), _ngrams(meant, _CHARACTERS), strict=True):
        # sacrebleu's: n-grams of a length that the reference does not have are no misses
        figures += [one.total() if other else 0, other.total(), (one & other).total()]
    return figures


def _rouge_l(hypothesis: str, reference: str, _: str) -> list[float]:
    said, meant = (_TOKEN.findall(text.lower()) for text in (hypothesis, reference))
    common = _common(said, meant)
    return [2 * common / (len(said) + len(meant)) if common else 0.0, 1.0]


def _ngrams(tokens: Sequence[str], longest: int) -> list[Counter[Any]]:
    return [
        Counter(
            tokens[start : start + size] if isinstance(tokens, str) else tuple(tokens[start : start + size])
            for start in range(len(tokens) - size + 1)
        )
        for size in range(1, longest + 1)
    ]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Tokens of the longest common subsequence; rows of bits: Hyyro 2004, A bit-vector algorithm for LCS."""
    places: dict[str, int] = {}
    for place, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << place
    full = (1 << len(one)) - 1
    row = full
    for token in other:
        matches = row & places.get(token, 0)
        row = (row + matches | row - matches) & full
    return len(one) - row.bit_count()


@cache
def _tokenize(name: str) -> Callable[[str], str]:
    from sacrebleu.metrics.bleu import BLEU  # 0.2 s, and only where texts were generated

    tokenize: Callable[[str], str] = BLEU(tokenize=name).tokenizer
    return tokenize


def _mean(summed: Sequence[float]) -> float:
    total, items = summed
    return total / items if items else 0.0


def _bleu_score(summed: Sequence[float]) -> float:
    """Papineni et al. 2002, with sacrebleu's smoothing: the k-th order without a match counts as 1 / 2^k matches."""
    said, meant, *rest = summed
    matched, total = rest[:_WORDS], rest[_WORDS:]
    if not any(matched) or not all(total):  # nothing is as long as four tokens
        return 0.0
    misses, logs = 0, []
    for hits, of in zip(matched, total, strict=True):
        misses += not hits
        logs.append(math.log(100 * (hits or 0.5**misses) / of))
    return min(1.0, math.exp(1 - meant / said)) * math.exp(math.fsum(logs) / _WORDS)


def _chrf_score(summed: Sequence[float]) -> float:
    """Popovic 2015: F2 of mean precision and mean recall, over the orders that both sides have."""
    rows = (summed[start : start + 3] for start in range(0, len(summed), 3))
    parts = [(match / said, match / meant) for said, meant, match in rows if said and meant]
    if not parts:
        return 0.0
    precision, recall = (sum(column) / len(parts) for column in zip(*parts, strict=True))
    weight = _BETA**2
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall) if precision + recall else 0.0


_STATISTICS: dict[str, Callable[[str, str, str], list[float]]] = {
    "exact_match": _exact_match, "bleu": _bleu, "chrf": _chrf, "rouge_l": _rouge_l,
}  # fmt: skip
_SCORES: dict[str, Callable[[Sequence[float]], float]] = {
    "exact_match": _mean, "bleu": _bleu_score, "chrf": _chrf_score, "rouge_l": _mean,
}  # fmt: skip
