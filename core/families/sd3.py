"""Stable Diffusion 3 and 3.5: a transformer told by two CLIPs and by T5 (arXiv:2403.03206)."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, T5Tokenizer

from core.errors import BaseModelError, naming_full_memory
from core.families import clip, loading, t5, transformer, vae
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

TOKENS = 256  # of T5, as in diffusers' pipeline
TIMES = 1000  # what the net counts from data to noise


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Look at its parts; the large ones are read when they are needed.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    kind = CLIPTextModelWithProjection
    parts = {
        "transformer": partial(transformer.load, base, SD3Transformer2DModel, device),
        "text_encoder": partial(clip.load, base, "text_encoder", kind, device),
        "text_encoder_2": partial(clip.load, base, "text_encoder_2", kind, device),
        "text_encoder_3": partial(t5.load, base, "text_encoder_3", device),
        "vae": partial(vae.load, base, device),
        "tokenizer": partial(loading.part, base, "tokenizer", CLIPTokenizer),
        "tokenizer_2": partial(loading.part, base, "tokenizer_2", CLIPTokenizer),
        "tokenizer_3": partial(loading.part, base, "tokenizer_3", T5Tokenizer),
    }
    patch = int(base.configs["transformer"].get("patch_size", 2))
    return transformer.model(SD3, base, keys, device, parts, patch=patch)


def encode_clip(
    model: Model, texts: Sequence[str], *, encoder: str, tokenizer: str, name: str
) -> list[Condition]:
    """Each text as one of the CLIPs says it, (chunks x 77, width), and its summary, (width,)."""
    made = clip.penultimate_states(
        model.parts[encoder], model.parts[tokenizer], texts, model.device
    )
    return [{name: states, f"summary_{name}": summary} for states, summary in made]


def encode_t5(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text as T5 says it, (256, width)."""
    names = {"encoder": "text_encoder_3", "tokenizer": "tokenizer_3"}
    return [{"t5": states} for states in t5.hidden_states(model, texts, **names, length=TOKENS)]


def tokens(model: Model, text: str) -> tuple[int, int]:
    """How many tokens T5 has for a text, and how many of them are read."""
    return t5.token_count(model.parts["tokenizer_3"], text), TOKENS - 1


def as_read(told: Condition) -> tuple[Tensor, Tensor]:
    """Texts as the transformer reads them, (..., tokens, width of T5), and their summaries.

    Both CLIPs' states side by side, filled up with zeros; after them T5's.
    """
    clips = torch.cat([told["clip_l"], told["clip_g"]], dim=-1)
    room = told["t5"].shape[-1] - clips.shape[-1]
    text = torch.cat([torch.nn.functional.pad(clips, (0, room)), told["t5"]], dim=-2)
    return text, torch.cat([told["summary_clip_l"], told["summary_clip_g"]], dim=-1)


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """The velocity that the transformer says of noised latents (B, 16, h, w) at times (B,)."""
    net, said = model.parts["transformer"], []
    for x, time, told in transformer.apart(x_t, t, condition):
        text, summary = as_read(told)
        said.append(net(x, text, summary, time * TIMES, return_dict=False)[0])
    return torch.cat(said)


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    Raises:
        BaseModelError: The net has no places for so large a picture.
        MemoryFullError: They do not fit.
    """
    config = model.parts["transformer"].config
    most_px = (
        config.pos_embed_max_size * config.patch_size * vae.pixels_per_latent(model.parts["vae"])
    )
    if max(options.width_px, options.height_px) > most_px:
        raise BaseModelError(
            f"This base model draws pictures of {most_px} px at most.", hint="Draw a smaller one."
        )
    dtype = model.place.weights
    pipe = transformer.pipeline(model, StableDiffusion3Pipeline)
    wishes = [(*as_read(told), seed) for told, seed in zip(prompts.each, seeds, strict=True)]
    pictures: list[Tensor] = []
    for length, group in groupby(wishes, key=lambda wish: len(wish[0])):
        texts, summaries, chosen = zip(*group, strict=True)
        chunks = (length - len(prompts.empty["t5"])) // len(prompts.empty["clip_l"])
        longer = {name: prompts.empty[name].repeat(chunks, 1) for name in ("clip_l", "clip_g")}
        nothing, no_summary = as_read({**prompts.empty, **longer})
        latents = pipe(
            prompt_embeds=torch.stack(texts).to(dtype),
            pooled_prompt_embeds=torch.stack(summaries).to(dtype),
            negative_prompt_embeds=nothing.expand(len(texts), -1, -1).to(dtype),
            negative_pooled_prompt_embeds=no_summary.expand(len(texts), -1).to(dtype),
            guidance_scale=options.guidance,
            **pipeline_options(options, chosen),
        ).images
        pictures += list(vae.decode(model, latents).cpu())
    return pictures


_L = {"encoder": "text_encoder", "tokenizer": "tokenizer"}
_G = {"encoder": "text_encoder_2", "tokenizer": "tokenizer_2"}
SD3 = ModelFamily(
    id="sd3",
    nets={
        "transformer": SD3Transformer2DModel,
        "text_encoder": CLIPTextModelWithProjection,
        "text_encoder_2": CLIPTextModelWithProjection,
    },
    load=load,
    text_encoders={
        "text_encoder": TextEncoder(
            tuple(_L.values()),
            partial(encode_clip, **_L, name="clip_l"),
            None,
        ),
        "text_encoder_2": TextEncoder(
            tuple(_G.values()),
            partial(encode_clip, **_G, name="clip_g"),
            None,
        ),
        "text_encoder_3": TextEncoder(
            ("text_encoder_3", "tokenizer_3"), encode_t5, tokens, cuts=True, heavy=True
        ),
    },
    encode_picture=vae.encode,
    picture_parts=("vae",),
    predict=predict,
    draw=draw,
    style_features=vae.features,
)
