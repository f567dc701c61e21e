"""What a step keeps for the way back, in the main memory until then."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch
from torch.autograd.graph import saved_tensors_hooks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor, nn

    from core.families.device import Device

LEAST_BYTES = 1_000_000  # what is smaller costs more time than room
Kept = tuple[torch.device, "Tensor"]


@contextlib.contextmanager
def offloaded(nets: Iterable[nn.Module], place: Device) -> Iterator[None]:
    """Within, what is computed keeps its activations in the main memory.

    As torch's own `save_on_cpu`, but that the nets' weights, which it would copy in every step,
    stay where they are. Copies follow what is computed in order, so that nothing waits for them.
    """
    weights = {p.untyped_storage()._cdata for net in nets for p in net.parameters()}

    def keep(tensor: Tensor) -> Tensor | Kept:
        if tensor.nbytes < LEAST_BYTES or tensor.untyped_storage()._cdata in weights:
            return tensor
        pinned = tensor.device.type == "cuda"
        kept = torch.empty_like(tensor, device=place.main, pin_memory=pinned)
        return tensor.device, kept.copy_(tensor, non_blocking=pinned)

    def give(kept: Tensor | Kept) -> Tensor:
        if isinstance(kept, torch.Tensor):
            return kept
        device, tensor = kept
        return tensor.to(device, non_blocking=True)

    with saved_tensors_hooks(keep, give):
        yield
