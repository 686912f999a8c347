"""Documents -> windows of `max_length` tokens: no padding, nothing cut away, every token learned.

Documents stand in the order given, each ended by the end of text. A window may begin inside a
document and hold several; attention sees all of a window, so that a document also sees the end of the one before it,
as usual in pretraining. The last window is shorter.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain


def windows(documents: Iterable[tuple[str, Sequence[int]]], size: int) -> list[tuple[str, list[int]]]:
    """Windows of `size` tokens, each with a name: the id of the document that it begins in, /1 for its second one.

    Args:
        documents: id and token ids, in order; one may come several times.
        size: tokens of a window; a last one of a single token, of which nothing is learned, is left out.
    """
    ordered = list(documents)
    begins = [0, *accumulate(len(tokens) for _, tokens in ordered)]
    flat = list(chain.from_iterable(tokens for _, tokens in ordered))
    seen: Counter[str] = Counter()
    made = []
    for start in range(0, len(flat) - 1, size):
        id_ = ordered[bisect_right(begins, start) - 1][0]
        made.append((f"{id_}/{seen[id_]}" if seen[id_] else id_, flat[start : start + size]))
        seen[id_] += 1
    return made
