"""Linear layers whose weights take a byte a number: each row rounded to int8 or fp8, with a scale.

What torchao calls weight-only int8 and float8, without it: where that is installed, diffusers and
peft load it at every start, asked for or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor, nn
from typing_extensions import override

if TYPE_CHECKING:
    from core.families.device import Held

# The dtype of a number, and the largest that a row's largest becomes.
HELD: dict[Held, tuple[torch.dtype, float]] = {
    "int8_weights": (torch.int8, 127.0),
    "fp8": (torch.float8_e4m3fn, 448.0),
}


class Bytewise(nn.Linear):
    """A frozen linear layer; what goes in is not rounded."""

    def __init__(self, weight: Tensor, scale: Tensor, bias: nn.Parameter | None) -> None:
        """Of rounded numbers, (out, in), and a scale for each row, (out, 1)."""
        super().__init__(weight.shape[1], weight.shape[0], bias=False, device="meta")
        self.kind = weight.dtype
        # as plain bytes, which no library takes for numbers that it may turn into others
        self.weight = nn.Parameter(weight.view(torch.uint8), requires_grad=False)
        self.scale = nn.Buffer(scale)
        self.bias = bias

    @classmethod
    def rounded(cls, linear: nn.Linear, held: Held) -> Bytewise:
        """Round a layer's weight; of one on the meta device the shape alone."""
        kind, most = HELD[held]
        weight = linear.weight.detach()
        if weight.is_meta:
            weight = torch.empty_like(weight, device="cpu")
        weight = weight.float()
        largest = weight.abs().amax(dim=1, keepdim=True)
        scale = torch.where(largest > 0, largest / most, 1.0)
        rounded = weight / scale
        rounded = rounded.round() if kind == torch.int8 else rounded
        return cls(rounded.to(kind), scale, linear.bias)

    def whole(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Its weight as numbers again."""
        return _whole(self.weight, self.scale, self.kind, dtype)

    @override
    def forward(self, input: Tensor) -> Tensor:
        kind = input.device.type
        wanted = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else input.dtype
        return _Product.apply(input.to(wanted), self.weight, self.scale, self.bias, self.kind)


class _Product(torch.autograd.Function):
    """x W', of which the way back turns the weight into numbers anew: whole, all would be kept."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:  # noqa: ANN401 - torch's
        x, weight, scale, bias, kind = given
        ctx.save_for_backward(weight, scale)
        ctx.kind = kind
        bias = bias if bias is None else bias.to(x.dtype)
        return F.linear(x, _whole(weight, scale, kind, x.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (grad,) = grads
        weight, scale = ctx.saved_tensors
        return grad @ _whole(weight, scale, ctx.kind, grad.dtype), None, None, None, None


def _whole(weight: Tensor, scale: Tensor, kind: torch.dtype, dtype: torch.dtype) -> Tensor:
    return (weight.view(kind).float() * scale).to(dtype)
