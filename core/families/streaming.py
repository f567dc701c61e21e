"""A frozen net whose blocks lie in the main memory, and are on the GPU while they compute.

diffusers' group offloading does the same for nets that only draw: it also takes along what learns,
copies back what has not changed, and gives a block no weights when it is computed anew on the way
back by parts. Here a block is what the net itself computes anew (gradient checkpointing), of which
what a pass has kept is gone when its own way back is done, its weights among it.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from core.families.device import placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor, nn

    from core.families.device import Device

    Held = Sequence[tuple[Tensor, Tensor]]  # a weight, and its numbers in the main memory


def blocks(net: Any) -> list[nn.Module]:  # noqa: ANN401 - diffusers' nets are untyped
    """What comes and goes as a whole: of most nets nearly all of their weights."""
    kinds = net._repeated_blocks or net._no_split_modules
    return [module for module in net.modules() if type(module).__name__ in kinds]


def resting(net: Any) -> set[nn.Module]:  # noqa: ANN401
    """The modules that lie in the main memory while the largest of the blocks computes."""
    found = blocks(net)
    largest = max(found, key=lambda block: sum(p.nbytes for p in block.parameters()))
    return {module for block in found if block is not largest for module in block.modules()}


def place(net: Any, device: Device) -> Any:  # noqa: ANN401
    """As `placed`, with the blocks in the main memory; their weights come when they are called.

    What bitsandbytes keeps beside a weight is small and stays on the GPU.
    """
    if next(net.parameters()).is_meta:  # nothing is read, and so nothing comes: see `resting`
        return placed(net, device)
    net.requires_grad_(requires_grad=False).eval()
    inside: set[nn.Module] = set()
    for block in blocks(net):
        inside.update(block.modules())
        block.to(device.device)
        held = [(t, _in_main_memory(t, device)) for t in (*block.parameters(), *block.buffers())]
        _go(held)
        block.register_forward_pre_hook(partial(_come, held, device.device))
        # a way back that has all it wants ends a block's pass by an exception
        block.register_forward_hook(partial(_go, held), always_call=True)
    for module in net.modules():
        if module in inside:
            continue
        if next(module.children(), None) is None:
            module.to(device.device)
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            tensor.data = tensor.data.to(device.device)
    return net


def _in_main_memory(tensor: Tensor, device: Device) -> Tensor:
    numbers = tensor.data.cpu()
    if device.device.type == "cuda":
        with contextlib.suppress(RuntimeError):  # the system may lock no more pages: only slower
            return numbers.pin_memory()
    return numbers


def _come(held: Held, device: torch.device, *_: object) -> None:
    for tensor, numbers in held:
        tensor.data = numbers.to(device, non_blocking=True, copy=True)


def _go(held: Held, *_: object) -> None:
    for tensor, numbers in held:
        tensor.data = numbers
