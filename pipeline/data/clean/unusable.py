"""Step `unusable`: rows that lost characters, speak as a chat template, or say nothing."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.clean import message_texts
from pipeline.data.clean.message_texts import Bools, Contents

UNDECODABLE = "undecodable characters"
TEMPLATE = "control tokens of a chat template"

# What the templates of well-known model families write between messages. A tokenizer reads such a mark as the end
# of a turn: a title could then speak as the model. Left alone: <think>, <tool_call>, <image> and <unk>, which
# training data holds on purpose, and BERT's [CLS] [SEP] [MASK].
MARKS = (
    r"<\|[A-Za-z0-9_]{1,40}\|>"  # ChatML, Llama 3, Phi, GPT: <|im_end|>
    r"|<｜[A-Za-z0-9_▁]{1,40}｜>"  # DeepSeek
    r"|</?(?:start|end)_of_turn>|<(?:bos|eos)>"  # Gemma
    r"|\[/?INST\]|<</?SYS>>|</?s>"  # Llama 2, Mistral
    r"|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"  # Mistral
    r"|\[gMASK\]"  # GLM
)
_MARKS = re.compile(MARKS)
_LOST = re.compile("[\ud800-\udfff\ufffd]")  # lone surrogates, and what a decoder could not read


def apply(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without rows that cannot be trained on whatever the params say."""
    found = message_texts.contents(batch)

    def rows(hits: Bools) -> Bools:
        return message_texts.rows_of(found, hits, batch.num_rows)

    empty = message_texts.matching(found.values, r"^[\s\pZ]*$")
    return message_texts.reject(
        batch,
        [
            (UNDECODABLE, rows(message_texts.matching(found.values, r"\x{fffd}"))),
            (TEMPLATE, rows(message_texts.matching(found.values, MARKS)) | _in_tools(batch, found)),
            ("empty label", rows(empty & found.labels)),
            ("empty text", rows(empty & _texts(found))),
            ("empty message", rows(empty & _speaking(found))),
        ],
    )


def undecodable(text: str) -> bool:
    """Whether the text holds U+FFFD or a lone surrogate: something was lost before it came here."""
    return not text.isascii() and _LOST.search(text) is not None


def marks_a_turn(text: str) -> bool:
    """Whether the text holds what a chat template writes between messages, such as <|im_end|>."""
    return _MARKS.search(text) is not None


def _in_tools(batch: pa.RecordBatch, found: Contents) -> Bools:
    inside = message_texts.matching(batch.column("tools"), MARKS)
    return inside | message_texts.rows_of(found, message_texts.matching(found.calls, MARKS), batch.num_rows)


def _texts(found: Contents) -> Bools:
    plain: Bools = message_texts.bools(pc.equal(found.roles, "text"))
    return (found.lines & ~found.labels) | plain


def _speaking(found: Contents) -> Bools:
    """Messages that must say something: a tool's answer and a call of tools need no words."""
    silent = message_texts.bools(pc.equal(found.roles, "tool")) | message_texts.bools(found.calls.is_valid())
    rest: Bools = ~found.lines & ~_texts(found) & ~silent
    return rest
