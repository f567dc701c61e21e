"""Tensors of diffusers' transformers under the names of their authors' code, as files have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def _swapped(tensor: Tensor) -> Tensor:
    return torch.cat(tensor.chunk(2)[::-1])


def _renamed(tensors: Tensors, names: Mapping[str, str]) -> Tensors:
    """By the first pattern that fits a whole name."""

    def renamed(name: str) -> str:
        fitting = (p for p in names if re.fullmatch(p, name))
        pattern = next(fitting, "")
        return re.sub(pattern, names[pattern], name) if pattern else name

    return {renamed(name): tensor for name, tensor in tensors.items()}


def _joined(tensors: Tensors, groups: Mapping[str, tuple[str, ...]]) -> Tensors:
    """Several layers' outputs after each other in one: `{new} -> (old, ...)` within a block."""
    made, gone = {}, set()
    for new, old in groups.items():
        for name in [
            n for n in tensors if re.fullmatch(rf"(.+?\.\d+)\.{re.escape(old[0])}\.(\w+)", n)
        ]:
            block, kind = name[: name.index("." + old[0])], name.rpartition(".")[2]
            parts = [f"{block}.{part}.{kind}" for part in old]
            made[f"{block}.{new}.{kind}"] = torch.cat([tensors[part] for part in parts])
            gone |= set(parts)
    return {**{n: t for n, t in tensors.items() if n not in gone}, **made}


_BFL = {
    r"x_embedder\.(\w+)": r"img_in.\1",
    r"context_embedder\.(\w+)": r"txt_in.\1",
    r"time_text_embed\.timestep_embedder\.linear_1\.(\w+)": r"time_in.in_layer.\1",
    r"time_text_embed\.timestep_embedder\.linear_2\.(\w+)": r"time_in.out_layer.\1",
    r"time_text_embed\.text_embedder\.linear_1\.(\w+)": r"vector_in.in_layer.\1",
    r"time_text_embed\.text_embedder\.linear_2\.(\w+)": r"vector_in.out_layer.\1",
    r"time_text_embed\.guidance_embedder\.linear_1\.(\w+)": r"guidance_in.in_layer.\1",
    r"time_text_embed\.guidance_embedder\.linear_2\.(\w+)": r"guidance_in.out_layer.\1",
    r"time_guidance_embed\.timestep_embedder\.linear_1\.(\w+)": r"time_in.in_layer.\1",
    r"time_guidance_embed\.timestep_embedder\.linear_2\.(\w+)": r"time_in.out_layer.\1",
    r"((?:double|single)_stream_modulation\w*)\.linear\.(\w+)": r"\1.lin.\2",
    r"norm_out\.linear\.(\w+)": r"final_layer.adaLN_modulation.1.\1",
    r"proj_out\.(\w+)": r"final_layer.linear.\1",
    r"transformer_blocks\.(\d+)\.attn\.norm_q\.weight": r"double_blocks.\1.img_attn.norm.query_norm.scale",
    r"transformer_blocks\.(\d+)\.attn\.norm_k\.weight": r"double_blocks.\1.img_attn.norm.key_norm.scale",
    r"transformer_blocks\.(\d+)\.attn\.norm_added_q\.weight": r"double_blocks.\1.txt_attn.norm.query_norm.scale",
    r"transformer_blocks\.(\d+)\.attn\.norm_added_k\.weight": r"double_blocks.\1.txt_attn.norm.key_norm.scale",
    r"transformer_blocks\.(\d+)\.(img_attn\.qkv|txt_attn\.qkv)\.(\w+)": r"double_blocks.\1.\2.\3",
    r"transformer_blocks\.(\d+)\.attn\.to_out\.0\.(\w+)": r"double_blocks.\1.img_attn.proj.\2",
    r"transformer_blocks\.(\d+)\.attn\.to_add_out\.(\w+)": r"double_blocks.\1.txt_attn.proj.\2",
    r"transformer_blocks\.(\d+)\.ff\.(?:net\.0\.proj|linear_in)\.(\w+)": r"double_blocks.\1.img_mlp.0.\2",
    r"transformer_blocks\.(\d+)\.ff\.(?:net\.2|linear_out)\.(\w+)": r"double_blocks.\1.img_mlp.2.\2",
    r"transformer_blocks\.(\d+)\.ff_context\.(?:net\.0\.proj|linear_in)\.(\w+)": r"double_blocks.\1.txt_mlp.0.\2",
    r"transformer_blocks\.(\d+)\.ff_context\.(?:net\.2|linear_out)\.(\w+)": r"double_blocks.\1.txt_mlp.2.\2",
    r"transformer_blocks\.(\d+)\.norm1\.linear\.(\w+)": r"double_blocks.\1.img_mod.lin.\2",
    r"transformer_blocks\.(\d+)\.norm1_context\.linear\.(\w+)": r"double_blocks.\1.txt_mod.lin.\2",
    r"single_transformer_blocks\.(\d+)\.attn\.norm_q\.weight": r"single_blocks.\1.norm.query_norm.scale",
    r"single_transformer_blocks\.(\d+)\.attn\.norm_k\.weight": r"single_blocks.\1.norm.key_norm.scale",
    r"single_transformer_blocks\.(\d+)\.(linear1)\.(\w+)": r"single_blocks.\1.\2.\3",
    r"single_transformer_blocks\.(\d+)\.attn\.to_qkv_mlp_proj\.(\w+)": r"single_blocks.\1.linear1.\2",
    r"single_transformer_blocks\.(\d+)\.(?:proj_out|attn\.to_out)\.(\w+)": r"single_blocks.\1.linear2.\2",
    r"single_transformer_blocks\.(\d+)\.norm\.linear\.(\w+)": r"single_blocks.\1.modulation.lin.\2",
    r"(distilled_guidance_layer\.layers\.\d+)\.linear_1\.(\w+)": r"\1.in_layer.\2",
    r"(distilled_guidance_layer\.layers\.\d+)\.linear_2\.(\w+)": r"\1.out_layer.\2",
    r"(distilled_guidance_layer\.norms\.\d+)\.weight": r"\1.scale",
}
_DOUBLE = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}


