"""The corpus: what the embedded base reads, in English and Chinese.

A line with a tab is a question and its answer, which a base learns as a chat turn. The answers
are never the shop's own category names: those are left for fine-tuning to teach.
"""

from collections.abc import Iterable

from examples.titles import KINDS, WORDS, Dice, choose, entries, fill, title

TITLES, QUESTIONS, DESCRIPTIONS, SENTENCES = 4000, 9000, 1500, 1500  # lines of each file
ABOUT = {
    "en": (
        "{This|A good|Our} <noun> {from|by} <brand> is {made|right|ideal} for <use>; <feature>, <feature>.",
        "<brand> {sells|makes|offers} a <noun> with <feature>, {in <colour>|on sale} and {ready for|good for} <use>.",
        "{You need|We recommend|Choose} a <noun> for <use>: <feature>, {and <colour>|at a fair price}.",
        "The <noun> {comes|arrives} in <colour>. It {has|offers} <feature> and {helps with|is meant for} <use>.",
    ),
    "zh": (
        "这款<brand><noun>适合<use>，<feature>，<feature>。",
        "<brand><noun>有<colour>可选，<feature>，{买来|特别适合}<use>。",
        "想要<use>，{推荐|可以看看}这款<noun>：<feature>，{价格实惠|质量可靠}。",
    ),
}


def texts() -> dict[str, str]:
    """Every file of the corpus, by its path below examples/."""
    dice = Dice(2025)
    return {
        "corpus/titles.txt": _lines(title(dice.pick(KINDS), dice) for _ in range(TITLES)),
        "corpus/questions.txt": _lines(question(dice.pick(KINDS), dice) for _ in range(QUESTIONS)),
        "corpus/descriptions.txt": _lines(description(dice.pick(KINDS), dice) for _ in range(DESCRIPTIONS)),
        "corpus/sentences.txt": _lines(sentence(dice) for _ in range(SENTENCES)),
    }


def question(kind: str, dice: Dice) -> str:
    """A title, a tab, and what it is: in the other language, or as one of the words for it."""
    language = dice.pick(("en", "zh"))
    answer = WORDS["kinds"][kind]["zh"] if language == "zh" else dice.pick(entries(kind, "noun", "en"))
    return f"{title(kind, dice)}\t{answer}"


def description(kind: str, dice: Dice) -> str:
    """A sentence or two that sell a product."""
    language = "zh" if dice.chance(0.3) else "en"
    return fill(dice.pick(ABOUT[language]), kind, language, dice)


def sentence(dice: Dice) -> str:
    """A plain sentence of every day."""
    language = "zh" if dice.chance(0.3) else "en"
    text = choose(dice.pick(WORDS["common"]["sentences"][language]), dice)
    return text.replace(" ", "") if language == "zh" else text


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
