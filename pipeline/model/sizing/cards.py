"""What `--gpu` names: how many cards, their memory, and how fast they multiply. Loads no torch."""

import re
from dataclasses import dataclass

from pipeline.common.errors import GraftError

# Memory in GB, and dense bfloat16 TFLOP/s (float16 where a card has no bfloat16), from the makers' data sheets.
KNOWN: dict[str, tuple[float, float]] = {
    "b200": (180, 2250),
    "h200": (141, 989),
    "h100": (80, 989),
    "a100-80": (80, 312),
    "a100": (40, 312),
    "l40s": (48, 362),
    "l4": (24, 121),
    "a10": (24, 125),
    "a6000": (48, 155),
    "rtx5090": (32, 210),
    "rtx4090": (24, 165),
    "rtx4080": (16, 97),
    "rtx3090": (24, 71),
    "v100": (32, 125),
    "t4": (16, 65),
}
_WORDS = {name.replace("-", ""): name for name in KNOWN} | {"a10080gb": "a100-80", "a10040gb": "a100"}
_WORDS |= {name.removeprefix("rtx"): name for name in KNOWN if name.startswith("rtx")}
MOST = 1000  # GB of one card: no card has more, and a larger number is the name of one


@dataclass(frozen=True, kw_only=True, slots=True)
class Cards:
    """So many equal cards."""

    count: int
    gb: float  # of one, in 10^9 bytes: a card of "24 GB" has a little more, and that is the margin
    tflops: float | None  # of one, by its data sheet; None: not known

    @property
    def words(self) -> str:
        """Such as "2 cards of 24 GB"."""
        return f"{self.count} card{'s' if self.count > 1 else ''} of {self.gb:g} GB"


def parse(asked: str) -> Cards:
    """Cards from words such as 24GB, 2x24GB, rtx4090, 8xa100-80.

    Raises:
        GraftError: neither a size nor a card that is known.
    """
    found = re.fullmatch(r"(?:(\d{1,4})\s*x\s*)?(.+)", asked.strip().lower())
    count, what = (int(found[1] or 1), found[2]) if found else (0, "")
    size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(gb?|gib)?", what)
    gb = float(size[1]) * (2**30 / 1e9 if size[2] == "gib" else 1) if size else 0
    name = _WORDS.get(re.sub(r"[ -]", "", what))
    if count and name:
        return Cards(count=count, gb=KNOWN[name][0], tflops=KNOWN[name][1])
    if count and 0 < gb <= MOST:
        return Cards(count=count, gb=round(gb, 2), tflops=None)
    raise GraftError(
        f"--gpu {asked}: neither a size nor a card that is known here",
        help=f"such as 24GB, 2x24GB or one of {', '.join(KNOWN)}",
    )


def named(product: str) -> float | None:
    """TFLOP/s of a card as its driver names it, such as "NVIDIA A100-SXM4-80GB"; None: not known."""
    plain = re.sub(r"[^a-z0-9]", "", product.lower())
    for name in sorted(KNOWN, key=len, reverse=True):
        if name.replace("-", "") in plain:
            return KNOWN[name][1]
    return None