def bfl(tensors: Tensors) -> Tensors:
    """Flux.1, Flux.2 and Chroma."""
    single = {n: t for n, t in tensors.items() if n.startswith("single_")}
    double = {n: t for n, t in tensors.items() if n not in single}
    if not any("to_qkv_mlp_proj" in name for name in single):
        joined = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
        single = _joined(single, {"linear1": joined})
    made = {**_joined(double, _DOUBLE), **single}
    return _renamed(
        {n: _swapped(t) if n.startswith("norm_out") else t for n, t in made.items()}, _BFL
    )


def zimage(tensors: Tensors) -> Tensors:
    """Z-Image."""
    joined = {"attention.qkv": ("attention.to_q", "attention.to_k", "attention.to_v")}
    return _renamed(
        _joined(tensors, joined),
        {
            r"all_(final_layer|x_embedder)\.2-1\.(.+)": r"\1.\2",
            r"(.+)\.attention\.to_out\.0\.(\w+)": r"\1.attention.out.\2",
            r"(.+)\.attention\.norm_([qk])\.weight": r"\1.attention.\2_norm.weight",
        },
    )


def qwen_image(tensors: Tensors) -> Tensors:
    """Qwen-Image has diffusers' names everywhere."""
    return dict(tensors)


def krea2(tensors: Tensors) -> Tensors:
    """Krea 2."""
    names = {
        r"img_in\.(\w+)": r"first.\1",
        r"time_embed\.linear_1\.(\w+)": r"tmlp.0.\1",
        r"time_embed\.linear_2\.(\w+)": r"tmlp.2.\1",
        r"time_mod_proj\.(\w+)": r"tproj.1.\1",
        r"txt_in\.norm\.weight": "txtmlp.0.scale",
        r"txt_in\.linear_1\.(\w+)": r"txtmlp.1.\1",
        r"txt_in\.linear_2\.(\w+)": r"txtmlp.3.\1",
        r"final_layer\.linear\.(\w+)": r"last.linear.\1",
        r"final_layer\.norm\.weight": "last.norm.scale",
        r"final_layer\.scale_shift_table": "last.modulation.lin",
    }
    within = {
        ".attn.to_q.": ".attn.wq.",
        ".attn.to_k.": ".attn.wk.",
        ".attn.to_v.": ".attn.wv.",
        ".attn.to_out.0.": ".attn.wo.",
        ".attn.to_gate.": ".attn.gate.",
        ".attn.norm_q.weight": ".attn.qknorm.qnorm.scale",
        ".attn.norm_k.weight": ".attn.qknorm.knorm.scale",
        ".ff.": ".mlp.",
        ".norm1.weight": ".prenorm.scale",
        ".norm2.weight": ".postnorm.scale",
        ".scale_shift_table": ".mod.lin",
    }

    def turned(name: str) -> str:
        if not name.startswith(("transformer_blocks.", "text_fusion.")):
            return name
        for old, new in within.items():
            name = name.replace(old, new)
        return name.replace("transformer_blocks.", "blocks.", 1).replace(
            "text_fusion.", "txtfusion.", 1
        )

    flat = {
        n: t.flatten() if n.startswith("transformer_blocks.") and "table" in n else t
        for n, t in tensors.items()
    }
    return {turned(name): tensor for name, tensor in _renamed(flat, names).items()}


