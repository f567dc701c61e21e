"""Chroma: Flux.1 without guidance of its own and without CLIP; T5's padding is not read."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

import torch
from diffusers import ChromaPipeline, ChromaTransformer2DModel
from transformers import T5Tokenizer

from core.errors import naming_full_memory
from core.families import loading, t5, transformer, vae
from core.families.family import (
    DrawOptions,
    Model,
    ModelFamily,
    Prompts,
    TextEncoder,
    pipeline_options,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from core.base.value import Base
    from core.families.condition import Condition
    from core.families.device import Device

PATCH = 2
TOKENS = 512


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Look at its parts; the large ones are read when they are needed.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    parts = {
        "transformer": partial(load_transformer, base, device),
        "text_encoder": partial(t5.load, base, "text_encoder", device),
        "vae": partial(vae.load, base, device),
        "tokenizer": partial(loading.part, base, "tokenizer", T5Tokenizer),
    }
    return transformer.model(CHROMA, base, keys, device, parts, patch=PATCH)


def load_transformer(base: Base, device: Device) -> ChromaTransformer2DModel:
    """The base's transformer, without what diffusers says to itself of a name of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`FluxPosEmbed` is deprecated", FutureWarning)
        return transformer.load(base, ChromaTransformer2DModel, device)


def encode_text(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text as T5 says it, (tokens, width), and one place of padding, as it was taught."""
    names = {"encoder": "text_encoder", "tokenizer": "tokenizer"}
    return [{"text": states} for states in t5.trimmed_states(model, texts, **names, length=TOKENS)]


def tokens(model: Model, text: str) -> tuple[int, int]:
    """How many tokens T5 has for a text, and how many of them are read."""
    return t5.token_count(model.parts["tokenizer"], text), TOKENS - 1


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """The velocity that the transformer says of noised latents (B, 16, h, w) at times (B,)."""
    net, said = model.parts["transformer"], []
    height, width = x_t.shape[-2:]
    for x, time, told in transformer.apart(x_t, t, condition):
        made = net(
            hidden_states=transformer.packed(x, PATCH),
            timestep=time,
            encoder_hidden_states=told["text"],
            txt_ids=torch.zeros(told["text"].shape[1], 3, device=x.device),
            img_ids=transformer.places(height // PATCH, width // PATCH, x.device),
            return_dict=False,
        )[0]
        said.append(transformer.unpacked(made, height, width, PATCH))
    return torch.cat(said)


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline.

    Where it pads texts itself, its mask only adds 1 to what is to be seen; here there is nothing to
    hide.

    Raises:
        MemoryFullError: They do not fit.
    """
    pipe = transformer.pipeline(model, ChromaPipeline)
    edges = transformer.latent_edges(model, options)
    pictures: list[Tensor] = []
    for texts, nothing, chosen in transformer.by_length(model, prompts, seeds):
        latents = pipe(
            prompt_embeds=texts,
            prompt_attention_mask=torch.ones_like(texts[..., 0], dtype=torch.bool),
            negative_prompt_embeds=nothing,
            negative_prompt_attention_mask=torch.ones_like(nothing[..., 0], dtype=torch.bool),
            guidance_scale=options.guidance,
            **pipeline_options(options, chosen),
        ).images
        pictures += list(vae.decode(model, transformer.unpacked(latents, *edges, PATCH)).cpu())
    return pictures


CHROMA = ModelFamily(
    id="chroma",
    nets={"transformer": ChromaTransformer2DModel},
    load=load,
    text_encoders={
        "text_encoder": TextEncoder(
            ("text_encoder", "tokenizer"), encode_text, tokens, cuts=True, heavy=True
        )
    },
    encode_picture=vae.encode,
    picture_parts=("vae",),
    predict=predict,
    draw=draw,
    style_features=vae.features,
)
