"""A frozen net whose linear layers are held in 8 or 4 bits (QLoRA, arXiv:2305.14314)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from core.errors import BaseModelError
from core.families import bytewise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from core.families.device import Held


_STEP = 8  # of a layer's edges: the kernels want it, and what is smaller costs nothing


def _can_be_held(module: nn.Module) -> bool:
    return (
        type(module) is nn.Linear
        and module.in_features % _STEP == 0
        and module.out_features % _STEP == 0
    )


def hold(net: nn.Module, held: Held, compute: torch.dtype) -> None:
    """Replace a net's linear layers by ones of `held`; what they compute in stays.

    Layers of odd edges, which are small, stay as they are.

    The weights of a part at a time are turned, on the CPU; a GPU takes them over as they are.

    Raises:
        BaseModelError: bitsandbytes is not here, or does not know this machine.
    """
    if held in bytewise.HELD:
        make = partial(bytewise.Bytewise.rounded, held=held)
    else:
        make = partial(_packed, layers=_bitsandbytes(held), held=held, compute=compute)
    linear: list[tuple[str, Any]] = [
        (name, module) for name, module in net.named_modules() if _can_be_held(module)
    ]
    for name, module in linear:
        parent, _, last = name.rpartition(".")
        setattr(net.get_submodule(parent), last, make(module))


def kept(net: nn.Module, tensors: Mapping[str, Tensor], held: Held) -> dict[str, Tensor]:
    """Those of a file's weights that `hold` would turn into the very bytes that they are."""
    kind, _ = bytewise.HELD.get(held, (None, 0.0))
    layers = (f"{name}.weight" for name, module in net.named_modules() if _can_be_held(module))
    return {n: tensors[n] for n in layers if n in tensors and tensors[n].dtype == kind}


def keep(net: nn.Module, weights: Mapping[str, Tensor], rows: Mapping[str, Tensor]) -> None:
    """Put such weights into a net.

    Args:
        net: Whose other tensors are there already.
        weights: What `kept` found.
        rows: The scales of their rows; without one it is 1.
    """
    for name, weight in weights.items():
        module = name.removesuffix(".weight")
        parent, _, last = module.rpartition(".")
        scale = rows.get(name, torch.ones(len(weight), 1))
        bias: Any = net.get_submodule(module).bias
        setattr(net.get_submodule(parent), last, bytewise.Bytewise(weight, scale, bias))


def _bitsandbytes(held: Held) -> Any:  # noqa: ANN401 - untyped
    try:
        import bitsandbytes
    except Exception as error:
        raise BaseModelError(
            f"The base model cannot be held in {held}: bitsandbytes cannot be used here ({error}).",
            hint="Set training.base_precision to whole, or to int8_weights.",
        ) from error
    return bitsandbytes.nn


def _packed(module: nn.Linear, *, layers: Any, held: Held, compute: torch.dtype) -> Any:  # noqa: ANN401
    """A layer of bitsandbytes in the place of one of torch's."""
    has_bias = module.bias is not None
    if held == "nf4":
        made = layers.Linear4bit(
            module.in_features,
            module.out_features,
            bias=has_bias,
            compute_dtype=compute,
            quant_type="nf4",
            device="meta",
        )
        # It would turn the weights for a faster kernel as soon as no gradient is wanted, which
        # fails for widths that are no multiple of a block, and draws in bfloat16.
        made.support_avx512bf16_for_cpu = False
        made.weight = (
            _shape_in_4_bits(module.weight, made.weight)
            if module.weight.is_meta
            else layers.Params4bit(
                module.weight.data, requires_grad=False, quant_type="nf4", module=made
            ).to("cpu")
        )
    else:
        made = layers.Linear8bitLt(
            module.in_features,
            module.out_features,
            bias=has_bias,
            has_fp16_weights=False,
            device="meta",
        )
        made.weight = (
            _shape_in_8_bits(module.weight)
            if module.weight.is_meta
            else layers.Int8Params(
                module.weight.data, requires_grad=False, has_fp16_weights=False
            ).to("cpu")
        )
    made.bias = module.bias
    return made


def _shape_in_4_bits(weight: Any, told: Any) -> Any:  # noqa: ANN401 - bitsandbytes'
    """As much as a weight takes in 4 bits, where it has no numbers (see `Base.unread`).

    bitsandbytes' own parameters cannot hold tensors of another kind.
    """
    from bitsandbytes import functional

    packed, state = functional.quantize_4bit(
        torch.empty_like(weight, device="cpu"),
        blocksize=told.blocksize,
        compress_statistics=told.compress_statistics,
        quant_type=told.quant_type,
    )
    made: Any = nn.Parameter(packed, requires_grad=False)
    made.quant_state, made.quant_type = state, told.quant_type
    made.compress_statistics = told.compress_statistics
    return made


def _shape_in_8_bits(weight: Any) -> Any:  # noqa: ANN401
    """The same for 8 bits."""
    from bitsandbytes import functional

    packed, scales, _ = functional.int8_vectorwise_quant(
        torch.empty_like(weight, device="cpu", dtype=torch.float16)
    )
    made: Any = nn.Parameter(packed, requires_grad=False)
    made.CB, made.SCB, made.has_fp16_weights = packed, scales, False
    return made
