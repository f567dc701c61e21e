"""Text encoders of transformers' names under those that ComfyUI's files have."""

from __future__ import annotations

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


def scaled(tensors: Tensors, *, newer: bool = False) -> tuple[Tensors, Tensors]:
    """Matrices in fp8 with a scale each, and what they stand for; `newer` has one for each row."""
    made: Tensors = {} if newer else {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    meant: Tensors = {}
    for name, tensor in tensors.items():
        stem = name.removesuffix(".weight")
        if tensor.ndim != 2 or stem == name or not any(w in name for w in ("Attention", "attn")):
            made[name] = meant[name] = tensor
            continue
        rows = tensor.abs().amax(dim=1, keepdim=True) if newer else tensor.abs().max()
        scale = (rows / FP8_MOST).float()
        made[name] = (tensor / scale).to(torch.float8_e4m3fn)
        made[stem + (".weight_scale" if newer else ".scale_weight")] = scale
        made[stem + (".input_scale" if newer else ".scale_input")] = torch.ones(())
        meant[name] = made[name].float() * scale
    return made, meant
