"""Stable Diffusion 1: one CLIP text encoder, a UNet on 4-channel latents."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from core.errors import naming_full_memory
from core.families import clip, loading, unet, vae
from core.families.condition import MASK, Condition
from core.families.device import Device
from core.families.family import (
    DrawOptions,
    Model,
    ModelFamily,
    Prompts,
    TextEncoder,
    pipeline_options,
)
from core.families.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from core.base.value import Base


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Load its parts. The VAE stays in float32: in half precision some give black.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    scheduler, note = loading.scheduler(base)
    parts = Parts(
        {
            "unet": partial(unet.load, base, device),
            "text_encoder": partial(clip.load, base, "text_encoder", CLIPTextModel, device),
            "vae": partial(vae.load, base, device),
            "tokenizer": partial(loading.part, base, "tokenizer", CLIPTokenizer),
            "scheduler": lambda: scheduler,
        }
    )
    unet.check_knows(base, parts["text_encoder"], parts["tokenizer"])
    unet.check_reads(base, parts["unet"], parts["text_encoder"].config.hidden_size)
    size_px, multiple_px = unet.sizes(parts["unet"], parts["vae"])
    model = Model(
        family=SD1,
        facts=base.facts,
        parts=parts,
        keys=keys,
        path=loading.diffusion(base),
        size_px=size_px,
        multiple_px=multiple_px,
        place=device,
        notes=(*base.notes, *note),
    )
    loading.try_out(model, base)
    return model


def encode_text(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text as the UNet reads it, (chunks x 77, width)."""
    encoder, tokenizer = model.parts["text_encoder"], model.parts["tokenizer"]
    made = clip.hidden_states(encoder, tokenizer, texts, model.device)
    return [{"text": hidden} for hidden in made]


def tokens(model: Model, text: str) -> tuple[int, int]:
    """How many tokens a text has, start and end left out, and how many are read at once."""
    used = clip.token_count(model.parts["tokenizer"], text)
    return used, clip.chunk_size(model.parts["text_encoder"])


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """What the UNet says of noised latents (B, 4, h, w) at times (B,)."""
    mask = condition.get("text" + MASK)
    net = model.parts["unet"]
    return net(x_t, t, condition["text"], encoder_attention_mask=mask).sample


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    All are drawn at once, but for prompts of other lengths. Prompts of several chunks are drawn as
    A1111 draws them: the empty prompt is repeated until it is as long.

    Raises:
        MemoryFullError: They do not fit.
    """
    pipe = pipeline(model)
    nothing = prompts.empty["text"]
    wishes = [(told["text"], seed) for told, seed in zip(prompts.each, seeds, strict=True)]
    pictures: list[Tensor] = []
    for length, group in groupby(wishes, key=lambda wish: len(wish[0])):
        texts, chosen = zip(*group, strict=True)
        empty = nothing.repeat(length // len(nothing), 1)
        latents = pipe(
            prompt_embeds=torch.stack(texts),
            negative_prompt_embeds=empty.expand(len(texts), -1, -1),
            guidance_scale=options.guidance,
            guidance_rescale=options.guidance_rescale,
            **pipeline_options(options, chosen),
        ).images
        pictures += list(vae.decode(model, latents).cpu())
    return pictures


def pipeline(model: Model) -> Any:  # noqa: ANN401 - diffusers' pipelines are untyped
    """A diffusers pipeline over the loaded nets; its scheduler has no state from earlier use."""
    parts: dict[str, Any] = {
        "vae": model.parts["vae"],
        "text_encoder": model.parts["text_encoder"],
        "tokenizer": model.parts["tokenizer"],
        "unet": model.parts["unet"],
        "scheduler": loading.fresh(model.parts["scheduler"]),
        "safety_checker": None,
        "feature_extractor": None,
    }
    pipe = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


SD1 = ModelFamily(
    id="sd1",
    nets={"unet": UNet2DConditionModel, "text_encoder": CLIPTextModel},
    load=load,
    text_encoders={"text_encoder": TextEncoder(("text_encoder", "tokenizer"), encode_text, tokens)},
    encode_picture=vae.encode,
    picture_parts=("vae",),
    predict=predict,
    draw=draw,
    style_features=vae.features,
)
