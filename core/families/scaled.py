"""Weights in a byte a number with a scale beside each, as ComfyUI's files have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from core.base.held import INPUT_SCALES, MARK, SCALES, TOLD

if TYPE_CHECKING:
    from torch import Tensor

_ASIDE = (*SCALES, *INPUT_SCALES, TOLD, MARK)
_WEIGHT = ".weight"


def apart(own: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A net's tensors without what is beside them, and the scales by the names of the weights."""
    plain = {name: tensor for name, tensor in own.items() if not name.endswith(_ASIDE)}
    scales = {name: own[beside] for name in plain for beside in _beside(own, name)}
    return plain, scales


def rows(plain: dict[str, Tensor], scales: dict[str, Tensor]) -> dict[str, Tensor]:
    """A scale for each row of each tensor, in the tensor's place; of those without one it is 1.

    What turns names into others, and cuts what is joined, does the same to them.
    """
    made: dict[str, Tensor] = {}
    for name, tensor in plain.items():
        count = tensor.shape[0] if tensor.ndim else 1
        scale = scales[name].float().flatten() if name in scales else torch.ones(1)
        made[name] = scale.expand(count).reshape(-1, *[1] * max(0, tensor.ndim - 1)).clone()
    return made


def whole(tensor: Tensor, scale: Tensor | None, dtype: torch.dtype) -> Tensor:
    """The numbers that are meant."""
    return tensor.to(dtype) if scale is None else (tensor.float() * scale).to(dtype)


def opened(whole_file: dict[str, Tensor], name: str) -> Tensor:
    """A tensor of a file as what is meant; the file's own where it has no scale."""
    plain, scales = apart({n: whole_file[n] for n in (name, *_beside(whole_file, name))})
    return whole(plain[name], rows(plain, scales)[name], torch.float32) if scales else plain[name]


def close(whole_file: dict[str, Tensor], name: str, meant: Tensor) -> None:
    """Put numbers back as they were held, with a new scale: one, or one for each row, as before."""
    (beside,) = _beside(whole_file, name)
    kind, scale = whole_file[name].dtype, whole_file[beside]
    most = torch.finfo(kind).max if kind.is_floating_point else torch.iinfo(kind).max
    sizes = meant.abs().flatten(1).amax(dim=1) if scale.numel() > 1 else meant.abs().amax()
    new = torch.where(sizes > 0, sizes / most, 1.0).reshape(scale.shape).to(scale.dtype)
    by_rows = new.float().reshape(-1, *[1] * (meant.ndim - 1))
    rounded = meant / by_rows
    rounded = (rounded if kind.is_floating_point else rounded.round()).clamp(-most, most)
    whole_file[name], whole_file[beside] = rounded.to(kind), new


def _beside(own: dict[str, Tensor], name: str) -> list[str]:
    layer = name.removesuffix(_WEIGHT)
    return [layer + s for s in SCALES if layer != name and layer + s in own][:1]
