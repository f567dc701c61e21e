"""Stable Diffusion 1: one CLIP text encoder, a UNet on 4-channel latents."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from core.diffusion.path import Diffusion
from core.errors import BaseModelError, naming_full_memory
from core.families import clip, loading, vae
from core.families.condition import MASK, Condition
from core.families.device import Device, place
from core.families.family import DrawOptions, Model, ModelFamily, TextEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from core.base import Base

FEW_PLACES = 256  # up to here plain products beat the fused kernel, whose backward is slow on a CPU
SIZE = 64  # latents, of a UNet that does not say it


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Load a diffusers folder. The VAE stays in float32: in half precision some give black.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    unet = loading.net(base, "unet", UNet2DConditionModel, torch_dtype=device.weights)
    encoder = loading.net(
        base,
        "text_encoder",
        CLIPTextModel,
        dtype=device.weights,
        attn_implementation="eager",
    )
    autoencoder = loading.net(base, "vae", AutoencoderKL, torch_dtype=torch.float32)
    tokenizer = loading.part(base, "tokenizer", CLIPTokenizer)
    scheduler, note = loading.scheduler(base)
    edge = _latent_edge(unet.config.sample_size)
    if device.device.type == "cpu" and edge**2 <= FEW_PLACES:
        unet.set_attn_processor(AttnProcessor())
    place((unet, encoder, autoencoder), device)
    pixels_per_latent = 2 ** (len(autoencoder.config.block_out_channels) - 1)
    levels = 2 ** (len(unet.config.block_out_channels) - 1)
    model = Model(
        family=SD1,
        facts=base.facts,
        parts={
            "unet": unet,
            "text_encoder": encoder,
            "vae": autoencoder,
            "tokenizer": tokenizer,
            "scheduler": scheduler,
        },
        keys=keys,
        path=Diffusion(
            loading.alpha_bars(base),
            base.configs["scheduler"].get("prediction_type", "epsilon"),
        ),
        size_px=edge * pixels_per_latent,
        multiple_px=pixels_per_latent * levels,
        place=device,
        notes=(note,) if note else (),
    )
    _check_widths(base, model)
    loading.try_out(model, base)
    return model


def _latent_edge(sample_size: Any) -> int:  # noqa: ANN401 - a config's
    """A UNet may say one edge, two, or none."""
    return max(sample_size) if isinstance(sample_size, list | tuple) else sample_size or SIZE


def _check_widths(base: Base, model: Model) -> None:
    unet, encoder = model.parts["unet"], model.parts["text_encoder"]
    tokenizer = model.parts["tokenizer"]
    if len(tokenizer) > encoder.config.vocab_size:
        raise BaseModelError(
            f"The base model {base.path} is mixed up: its tokenizer knows {len(tokenizer):,} "
            f"tokens, its text encoder {encoder.config.vocab_size:,}.",
            hint=loading.WHOLE,
        )
    if unet.config.cross_attention_dim != encoder.config.hidden_size:
        raise BaseModelError(
            f"The base model {base.path} is mixed up: its UNet reads texts "
            f"{unet.config.cross_attention_dim} wide, its text encoder writes them "
            f"{encoder.config.hidden_size} wide.",
            hint=loading.WHOLE,
        )


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
    unet = model.parts["unet"]
    mask = condition.get("text" + MASK)
    return unet(x_t, t, condition["text"], encoder_attention_mask=mask).sample


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Sequence[str], seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    All are drawn at once, but for prompts of other lengths. Prompts of several chunks are drawn as
    A1111 draws them: the empty prompt is repeated until it is as long.

    Raises:
        MemoryFullError: They do not fit.
    """
    pipe = pipeline(model)
    (nothing,) = encode_text(model, [""])
    wishes = [
        (text["text"], seed) for text, seed in zip(encode_text(model, prompts), seeds, strict=True)
    ]
    pictures: list[Tensor] = []
    for length, group in groupby(wishes, key=lambda wish: len(wish[0])):
        texts, chosen = zip(*group, strict=True)
        empty = nothing["text"].repeat(length // len(nothing["text"]), 1)
        latents = pipe(
            prompt_embeds=torch.stack(texts),
            negative_prompt_embeds=empty.expand(len(texts), -1, -1),
            width=options.width_px,
            height=options.height_px,
            num_inference_steps=options.inference_steps,
            guidance_scale=options.guidance,
            guidance_rescale=options.guidance_rescale,
            generator=[torch.Generator().manual_seed(seed) for seed in chosen],
            output_type="latent",  # the pipeline would hand half latents to a whole VAE
        ).images
        pictures += list(vae.decode(model, latents).cpu())
    return pictures


def pipeline(model: Model) -> Any:  # noqa: ANN401 - diffusers' pipelines are untyped
    """A diffusers pipeline over the loaded nets; its scheduler has no state from earlier use."""
    scheduler = model.parts["scheduler"]
    parts: dict[str, Any] = {
        "vae": model.parts["vae"],
        "text_encoder": model.parts["text_encoder"],
        "tokenizer": model.parts["tokenizer"],
        "unet": model.parts["unet"],
        "scheduler": type(scheduler).from_config(scheduler.config),
        "safety_checker": None,
        "feature_extractor": None,
    }
    pipe = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


SD1 = ModelFamily(
    id="sd1",
    load=load,
    text_encoders={"text_encoder": TextEncoder(("text_encoder", "tokenizer"), encode_text, tokens)},
    encode_picture=vae.encode,
    picture_parts=("vae",),
    predict=predict,
    draw=draw,
    style_features=vae.features,
)
