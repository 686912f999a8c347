"""Plain LoRA and frozen linear layers with fewer passes over memory than autograd would take.

A PEFT layer computes x W' + s (x A') B' in five operations, whose gradients take nine more; here two and five, each
adding to its result in place. With `products` bfloat16 the frozen products are computed in it (their factors rounded,
their sums not); the adapter's own products, its gradients and everything between the layers stay float32.
"""

from collections import Counter
from functools import partial
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn

# Shape legend: N = tokens of all rows, I = input features, O = output features, R = LoRA rank.


def install(model: Any, products: torch.dtype) -> int:
    """Give every layer for which it is exact its faster forward; returns how many there were.

    Frozen linear layers of the base are changed only where `products` is not their own dtype.
    """
    uses = Counter(id(weight) for module in model.modules() for weight in module.parameters(recurse=False))
    changed = 0
    for module in model.modules():
        if plain(module):
            weight_OI = _prepared(module.base_layer, products, uses)
            module.forward = partial(_adapted, module, weight_OI)
        elif type(module) is nn.Linear and _frozen(module, products):
            module.forward = partial(  # type: ignore[method-assign]
                _frozen_forward, module, _prepared(module, products, uses)
            )
        else:
            continue
        changed += 1
    return changed


def plain(module: Any) -> bool:
    """Is it a LoRA layer of one adapter, on a linear layer, without dropout and variants?"""
    return (
        type(module) is LoraLinear
        and type(module.base_layer) is nn.Linear
        and not module.base_layer.weight.requires_grad
        and list(module.active_adapters) == list(module.lora_A) == ["default"]
        and isinstance(module.lora_dropout["default"], nn.Identity)
        and not module.lora_variant
        and module.lora_B["default"].bias is None
        and not (module.merged or module.disable_adapters or module.fan_in_fan_out)
    )


def _frozen(module: nn.Linear, products: torch.dtype) -> bool:
    return not any(parameter.requires_grad for parameter in module.parameters()) and module.weight.dtype != products


def _prepared(module: nn.Linear, products: torch.dtype, uses: Counter[int]) -> Tensor:
    weight_OI = module.weight.detach().to(products)
    if uses[id(module.weight)] == 1:  # not tied to the embeddings: no second copy in memory
        module.weight.data = weight_OI
    return weight_OI


def _adapted(module: Any, weight_OI: Tensor, x: Tensor, *_args: Any, **_named: Any) -> Tensor:
    if module.disable_adapters:  # a look at the parent's or the base's own predictions
        return _frozen_forward(module.base_layer, weight_OI, x)
    a_RI, b_OR = module.lora_A["default"].weight, module.lora_B["default"].weight
    found: Tensor = _Lora.apply(  # type: ignore[no-untyped-call]
        x, weight_OI, module.base_layer.bias, a_RI, b_OR, module.scaling["default"]
    )
    return found


def _frozen_forward(module: nn.Linear, weight_OI: Tensor, x: Tensor) -> Tensor:
    found: Tensor = _Frozen.apply(x, weight_OI, module.bias)  # type: ignore[no-untyped-call]
    return found


def _product(x_NI: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
    """The product x W' + b in x's dtype, computed in the weight's."""
    if weight_OI.dtype == x_NI.dtype:
        return torch.mm(x_NI, weight_OI.t()) if bias_O is None else torch.addmm(bias_O, x_NI, weight_OI.t())
    y_NO = torch.mm(x_NI.to(weight_OI.dtype), weight_OI.t()).to(x_NI.dtype)
    return y_NO if bias_O is None else y_NO.add_(bias_O)


class _Frozen(torch.autograd.Function):
    """A linear layer that is not trained."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight_OI)
        return _product(x.flatten(0, -2), weight_OI, bias_O).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None]:
        (weight_OI,) = ctx.saved_tensors
        grad_NO = grad.flatten(0, -2)
        return _product(grad_NO, weight_OI.t(), None).view(*grad.shape[:-1], -1), None, None


class _Lora(torch.autograd.Function):
    """A linear layer that is not trained, with an adapter that is."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight_OI: Tensor, bias_O: Tensor | None, a_RI: Tensor, b_OR: Tensor, scale: float
    ) -> Tensor:
        x_NI = x.flatten(0, -2)
        u_NR = torch.mm(x_NI, a_RI.t())
        ctx.save_for_backward(x_NI, u_NR, weight_OI, a_RI, b_OR)
        ctx.scale = scale
        y_NO = _product(x_NI, weight_OI, bias_O).addmm_(u_NR, b_OR.t(), alpha=scale)
        return y_NO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor, None]:
        x_NI, u_NR, weight_OI, a_RI, b_OR = ctx.saved_tensors
        grad_NO = grad.flatten(0, -2)
        grad_u_NR = torch.mm(grad_NO, b_OR * ctx.scale)
        grad_a_RI = torch.mm(grad_u_NR.t(), x_NI)
        grad_b_OR = torch.mm((u_NR * ctx.scale).t(), grad_NO).t()  # this way around the long axis is read in order
        if not ctx.needs_input_grad[0]:  # the first layer: nothing before it is trained
            return None, None, None, grad_a_RI, grad_b_OR, None
        grad_x_NI = _product(grad_NO, weight_OI.t(), None).addmm_(grad_u_NR, a_RI)
        return grad_x_NI.view(*grad.shape[:-1], -1), None, None, grad_a_RI, grad_b_OR, None
