"""Tiny bases as sharing sites give them: one file under the names of Stability's code."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from core.adapters import sgm
from core.base.value import BUNDLED
from core.config.facts import FAMILIES

if TYPE_CHECKING:
    import pytest
    from torch import Tensor

    from core.config.facts import Facts

VAE_NAMES = (  # of diffusers, to those of LDM; its way up is counted from the picture
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"mid_block\.attentions\.0\.to_([qkv])", r"mid.attn_1.\1"),
    (r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
)
CLIP_NAMES = (  # of transformers, to those of OpenCLIP
    (r"encoder\.layers\.(\d+)\.", r"transformer.resblocks.\1."),
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    (r"mlp\.fc1", "mlp.c_fc"),
    (r"mlp\.fc2", "mlp.c_proj"),
    (r"self_attn\.out_proj", "attn.out_proj"),
    ("final_layer_norm", "ln_final"),
    (r"embeddings\.token_embedding", "token_embedding"),
    (r"embeddings\.position_embedding\.weight", "positional_embedding"),
)


def renamed(name: str, table: tuple[tuple[str, str], ...]) -> str:
    for old, new in table:
        name = re.sub(old, new, name)
    return name


def unet(tensors: dict[str, Tensor], *, bare_first: bool) -> dict[str, Tensor]:
    made = {}
    for name, tensor in tensors.items():
        module, _, last = name.rpartition(".")
        made[f"{sgm.from_diffusers(module, bare_first=bare_first)}.{last}"] = tensor
    return made


def vae(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    levels = 1 + max(int(m[1]) for n in tensors if (m := re.search(r"up_blocks\.(\d)", n)))
    made = {}
    for name, tensor in tensors.items():
        new = renamed(name, VAE_NAMES)
        if found := re.search(r"up_blocks\.(\d)\.(?:resnets\.(\d)|upsamplers\.0)", new):
            level = levels - 1 - int(found[1])
            rest = f"block.{found[2]}" if found[2] else "upsample"
            new = new.replace(found[0], f"up.{level}.{rest}")
        attention = "mid.attn_1" in new and new.endswith("weight") and tensor.ndim == 2
        made[new] = tensor[:, :, None, None].clone() if attention else tensor
    return made


def open_clip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    made = {}
    for name, tensor in tensors.items():
        bare = name.removeprefix("text_model.")
        if bare == "text_projection.weight":
            made["text_projection"] = tensor.T.contiguous()
        elif found := re.fullmatch(r"(.+)\.self_attn\.q_proj\.(weight|bias)", bare):
            three = [tensors[name.replace("q_proj", f"{letter}_proj")] for letter in "qkv"]
            attention = renamed(found[1] + ".", CLIP_NAMES) + "attn"
            made[f"{attention}.in_proj_{found[2]}"] = torch.cat(three)
        elif not re.search(r"self_attn\.[kv]_proj", bare):
            made[renamed(bare, CLIP_NAMES)] = tensor
    return made


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def clip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return _under("text_model.", {n.removeprefix("text_model."): t for n, t in tensors.items()})


def single_file(
    folder: Path, *, dtype: torch.dtype = torch.float32, without: str = ""
) -> dict[str, Tensor]:
    """The tensors of a folder in diffusers' layout as one file has them."""

    def part(name: str) -> dict[str, Tensor]:
        return load_file(next((folder / name).glob("*.safetensors")))

    if (folder / "text_encoder_2").is_dir():
        texts = {
            **_under("conditioner.embedders.0.transformer.", clip(part("text_encoder"))),
            **_under("conditioner.embedders.1.model.", open_clip(part("text_encoder_2"))),
        }
        bare_first = False
    elif json.loads((folder / "unet" / "config.json").read_text())["cross_attention_dim"] == 1024:
        texts = _under("cond_stage_model.model.", open_clip(part("text_encoder")))
        # the layer that is not read, as every file has it
        texts["cond_stage_model.model.transformer.resblocks.23.ln_1.bias"] = torch.zeros(1024)
        bare_first = True
    else:
        texts = _under("cond_stage_model.transformer.", clip(part("text_encoder")))
        bare_first = True
    whole = {
        **_under("model.diffusion_model.", unet(part("unet"), bare_first=bare_first)),
        **texts,
        **_under("first_stage_model.", vae(part("vae"))),
    }
    return {
        name: tensor.to(dtype).contiguous()
        for name, tensor in whole.items()
        if not (without and name.startswith(without))
    }


def write(folder: Path, file: Path, **options: object) -> Path:
    save_file(single_file(folder, **options), file, {"format": "pt"})  # pyright: ignore[reportArgumentType]
    return file


def bundle(folder: Path, to: Path, facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a tiny base's configs and vocabulary stand in for the shipped ones of its family."""
    shutil.copytree(BUNDLED, to)
    for part in [p for p in folder.iterdir() if p.is_dir()]:
        for name in {row.bundled[part.name] for row in FAMILIES if row.family == facts.family}:
            shutil.rmtree(to / name)
            shutil.copytree(part, to / name, ignore=shutil.ignore_patterns("*.safetensors"))
    monkeypatch.setattr("core.base.single_file.BUNDLED", to)
