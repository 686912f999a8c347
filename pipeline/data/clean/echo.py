"""What a template left behind: placeholders never filled, answers that repeat their prompt, boilerplate."""

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from pipeline.data.clean import message_texts
from pipeline.data.clean.message_texts import Bools, Contents

# Of a title any name in braces; elsewhere, where code stands, only what instruction templates are made of.
_NAME = r"[A-Za-z_][A-Za-z0-9_.]{0,40}"
_IN_A_TITLE = rf"\{{\{{ ?{_NAME} ?\}}\}}|\{{{_NAME}\}}|\$\{{{_NAME}\}}|<%=? ?{_NAME} ?%>"
_FIELD = "instruction|input|output|question|answer|context|prompt|response|text|title|label"
_ELSEWHERE = rf"\{{\{{ ?{_NAME} ?\}}\}}|\{{(?:{_FIELD})\}}"
_BOILERPLATE = (
    r"(?i)\bas an? (?:AI|artificial intelligence)(?: language)?(?: model| assistant)?\b"
    r"|\bas a (?:large )?language model\b"
    r"|\bI(?:'m| am) (?:just )?an? (?:AI|large) language model\b|作为一[个名位]?(?:人工智能|AI|大?语言模型)"
)
_LONG_PROMPT = 64  # characters: a shorter one may well begin its answer


def found(
    texts: Contents, placeholders: str, echo: bool, boilerplate: bool, lorem: bool
) -> Iterator[tuple[str, Bools]]:
    """Reason, and the contents that it holds for; each check only where it is asked for."""
    answers = message_texts.bools(pc.equal(texts.roles, "assistant")) & ~texts.lines
    if placeholders != "keep":
        title = texts.lines & ~texts.labels
        left = title & message_texts.matching(texts.values, _IN_A_TITLE)
        if placeholders == "all":
            left |= ~texts.lines & message_texts.matching(texts.values, _ELSEWHERE)
        yield "placeholder left in the text", left
    if lorem:
        yield "lorem ipsum", ~texts.labels & message_texts.matching(texts.values, r"(?i)lorem ipsum dolor")
    if boilerplate:
        yield "assistant's boilerplate", answers & message_texts.matching(texts.values, _BOILERPLATE)
    if echo and answers.any():
        yield "answer repeats the prompt", answers & _echoes(texts)


def _echoes(texts: Contents) -> Bools:
    """Which contents repeat the one before them, if that is the user's and of the same row."""
    hits: Bools = np.zeros(len(texts.values), dtype=bool)
    if len(hits) < 2:
        return hits
    before, after = texts.values.slice(0, len(hits) - 1), texts.values.slice(1)
    asked = message_texts.bools(pc.equal(texts.roles.slice(0, len(hits) - 1), "user"))
    same_row = texts.rows[1:] == texts.rows[:-1]
    longer = message_texts.bools(pc.greater_equal(pc.binary_length(after), pc.binary_length(before)))
    for place in np.flatnonzero(asked & same_row & longer).tolist():
        hits[place + 1] = _repeats(before[place].as_py(), after[place].as_py())
    return hits


def _repeats(prompt: str, answer: str) -> bool:
    return answer == prompt or (len(prompt) >= _LONG_PROMPT and answer.startswith(prompt))
