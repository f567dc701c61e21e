"""Stable Diffusion XL: two CLIP text encoders, a UNet that is told sizes and crops.

Podell et al. 2023, arXiv:2307.01952.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

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
    from core.data.buckets import Frame

SUMMARY = "summary"  # of the second encoder, beside its hidden states


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Load its parts. The VAE stays in float32: in half precision its own gives black.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    scheduler, note = loading.scheduler(base)
    second = CLIPTextModelWithProjection
    parts = Parts(
        {
            "unet": partial(unet.load, base, device),
            "text_encoder": partial(clip.load, base, "text_encoder", CLIPTextModel, device),
            "text_encoder_2": partial(clip.load, base, "text_encoder_2", second, device),
            "vae": partial(vae.load, base, device),
            "tokenizer": partial(loading.part, base, "tokenizer", CLIPTokenizer),
            "tokenizer_2": partial(loading.part, base, "tokenizer_2", CLIPTokenizer),
            "scheduler": lambda: scheduler,
        }
    )
    encoders = [parts["text_encoder"], parts["text_encoder_2"]]
    for encoder, tokenizer in zip(encoders, ("tokenizer", "tokenizer_2"), strict=True):
        unet.check_knows(base, encoder, parts[tokenizer])
    unet.check_reads(base, parts["unet"], sum(e.config.hidden_size for e in encoders))
    size_px, multiple_px = unet.sizes(parts["unet"], parts["vae"])
    model = Model(
        family=SDXL,
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


def encode_first(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text as the first encoder says it, (chunks x 77, width)."""
    encoder, tokenizer = model.parts["text_encoder"], model.parts["tokenizer"]
    made = clip.penultimate_states(encoder, tokenizer, texts, model.device)
    return [{"text": states} for states, _ in made]


def encode_second(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text as the second encoder says it, and its summary, (width,)."""
    encoder, tokenizer = model.parts["text_encoder_2"], model.parts["tokenizer_2"]
    made = clip.penultimate_states(encoder, tokenizer, texts, model.device)
    return [{"text_2": states, SUMMARY: summary} for states, summary in made]


def tokens(model: Model, text: str, *, tokenizer: str, encoder: str) -> tuple[int, int]:
    """How many tokens a text has, start and end left out, and how many are read at once."""
    used = clip.token_count(model.parts[tokenizer], text)
    return used, clip.chunk_size(model.parts[encoder])


def frame_condition(model: Model, frames: Sequence[Frame]) -> Condition:
    """Height and width of each picture, where its crop begins, and what is shown, (B, 6), px."""
    told = [
        (f.original.height, f.original.width, f.top, f.left, f.bucket.height, f.bucket.width)
        for f in frames
    ]
    return {"frame": torch.tensor(told, dtype=torch.float32, device=model.device)}


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """What the UNet says of noised latents (B, 4, h, w) at times (B,)."""
    net = model.parts["unet"]
    return net(
        x_t,
        t,
        torch.cat([condition["text"], condition["text_2"]], dim=-1),
        encoder_attention_mask=condition.get("text" + MASK),
        added_cond_kwargs={"text_embeds": condition[SUMMARY], "time_ids": condition["frame"]},
    ).sample


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    The empty prompt is what the encoders say of no text, as in ComfyUI and A1111 and as dropped
    captions are learnt; diffusers' pipeline by itself takes zeros.

    Raises:
        MemoryFullError: They do not fit.
    """
    pipe = pipeline(model)
    empty, no_summary = _as_read(prompts.empty)
    wishes = [(*_as_read(told), seed) for told, seed in zip(prompts.each, seeds, strict=True)]
    pictures: list[Tensor] = []
    for length, group in groupby(wishes, key=lambda wish: len(wish[0])):
        texts, summaries, chosen = zip(*group, strict=True)
        nothing = empty.repeat(length // len(empty), 1)
        latents = pipe(
            prompt_embeds=torch.stack(texts),
            pooled_prompt_embeds=torch.stack(summaries),
            negative_prompt_embeds=nothing.expand(len(texts), -1, -1),
            negative_pooled_prompt_embeds=no_summary.expand(len(texts), -1),
            guidance_scale=options.guidance,
            guidance_rescale=options.guidance_rescale,
            **pipeline_options(options, chosen),
        ).images
        pictures += list(vae.decode(model, latents).cpu())
    return pictures


def _as_read(told: Condition) -> tuple[Tensor, Tensor]:
    """A text as the UNet reads it, (chunks x 77, both widths), and its summary."""
    return torch.cat([told["text"], told["text_2"]], dim=-1), told[SUMMARY]


def pipeline(model: Model) -> Any:  # noqa: ANN401 - diffusers' pipelines are untyped
    """A diffusers pipeline over the loaded nets; its scheduler has no state from earlier use."""
    names = ("vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet")
    parts: dict[str, Any] = {name: model.parts[name] for name in names}
    scheduler = loading.fresh(model.parts["scheduler"])
    pipe = StableDiffusionXLPipeline(**parts, scheduler=scheduler, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


SDXL = ModelFamily(
    id="sdxl",
    nets={
        "unet": UNet2DConditionModel,
        "text_encoder": CLIPTextModel,
        "text_encoder_2": CLIPTextModelWithProjection,
    },
    load=load,
    text_encoders={
        "text_encoder": TextEncoder(
            ("text_encoder", "tokenizer"),
            encode_first,
            partial(tokens, tokenizer="tokenizer", encoder="text_encoder"),
        ),
        "text_encoder_2": TextEncoder(
            ("text_encoder_2", "tokenizer_2"),
            encode_second,
            partial(tokens, tokenizer="tokenizer_2", encoder="text_encoder_2"),
        ),
    },
    encode_picture=vae.encode,
    picture_parts=("vae",),
    predict=predict,
    draw=draw,
    style_features=vae.features,
    frame_condition=frame_condition,
)
