"""What a prediction follows from, as a key: equal keys, equal predictions, so that no model says anything twice.

A key holds the hashes of weights, base, tokenizer and template, of the prompt, of how the answer is decoded, and of the
code that scores. One byte of any of them changes the keys that depend on it, and no others. Loads no torch.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.common import files, sources
from pipeline.data.records import records
from pipeline.data.records.records import Record
from pipeline.evaluation.settings import Normalize
from pipeline.model.adapter import saved_adapter
from pipeline.model.base.pinned import Base

BASE_WEIGHTS = "model"  # what the names of a base's weights begin with
LIBRARIES = ("torch", "transformers", "peft", "tokenizers")
_EVERY = ("pipeline/evaluation/predict", "pipeline/model/chat", "pipeline/model/weights", "pipeline/training/examples")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelHashes:
    """A model as it is served, by the hashes of what it is made of; the object `models` of predictions.json."""

    weights: str  # of the adapter's two files; of the base itself, of none
    base: str  # fingerprint of the pinned base
    tokenizer: str  # of the base's files that are no weights
    chat_template: str | None  # Jinja text; None: the base's own
    dtype: str  # merge.dtype
    max_length: int  # tokens
    labels: str  # of the labels that it knows

    def plain(self) -> dict[str, Any]:
        """As predictions.json tells of it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """How answers are decoded and scored: the same for every model of a comparison."""

    normalize: Normalize  # evaluate.normalize
    max_new_tokens: int  # of a generated answer; 0: none is generated


def model(
    adapter: Path | None, base: Base, labels: Sequence[str], *, template: str | None, dtype: str, max_length: int
) -> ModelHashes:
    """The model that an adapter makes of a base.

    Args:
        adapter: its folder; None: the base itself.
        base: the pinned one, with the hashes of its files.
        labels: that the model knows, sorted.
        template: Jinja text in place of the base's own chat template.
        dtype: that the weights are rounded to.
        max_length: tokens that a prompt and its answer may have.
    """
    parts = [adapter / name for name in (saved_adapter.WEIGHTS, saved_adapter.CONFIG)] if adapter else []
    return ModelHashes(
        weights=digest([files.sha256(part) for part in parts]),
        base=base.fingerprint,
        tokenizer=digest({name: sha for name, sha in base.sha256.items() if not name.startswith(BASE_WEIGHTS)}),
        chat_template=template,
        dtype=dtype,
        max_length=max_length,
        labels=digest(list(labels)),
    )


def known(plain: Mapping[str, Any]) -> ModelHashes:
    """A model as predictions.json tells of it."""
    return ModelHashes(**plain)


def key(model: ModelHashes, judge: Decoding, record: Record) -> str:
    """The key of what a model says of a record, 32 hex digits.

    The answer of a classification is not part of it: the model is not told it.
    """
    made, asked = asdict(model), [record.kind, record.id]
    if record.kind == "classification":
        asked = [record.kind, records.content_id(record.prompt), judge.normalize]
    else:
        made.pop("labels")
    if record.kind == "sft":
        asked += [str(judge.max_new_tokens)]
    if record.kind == "text":  # no template stands around it
        made.pop("chat_template")
    return digest([made, asked, scorer(record.kind)])


def digest(value: Any) -> str:
    """The first 32 hex digits of the SHA-256 of canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def folders(kind: str) -> tuple[str, ...]:
    """The folders of code that make a row of a kind of records, as dvc.yaml lists them for `evaluate`."""
    return (*_EVERY, "pipeline/model/scoring" if kind == "classification" else "pipeline/training/losses")


@cache
def scorer(kind: str) -> str:
    """The version of what scores: the bytes of the code that makes a row, and the libraries that it uses."""
    return digest([sources.hashes(folders(kind)), {name: version(name) for name in LIBRARIES}])