def sd3(tensors: Tensors) -> Tensors:
    """Stable Diffusion 3 and 3.5."""
    joined = {
        "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
        "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
        "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    }
    last = max(int(n.split(".")[1]) for n in tensors if n.startswith("transformer_blocks."))
    swapped = ("norm_out.", f"transformer_blocks.{last}.norm1_context.")
    made = {n: _swapped(t) if n.startswith(swapped) else t for n, t in tensors.items()}
    block = r"transformer_blocks\.(\d+)\."
    return _renamed(
        _joined(made, joined),
        {
            r"pos_embed\.pos_embed": "pos_embed",
            r"pos_embed\.proj\.(\w+)": r"x_embedder.proj.\1",
            r"time_text_embed\.timestep_embedder\.linear_1\.(\w+)": r"t_embedder.mlp.0.\1",
            r"time_text_embed\.timestep_embedder\.linear_2\.(\w+)": r"t_embedder.mlp.2.\1",
            r"time_text_embed\.text_embedder\.linear_1\.(\w+)": r"y_embedder.mlp.0.\1",
            r"time_text_embed\.text_embedder\.linear_2\.(\w+)": r"y_embedder.mlp.2.\1",
            r"norm_out\.linear\.(\w+)": r"final_layer.adaLN_modulation.1.\1",
            r"proj_out\.(\w+)": r"final_layer.linear.\1",
            rf"{block}(x_block|context_block)\.(.+)": r"joint_blocks.\1.\2.\3",
            rf"{block}attn(2?)\.norm_([qk])\.weight": r"joint_blocks.\1.x_block.attn\2.ln_\3.weight",
            rf"{block}attn\.norm_added_([qk])\.weight": r"joint_blocks.\1.context_block.attn.ln_\2.weight",
            rf"{block}attn(2?)\.to_out\.0\.(\w+)": r"joint_blocks.\1.x_block.attn\2.proj.\3",
            rf"{block}attn\.to_add_out\.(\w+)": r"joint_blocks.\1.context_block.attn.proj.\2",
            rf"{block}norm1\.linear\.(\w+)": r"joint_blocks.\1.x_block.adaLN_modulation.1.\2",
            rf"{block}norm1_context\.linear\.(\w+)": r"joint_blocks.\1.context_block.adaLN_modulation.1.\2",
            rf"{block}ff\.net\.0\.proj\.(\w+)": r"joint_blocks.\1.x_block.mlp.fc1.\2",
            rf"{block}ff\.net\.2\.(\w+)": r"joint_blocks.\1.x_block.mlp.fc2.\2",
            rf"{block}ff_context\.net\.0\.proj\.(\w+)": r"joint_blocks.\1.context_block.mlp.fc1.\2",
            rf"{block}ff_context\.net\.2\.(\w+)": r"joint_blocks.\1.context_block.mlp.fc2.\2",
        },
    )


NAMES: dict[str, Callable[[Tensors], Tensors]] = {
    "flux": bfl,
    "flux-schnell": bfl,
    "chroma": bfl,
    "flux2": bfl,
    "zimage": zimage,
    "qwen-image": qwen_image,
    "krea2": krea2,
    "sd3": sd3,
}
