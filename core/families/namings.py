"""Tensors of single files under the names of diffusers' and transformers' nets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers.loaders import single_file_model, single_file_utils

from core.adapters import bfl
from core.families import scaled

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from core.base.value import InFile

    Tensors = dict[str, Tensor]


def _ldm_unet(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ARG001, ANN401
    return single_file_utils.convert_ldm_unet_checkpoint(own, net.config)


def _ldm_vae(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ANN401
    plain = {
        name.replace("encoder.quant_", "quant_").replace(
            "decoder.post_quant_", "post_quant_"
        ): tensor
        for name, tensor in _without(own, prefix).items()
    }
    counts = {name: tensor for name, tensor in plain.items() if name.startswith("bn.")}
    return single_file_utils.convert_ldm_vae_checkpoint(plain, net.config) | counts  # of Flux.2


def _film_vae(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ARG001, ANN401
    """Wan's names, which Qwen-Image's file has in ComfyUI."""
    return single_file_utils.convert_wan_vae_to_diffusers(_without(own, prefix))


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


def _transformer(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ANN401
    """As diffusers reads a single file of that net's class."""
    told = single_file_model.SINGLE_FILE_LOADABLE_CLASSES[type(net).__name__]
    return told["checkpoint_mapping_fn"](checkpoint=_without(own, prefix), config=net.config)


_BFL_OUTER = {  # what Black Forest Labs' code has outside of its blocks, in Flux.1 and Chroma
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "final_layer.linear": "proj_out",
}
_BFL_NORMS = {
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
}
_BFL_GUIDANCE = {"in_layer": "linear_1", "out_layer": "linear_2"}  # of Chroma


def _bfl(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ARG001, ANN401
    """Flux.1 and Chroma of any width; diffusers' own converters take theirs for granted."""
    made: Tensors = {}
    for name, tensor in _without(own, prefix).items():
        layer, _, kind = name.rpartition(".")
        if layer in _BFL_OUTER:
            made[f"{_BFL_OUTER[layer]}.{kind}"] = tensor
        elif layer == "final_layer.adaLN_modulation.1":  # shift before scale
            made[f"norm_out.linear.{kind}"] = torch.cat(tensor.chunk(2)[::-1])
        elif layer.startswith("distilled_guidance_layer."):
            pieces = [_BFL_GUIDANCE.get(piece, piece) for piece in layer.split(".")]
            made[".".join(pieces) + ("." + kind).replace(".scale", ".weight")] = tensor
        elif kind == "scale":
            blocks, number, norm = layer.split(".", 2)
            block = (
                "transformer_blocks" if blocks == "double_blocks" else "single_transformer_blocks"
            )
            made[f"{block}.{number}.{_BFL_NORMS[norm]}.weight"] = tensor
        else:
            modules, shares = bfl.parts_of(layer)
            rows = [len(tensor) * share // sum(shares) for share in shares]
            made |= {f"{m}.{kind}": t for m, t in zip(modules, tensor.split(rows), strict=True)}
    return made


_PROJECTION = "text_projection.weight"


def _clip_alone(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ANN401
    """A file of CLIP alone seldom has the projection that Stable Diffusion 3's net wants.

    Its CLIP-L was made without one, which is to say with one that changes nothing (diffusers'
    create_diffusers_clip_model_from_ldm).
    """
    projection = {n: t for n, t in _without(own, prefix).items() if n == _PROJECTION}
    made = {**_clip(own, prefix, net), **projection}
    wanted = getattr(getattr(net, "text_projection", None), "weight", None)
    if wanted is not None and wanted.shape[0] == wanted.shape[1]:
        made.setdefault(_PROJECTION, torch.eye(wanted.shape[0]))
    return made


def _t5(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ARG001, ANN401
    made = _without(own, prefix)
    if "shared.weight" in made:
        made.setdefault("encoder.embed_tokens.weight", made["shared.weight"])
    return made


def _qwen(own: Tensors, prefix: str, net: Any) -> Tensors:  # noqa: ANN401
    """Files and nets of Qwen say `model.` and `language_model.` or leave them out, each its way.

    What turns states into words nobody reads here; many files lack it.
    """
    plain = {_plain(name): tensor for name, tensor in _without(own, prefix).items()}
    if "embed_tokens.weight" in plain:
        plain.setdefault("lm_head.weight", plain["embed_tokens.weight"])
    wanted = {name: _plain(name) for name in net.state_dict()}
    return {name: plain[there] for name, there in wanted.items() if there in plain}


def _plain(name: str) -> str:
    return name.removeprefix("model.").removeprefix("language_model.")


def _without(own: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in own.items()}


NAMINGS: dict[str, Callable[[Tensors, str, Any], Tensors]] = {
    "ldm_unet": _ldm_unet,
    "ldm_vae": _ldm_vae,
    "film_vae": _film_vae,
    "clip": _clip,
    "open_clip": _open_clip,
    "clip_alone": _clip_alone,
    "t5": _t5,
    "qwen": _qwen,
    "diffusers": _diffusers,
    "transformer": _transformer,
    "bfl": _bfl,
}


def named(own: Tensors, where: InFile, net: Any) -> tuple[Tensors, Tensors]:  # noqa: ANN401
    """A file's tensors by a net's names, and the scales of the rows of those that have some.

    The scales are turned as the tensors are, in their places.
    """
    plain, scales = scaled.apart(own)
    turn = NAMINGS[where.naming]
    made = turn(dict(plain), where.prefix, net)
    if not scales:
        return made, {}
    rows = turn(scaled.rows(plain, scales), where.prefix, net)
    return made, {name: scale for name, scale in rows.items() if bool((scale != 1).any())}
