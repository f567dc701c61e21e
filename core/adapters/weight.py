"""A module's weight as numbers, in however few bits it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peft.utils.integrations import dequantize_bnb_weight, get_bnb_param_type

if TYPE_CHECKING:
    from torch import Tensor


def whole(module: Any) -> Tensor:  # noqa: ANN401 - any of torch's or bitsandbytes' layers
    """Its weight as it is, or turned back from 8 or 4 bits; the module stays as it is.

    A layer of ours that holds it in fewer says itself what it is.

    Not peft's `dequantize_module_weight`: on a CPU it leaves a layer of 8 bits without scales.
    """
    if hasattr(module, "whole"):
        return module.whole()
    weight = module.weight
    if not get_bnb_param_type(weight):
        return weight
    return dequantize_bnb_weight(weight, state=getattr(module, "state", None))
