"""Tensors of single files under the names of diffusers' and transformers' nets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffusers.loaders import single_file_utils

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Tensors = dict[str, Tensor]


def _ldm_unet(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ARG001, ANN401
    return single_file_utils.convert_ldm_unet_checkpoint(own, net.config)


def _ldm_vae(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ANN401
    return single_file_utils.convert_ldm_vae_checkpoint(_without(own, prefix), net.config)


def _clip(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ANN401
    """Files have `text_model.` in all names, but for very old ones; the net may have lost it."""
    inside = "text_model." if hasattr(net, "text_model") else ""
    return {
        inside + name.removeprefix("text_model."): tensor
        for name, tensor in _without(own, prefix).items()
    }


def _open_clip(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ANN401
    made = single_file_utils.convert_open_clip_checkpoint(net, own, prefix)
    return made if hasattr(net, "text_model") else _clip(made, "", net)


def _diffusers(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ARG001, ANN401
    return _without(own, prefix)


def _without(own: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in own.items()}


NAMINGS: dict[str, Callable[[Tensors, str, Any], Tensors]] = {
    "ldm_unet": _ldm_unet,
    "ldm_vae": _ldm_vae,
    "clip": _clip,
    "open_clip": _open_clip,
    "diffusers": _diffusers,
}
