"""How many tokens a record has, counted only where its bytes leave a doubt."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.clean.message_texts import Bools, Contents

_SPARE = 8  # tokens that a tokenizer may add to a text: a blank before it, a beginning, an end


def outside(found: Contents, rows: int, tokenizer: Path, least: int | None, most: int | None) -> tuple[Bools, Bools]:
    """Which rows have fewer tokens than `least`, and which more than `most`, over all of their messages.

    A token is at least one byte of the text, and at most as many as the vocabulary's longest: so most rows need
    no counting. A normaliser that makes text longer (NFKC of rare ligatures) is not accounted for.
    """
    size = pc.fill_null(pc.binary_length(found.values), 0).to_numpy(zero_copy_only=False)
    total = np.bincount(found.rows, weights=size, minlength=rows)
    here: Bools = np.bincount(found.rows, minlength=rows) > 0
    unsure: Bools = np.zeros(rows, dtype=bool)
    if most is not None:
        unsure |= total + _SPARE > most
    if least is not None:
        unsure |= total < least * _longest(tokenizer)
    counts = _counted(found, here & unsure, tokenizer, rows)
    few: Bools = here & unsure & (counts < (least or 0))
    many: Bools = here & unsure & (counts > (np.inf if most is None else most))
    return few, many


def _counted(found: Contents, which: Bools, tokenizer: Path, rows: int) -> npt.NDArray[Any]:
    inside = which[found.rows]
    texts = found.values.filter(pa.array(inside)).to_pylist()
    encoded = _load(tokenizer).encode_batch_fast(texts, add_special_tokens=False) if texts else []
    return np.bincount(found.rows[inside], weights=[len(each.ids) for each in encoded], minlength=rows)


@lru_cache(maxsize=2)
def _load(path: Path) -> Any:
    from tokenizers import Tokenizer  # 0.1 s: only when tokens are bounded

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@lru_cache(maxsize=2)
def _longest(path: Path) -> int:
    return max(len(token.encode()) for token in _load(path).get_vocab())
