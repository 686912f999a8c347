"""Two files of weights: how far apart."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.chain.rebuild.weight_difference import largest

ONE = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[3.0]])}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(ONE, 0.0, id="same"),
        pytest.param(ONE | {"a": torch.tensor([1.0, 2.5])}, 0.5, id="a-value"),
        pytest.param({"a": ONE["a"]}, math.inf, id="a-tensor-less"),
        pytest.param(ONE | {"a": torch.tensor([1.0])}, math.inf, id="another-shape"),
        pytest.param(ONE | {"b": torch.tensor([[math.nan]])}, math.inf, id="not-a-number"),
    ],
)
def test_largest_difference(tmp_path: Path, other: dict[str, torch.Tensor], expected: float) -> None:
    save_file(ONE, tmp_path / "one.safetensors")
    save_file(other, tmp_path / "other.safetensors")
    assert largest(tmp_path / "one.safetensors", tmp_path / "other.safetensors") == expected
