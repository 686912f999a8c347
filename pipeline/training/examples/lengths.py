"""How long examples are, and what `train.max_length` takes from them: said before training, and a limit to it."""

from collections.abc import Sequence

from pipeline.common.errors import GraftError
from pipeline.common.words import counted

ENOUGH = 0.9  # of the examples: a length that keeps so many is worth naming
STEP = 256  # tokens: lengths are named in multiples of it


def words(lengths: Sequence[int], max_length: int) -> str:
    """How many examples exceed a length, and which lengths keep most of them and all; empty where none does.

    Args:
        lengths: tokens of each example.
        max_length: that they are cut to.
    """
    over = sum(length > max_length for length in lengths)
    if not over:
        return ""
    ordered = sorted(lengths)
    everything = _rounded(ordered[-1])
    most = _rounded(ordered[int(ENOUGH * (len(ordered) - 1))])
    said = f"{over:,} of {counted(len(lengths), 'example')} exceed {max_length:,} tokens"
    if max_length < most < everything:
        kept = sum(length <= most for length in lengths) / len(lengths)
        return f"{said}; {most:,} keeps {_floored(kept)}, {everything:,} all"
    return f"{said}; {everything:,} keeps all"


def refuse_losses(cut: int, left_out: int, lengths: Sequence[int], max_length: int, max_share: float) -> None:
    """Refuse to train where the length cuts, or leaves out, more of the examples than is allowed.

    Args:
        cut: examples that lose a part; classifications, which keep their answer, aside.
        left_out: records that give no example.
        lengths: tokens of each.
        max_length: `train.max_length`.
        max_share: `train.max_cut_share`.

    Raises:
        GraftError: says how many, and which length keeps them.
    """
    lost = cut + left_out
    if lost <= max_share * len(lengths):
        return
    raise GraftError(
        f"train: {lost:,} of {counted(len(lengths), 'example')} are cut or left out ({lost / len(lengths):.0%}), "
        f"train.max_cut_share allows {max_share:.0%}",
        [line for line in (words(lengths, max_length),) if line],
        help="raise train.max_length, which costs memory and time; or train.max_cut_share, where the rest is enough",
    )


def _rounded(length: int) -> int:
    return -(-length // STEP) * STEP


def _floored(share: float) -> str:
    """A share in percent, never said to be all where it is not."""
    return f"{int(100 * share)}%"
