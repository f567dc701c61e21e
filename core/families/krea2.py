"""Krea 2: a single-stream transformer told by twelve layers of Qwen3-VL, on Qwen-Image's VAE."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from diffusers import AutoencoderKLQwenImage, Krea2Pipeline, Krea2Transformer2DModel
from transformers import Qwen2Tokenizer, Qwen3VLModel

from core.errors import naming_full_memory
from core.families import film_vae, loading, qwen, transformer
from core.families.condition import MASK, stack
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
TOKENS = 512  # of a text with what comes after it
BEFORE_TEXT = (  # as in diffusers' pipeline
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:<|im_end|>\n"
    "<|im_start|>user\n"
)
AFTER_TEXT = "<|im_end|>\n<|im_start|>assistant\n"
UNREAD, LAST = 34, 5  # tokens of what comes before, which are not read, and of what comes after
LAYERS = (2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35)  # whose states are read


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Look at its parts; the large ones are read when they are needed.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    parts = {
        "transformer": partial(transformer.load, base, Krea2Transformer2DModel, device),
        "text_encoder": partial(qwen.load, base, Qwen3VLModel, device),
        "vae": partial(film_vae.load, base, AutoencoderKLQwenImage, device),
        "tokenizer": partial(loading.part, base, "tokenizer", Qwen2Tokenizer),
    }
    return transformer.model(KREA2, base, keys, device, parts, patch=PATCH)


def encode_text(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text as the layers of Qwen3-VL say it, (tokens, layers, width).

    The pipeline pads between a text and what comes after it, and hides the padding: without it no
    word sees or is anything else.
    """
    tokenizer = model.parts["tokenizer"]
    after = qwen.ids(AFTER_TEXT, tokenizer, TOKENS, model.device)
    made: list[Condition] = []
    for text in texts:
        room = TOKENS + UNREAD - LAST
        ids = torch.cat([qwen.ids(BEFORE_TEXT + text, tokenizer, room, model.device), after], dim=1)
        said = model.parts["text_encoder"](input_ids=ids, output_hidden_states=True).hidden_states
        made.append({"text": torch.stack([said[layer][0] for layer in LAYERS], dim=1)[UNREAD:]})
    return made


def tokens(model: Model, text: str) -> tuple[int, int]:
    """How many tokens a text has, and how many of them are read."""
    used, _ = qwen.room(BEFORE_TEXT.__add__, text, model.parts["tokenizer"], TOKENS)
    return used, TOKENS - LAST


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """The velocity that the transformer says of noised latents (B, 16, h, w) at times (B,)."""
    height, width = x_t.shape[-2:]
    where = transformer.places(height // PATCH, width // PATCH, x_t.device)
    text = condition["text"]
    said = model.parts["transformer"](
        hidden_states=transformer.packed(x_t, PATCH),
        encoder_hidden_states=text,
        timestep=t,
        position_ids=torch.cat([where.new_zeros(text.shape[1], 3), where]),
        encoder_attention_mask=condition.get("text" + MASK),
        return_dict=False,
    )[0]
    return transformer.unpacked(said, height, width, PATCH)


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    Guidance is the pipeline's: 0 is none.

    Raises:
        MemoryFullError: They do not fit.
    """
    dtype = model.place.weights
    edges = transformer.latent_edges(model, options)
    # all of one length, as the pipeline has them
    told = stack([*prompts.each, prompts.empty])
    text = told["text"].to(dtype)
    heard = told.get("text" + MASK, torch.ones_like(text[..., 0, 0], dtype=torch.bool))
    latents = transformer.pipeline(model, Krea2Pipeline)(
        prompt_embeds=text[:-1],
        prompt_embeds_mask=heard[:-1],
        negative_prompt_embeds=text[-1:].expand_as(text[:-1]),
        negative_prompt_embeds_mask=heard[-1:].expand_as(heard[:-1]),
        guidance_scale=options.guidance,
        **pipeline_options(options, seeds),
    ).images
    return list(film_vae.decode(model, transformer.unpacked(latents, *edges, PATCH)).cpu())


KREA2 = ModelFamily(
    id="krea2",
    nets={"transformer": Krea2Transformer2DModel},
    load=load,
    text_encoders={
        "text_encoder": TextEncoder(
            ("text_encoder", "tokenizer"), encode_text, tokens, cuts=True, heavy=True
        )
    },
    encode_picture=film_vae.encode,
    picture_parts=("vae",),
    predict=predict,
    draw=draw,
    style_features=film_vae.features,
)
