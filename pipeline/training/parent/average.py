"""Between a continued adapter and its parent: a moving average of the weights, and interpolation of what they add.

What is interpolated is the update that an adapter adds to the base, B·A, not B and A by themselves, whose product
is another update: B(t)·A(t) lacks t(1-t)·(B1-B0)·(A1-A0). The sum of two updates of rank r has rank 2r at most; it is
cut to rank r by its singular values, which is the nearest update of that rank (Eckart and Young 1936).
"""

from collections.abc import Callable, Mapping, Sequence

import torch

# Shape legend: O = output features, I = input features, R = LoRA rank.

Tensors = Mapping[str, torch.Tensor]
SHARES = (1.0, 0.75, 0.5, 0.25)  # of the child, that are tried: the first of equals wins, and so the child
PAIRS = ((".lora_A.", ".lora_B."), (".lora_embedding_A.", ".lora_embedding_B."))  # in the names of PEFT's tensors


class Moving:
    """An exponential moving average of parameters, corrected for its beginning (Kingma and Ba 2015, section 3)."""

    def __init__(self, parameters: Sequence[torch.Tensor], decay: float) -> None:
        """Begin at nothing: after one step the average is that step's weights."""
        self._parameters, self._decay, self._weight = parameters, decay, 0.0
        self._sums = [torch.zeros_like(parameter) for parameter in parameters]

    @torch.no_grad()
    def add(self) -> None:
        """Take in the parameters as they are now."""
        self._weight = self._decay * self._weight + (1 - self._decay)
        for sum_, parameter in zip(self._sums, self._parameters, strict=True):
            sum_.mul_(self._decay).add_(parameter, alpha=1 - self._decay)

    def tensors(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        sums = {f"average.{number}": sum_ for number, sum_ in enumerate(self._sums)}
        return sums | {"average.weight": torch.tensor(self._weight, dtype=torch.float64)}

    def restore(self, found: Mapping[str, torch.Tensor]) -> None:
        """Undo `tensors`."""
        self._weight = float(found["average.weight"])
        for number, sum_ in enumerate(self._sums):
            sum_.copy_(found[f"average.{number}"])

    @torch.no_grad()
    def apply(self) -> None:
        """Put the average in the parameters' place; they stay as they are where nothing was taken in."""
        if self._weight:
            for sum_, parameter in zip(self._sums, self._parameters, strict=True):
                parameter.copy_(sum_ / self._weight)


def interpolated(child: Tensors, parent: Tensors, share: float) -> dict[str, torch.Tensor]:
    """An adapter that adds share * child's update + (1 - share) * parent's, as nearly as its rank allows.

    Args:
        child: tensors of an adapter, by name.
        parent: of the same names and shapes.
        share: of the child; 1 and 0 give child and parent as they are.
    """
    if share in (0.0, 1.0):
        return dict(child if share else parent)
    mixed = {name: share * tensor + (1 - share) * parent[name] for name, tensor in child.items()}
    for down, up in PAIRS:
        for name in (name for name in child if down in name):
            other = name.replace(down, up)
            mixed[name], mixed[other] = _cut(
                torch.cat([child[name], parent[name]]),
                torch.cat([share * child[other], (1 - share) * parent[other]], dim=1),
                len(child[name]),
            )
    return mixed


def chosen(loss: Callable[[float], float], shares: Sequence[float] = SHARES) -> float:
    """The share with the lowest loss; of equal ones the first."""
    return min(shares, key=loss)


def _cut(a_2RI: torch.Tensor, b_O2R: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest B·A of a rank, in float64; singular values divided evenly, signs fixed so that bytes repeat."""
    q_O2R, r_22 = torch.linalg.qr(b_O2R.double())
    p_I2R, s_22 = torch.linalg.qr(a_2RI.double().T)
    u, values, vh = torch.linalg.svd(r_22 @ s_22.T)
    root = values[:rank].sqrt()
    b_OR, a_RI = q_O2R @ u[:, :rank] * root, root[:, None] * (vh[:rank] @ p_I2R.T)
    signs = torch.sign(a_RI.gather(1, a_RI.abs().argmax(1, keepdim=True)))
    signs[signs == 0] = 1
    return (a_RI * signs).to(a_2RI.dtype).contiguous(), (b_OR * signs.T).to(b_O2R.dtype).contiguous()
