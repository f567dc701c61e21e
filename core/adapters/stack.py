"""Finished adapters at work in nets that stay as they are: put on, weighed and taken off at once.

Each adds what it changes to the output of the modules it changes, y + w (W' - W) x, so that several
act side by side, each as on the base alone. Training puts adapters into the nets instead
(`injection`), which takes seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import nn

from core.adapters.changes import LoRA, Place
from core.adapters.injection import check_fits
from core.adapters.weight import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor
    from torch.utils.hooks import RemovableHandle

    from core.adapters.changes import Adapter, Change

    Extra = Callable[[Tensor], Tensor]  # of a module's input, what is added to its output
    Ready = Mapping[Place, Extra]


class Stack:
    """The adapters that some nets wear."""

    def __init__(self, nets: Mapping[str, nn.Module]) -> None:
        self._modules: dict[Place, Any] = {
            Place(part, name): module
            for part, net in nets.items()
            for name, module in net.named_modules()
        }
        self._hooks: list[RemovableHandle] = []

    @torch.no_grad()
    def ready(self, adapter: Adapter) -> Ready:
        """An adapter whose numbers lie where they are needed; what takes time is done here.

        Raises:
            AdapterError: A place does not exist in the nets, or a shape differs.
        """
        made = {}
        for place, change in adapter.items():
            module = self._modules.get(place)
            check_fits(module, place, change)
            made[place] = _extra(module, change)
        return made

    def wear(self, parts: Sequence[tuple[Ready, float]]) -> None:
        """Put these on, as strongly as said, in place of what is worn; one at 0 is not there."""
        for hook in self._hooks:
            hook.remove()
        together: dict[Place, list[tuple[Extra, float]]] = {}
        for ready, weight in parts:
            if weight:
                for place, extra in ready.items():
                    together.setdefault(place, []).append((extra, weight))
        self._hooks = [
            self._modules[place].register_forward_hook(_adding(extras))
            for place, extras in together.items()
        ]


def _adding(extras: Sequence[tuple[Extra, float]]) -> Callable[..., Tensor]:
    def hook(_: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
        for extra, weight in extras:
            made = made + (weight * extra(given[0])).to(made.dtype)
        return made

    return hook


def _extra(module: Any, change: Change) -> Extra:  # noqa: ANN401 - linear layers and convolutions
    weight = module.weight
    dtype = weight.dtype if weight.dtype.is_floating_point else torch.float32
    at = {"device": weight.device, "dtype": dtype}
    if isinstance(change, LoRA):
        down, up = change.down.to(**at), (change.up.float() * change.scale).to(**at)
        if isinstance(module, nn.Conv2d):
            return lambda x: F.conv2d(_convolved(module, x.to(dtype), down), up)
        return lambda x: F.linear(F.linear(x.to(dtype), down), up)
    delta = change.delta(whole(module).cpu()).to(**at)
    if isinstance(module, nn.Conv2d):
        return lambda x: _convolved(module, x.to(dtype), delta)
    return lambda x: F.linear(x.to(dtype), delta)


def _convolved(module: nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    padding = module.padding
    return F.conv2d(x, weight, None, module.stride, padding, module.dilation, module.groups)
