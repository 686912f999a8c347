"""Several LoRA adapters on one base as one: concatenated, which is exact, and compressed where its rank is too high."""

from collections.abc import Mapping, Sequence

import torch

# Shape legend: O = output features, I = input features, R = ranks of all parts together, K = rank kept.
# A_RI is a down-projection, B_OR an up-projection, and an adapter adds scaling * B A.

Tensors = dict[str, torch.Tensor]
_A, _B = ("lora_A", "lora_embedding_A"), ("lora_B", "lora_embedding_B")


def concatenated(parts: Sequence[tuple[Mapping[str, torch.Tensor], float]]) -> tuple[Tensors, float]:
    """One adapter that adds what all parts add.

    Args:
        parts: tensors as PEFT names them, and the scaling that they are added with. The last part's is kept;
            another's up-projections take the quotient on, which is 1 in a chain with one alpha and rank.

    Returns:
        Tensors whose rank is the sum of the parts' (zeros where a part leaves a module out), and their scaling.
    """
    scaling = parts[-1][1]
    names = sorted({name for tensors, _ in parts for name in tensors})
    ranks = [rank(tensors) for tensors, _ in parts]
    joined = {}
    for name in names:
        axis = _axis(name)
        like = next(tensors[name] for tensors, _ in parts if name in tensors)
        pieces = []
        for (tensors, own), width in zip(parts, ranks, strict=True):
            shape = list(like.shape)
            shape[axis] = width
            piece = tensors.get(name, torch.zeros(shape))
            pieces.append(piece * (own / scaling) if axis == 1 and own != scaling else piece)
        joined[name] = torch.cat(pieces, dim=axis).contiguous()
    return joined, scaling


def compressed(tensors: Mapping[str, torch.Tensor], cap: int) -> tuple[Tensors, float]:
    """The nearest adapter of rank `cap` (Eckart and Young): the largest singular values of each module's update.

    Returns:
        Tensors, and the share of all updates that is lost: Frobenius norm of what they lost over that of what they
        were, 0 to 1.
    """
    found: Tensors = {}
    lost = whole = 0.0
    for down in [name for name in tensors if _axis(name) == 0]:
        up = _partner(down)
        b_OK, a_KI, values_R = _best(tensors[up].double(), tensors[down].double(), cap)
        found[up], found[down] = (tensor.float().contiguous() for tensor in (b_OK, a_KI))
        lost += float(values_R[cap:].square().sum())
        whole += float(values_R.square().sum())
    return dict(sorted(found.items())), (lost / whole) ** 0.5 if whole else 0.0


def rank(tensors: Mapping[str, torch.Tensor]) -> int:
    """Rank of an adapter."""
    return next(int(tensor.shape[0]) for name, tensor in tensors.items() if _axis(name) == 0)


def _best(b_OR: torch.Tensor, a_RI: torch.Tensor, cap: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Factors of rank K and all singular values; B A itself, O by I, is never made."""
    left_OR, left_RR = torch.linalg.qr(b_OR)
    right_IR, right_RR = torch.linalg.qr(a_RI.T)
    u, values_R, v = torch.linalg.svd(left_RR @ right_RR.T, full_matrices=False)
    root_K = values_R[:cap].sqrt()
    b_OK, a_KI = left_OR @ u[:, :cap] * root_K, (root_K * (right_IR @ v[:cap].T)).T
    missing = cap - len(root_K)  # a module smaller than the cap: zeros keep one rank for all
    if missing > 0:
        b_OK, a_KI = (torch.nn.functional.pad(t, p) for t, p in ((b_OK, (0, missing)), (a_KI, (0, 0, 0, missing))))
    return b_OK, a_KI, values_R


def _axis(name: str) -> int:
    """Which axis of a tensor is the rank: 0 of a down-, 1 of an up-projection."""
    parts = name.split(".")
    if set(parts) & set(_A):
        return 0
    if set(parts) & set(_B):
        return 1
    raise ValueError(f"{name} is no plain LoRA tensor")


def _partner(down: str) -> str:
    return down.replace("lora_A", "lora_B").replace("lora_embedding_A", "lora_embedding_B")
