"""Flux.1, dev and schnell: a transformer on packed latents, told by T5 and by CLIP's summary.

Black Forest Labs 2024. Latents of 16 channels are read in squares of 2 x 2.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextModel, CLIPTokenizer, T5Tokenizer

from core.errors import naming_full_memory
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

PATCH = 2  # latents, the edge of what the transformer reads as one place
TOKENS = 512  # of T5, as in diffusers' pipeline
SUMMARY = "summary"  # of CLIP
TAUGHT_GUIDANCE = 1.0  # what the distilled net is told while it learns: that of plain pictures


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Look at its parts; the large ones are read when they are needed.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    parts = {
        "transformer": partial(transformer.load, base, FluxTransformer2DModel, device),
        "text_encoder": partial(clip.load, base, "text_encoder", CLIPTextModel, device),
        "text_encoder_2": partial(t5.load, base, "text_encoder_2", device),
        "vae": partial(vae.load, base, device),
        "tokenizer": partial(loading.part, base, "tokenizer", CLIPTokenizer),
        "tokenizer_2": partial(loading.part, base, "tokenizer_2", T5Tokenizer),
    }
    return transformer.model(FLUX, base, keys, device, parts, patch=PATCH)


def encode_summary(model: Model, texts: Sequence[str]) -> list[Condition]:
    """What CLIP says of each text in one vector, (width,): of its first 77 tokens."""
    made = clip.summaries(
        model.parts["text_encoder"], model.parts["tokenizer"], texts, model.device
    )
    return [{SUMMARY: summary} for summary in made]


def encode_text(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text as T5 says it, (512, width)."""
    names = {"encoder": "text_encoder_2", "tokenizer": "tokenizer_2"}
    return [{"text": states} for states in t5.hidden_states(model, texts, **names, length=TOKENS)]


def tokens(model: Model, text: str) -> tuple[int, int]:
    """How many tokens T5 has for a text, and how many of them are read."""
    return t5.token_count(model.parts["tokenizer_2"], text), TOKENS - 1


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """The velocity that the transformer says of noised latents (B, 16, h, w) at times (B,)."""
    net = model.parts["transformer"]
    height, width = x_t.shape[-2:]
    guidance = None
    if net.config.guidance_embeds:
        guidance = torch.full_like(t, TAUGHT_GUIDANCE, dtype=torch.float32)
    said = net(
        hidden_states=transformer.packed(x_t, PATCH),
        timestep=t,
        guidance=guidance,
        pooled_projections=condition[SUMMARY],
        encoder_hidden_states=condition["text"],
        txt_ids=torch.zeros(condition["text"].shape[1], 3, device=x_t.device),
        img_ids=transformer.places(height // PATCH, width // PATCH, x_t.device),
        return_dict=False,
    )[0]
    return transformer.unpacked(said, height, width, PATCH)


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    Guidance is what the distilled net is told; schnell heeds none.

    Raises:
        MemoryFullError: They do not fit.
    """
    dtype = model.place.weights  # the pipeline draws its noise in the texts'
    latents = transformer.pipeline(model, FluxPipeline)(
        prompt_embeds=torch.stack([told["text"] for told in prompts.each]).to(dtype),
        pooled_prompt_embeds=torch.stack([told[SUMMARY] for told in prompts.each]).to(dtype),
        guidance_scale=options.guidance,
        **pipeline_options(options, seeds),
    ).images
    edges = transformer.latent_edges(model, options)
    return list(vae.decode(model, transformer.unpacked(latents, *edges, PATCH)).cpu())


FLUX = ModelFamily(
    id="flux",
    nets={"transformer": FluxTransformer2DModel, "text_encoder": CLIPTextModel},
    load=load,
    text_encoders={
        "text_encoder": TextEncoder(("text_encoder", "tokenizer"), encode_summary, None),
        "text_encoder_2": TextEncoder(
            ("text_encoder_2", "tokenizer_2"), encode_text, tokens, cuts=True, heavy=True
        ),
    },
    encode_picture=vae.encode,
    picture_parts=("vae",),
    predict=predict,
    draw=draw,
    style_features=vae.features,
)
