"""Text encoders of transformers' names under those that ComfyUI's files have."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Tensors = dict[str, Tensor]
FP8_MOST = 448.0  # the largest number of float8_e4m3fn


def t5(tensors: Tensors) -> Tensors:
    """`t5xxl_fp16.safetensors`: the words once."""
    return {n: t for n, t in tensors.items() if n != "encoder.embed_tokens.weight"}


def clip(tensors: Tensors) -> Tensors:
    """`clip_l.safetensors`: with what older transformers kept beside the weights."""
    made = {
        n if n.startswith(("text_model.", "text_projection")) else f"text_model.{n}": t
        for n, t in tensors.items()
    }
    places = torch.arange(next(t for n, t in made.items() if "position_embedding" in n).shape[0])
    return {**made, "text_model.embeddings.position_ids": places, "logit_scale": torch.ones(())}


def qwen3(tensors: Tensors) -> Tensors:
    """`qwen_3_4b.safetensors`: in the names of the whole language model, without its head."""
    made = {f"model.{n.removeprefix('model.')}": t for n, t in tensors.items()}
    return {n: t for n, t in made.items() if "lm_head" not in n}


def qwen25_vl(tensors: Tensors) -> Tensors:
    """`qwen_2.5_vl_7b.safetensors`: as its makers gave it, what sees beside the language model."""
    return {
        n.replace("model.language_model.", "model.").replace("model.visual.", "visual."): t
        for n, t in tensors.items()
    }


def qwen3_vl(tensors: Tensors) -> Tensors:
    """As its makers gave it: the language model and what sees within one."""
    return {f"model.{n}": t for n, t in tensors.items()}


LAYOUTS: dict[str, Callable[[Tensors], Tensors]] = {  # by transformers' classes
    "T5EncoderModel": t5,
    "CLIPTextModel": clip,
    "CLIPTextModelWithProjection": clip,
    "Qwen3Model": qwen3,
    "Qwen3ForCausalLM": qwen3,
    "Qwen2_5_VLForConditionalGeneration": qwen25_vl,
    "Qwen3VLModel": qwen3_vl,
}


def file_of(net: Any) -> Tensors:
    """A net's tensors in a file of ComfyUI's."""
    tensors = {n: t.detach().clone().contiguous() for n, t in net.state_dict().items()}
    return LAYOUTS[type(net).__name__](tensors)


def scaled(
    tensors: Tensors,
    *,
    newer: bool = False,
    prefix: str = "",
    told: bool = False,
    kind: str = "fp8",
) -> tuple[Tensors, Tensors]:
    """Matrices in a byte a number with a scale each, and what they stand for.

    Args:
        tensors: What is held so: of a net's blocks the matrices.
        newer: Of ComfyUI's later names, and one scale for each row.
        prefix: Of the net, where the file's mark stands.
        told: Whether each layer says how it is held.
        kind: `fp8` or `int8_tensorwise`.
    """
    int8 = kind != "fp8"
    most, dtype = (127.0, torch.int8) if int8 else (FP8_MOST, torch.float8_e4m3fn)
    made: Tensors = {}
    if not newer:
        made[f"{prefix}scaled_fp8"] = torch.zeros(2, dtype=torch.float8_e4m3fn)
    meant: Tensors = {}
    for name, tensor in tensors.items():
        stem = name.removesuffix(".weight")
        inside = any(c.isdigit() for c in name) and "shared" not in name
        if tensor.ndim != 2 or stem == name or not inside or "embed" in name:
            made[name] = meant[name] = tensor
            continue
        rows = tensor.abs().amax(dim=1, keepdim=True) if newer else tensor.abs().max()
        scale = (rows / most).float()
        numbers = tensor / scale
        made[name] = (numbers.round() if int8 else numbers).to(dtype)
        made[stem + (".weight_scale" if newer else ".scale_weight")] = scale
        if not int8:
            made[stem + (".input_scale" if newer else ".scale_input")] = torch.ones(())
        if told:
            words = json.dumps({"format": "float8_e4m3fn" if kind == "fp8" else kind})
            made[stem + ".comfy_quant"] = torch.tensor(list(words.encode()), dtype=torch.uint8)
        meant[name] = made[name].float() * scale
    return made, meant
