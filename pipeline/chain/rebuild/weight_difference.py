"""How far two files of weights lie apart."""

import math
from pathlib import Path

from safetensors import safe_open


def largest(one: Path, other: Path) -> float:
    """Largest absolute difference of a weight between two safetensors files, tensor by tensor.

    Infinite where names or shapes differ, or a value is NaN in one of them.
    """
    with safe_open(one, "pt") as left, safe_open(other, "pt") as right:
        if set(left.keys()) != set(right.keys()):
            return math.inf
        found = 0.0
        for name in left.keys():  # noqa: SIM118 - safe_open is no mapping
            a, b = left.get_tensor(name).float(), right.get_tensor(name).float()
            if a.shape != b.shape:
                return math.inf
            difference = float((a - b).abs().max()) if a.numel() else 0.0
            found = max(found, math.inf if math.isnan(difference) else difference)
    return found
