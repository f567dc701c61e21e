"""Qwen-Image: a two-stream transformer told by Qwen2.5-VL, on a VAE of films (arXiv:2508.02324)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from diffusers import AutoencoderKLQwenImage, QwenImagePipeline, QwenImageTransformer2DModel
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

from core.errors import naming_full_memory
from core.families import film_vae, loading, qwen, transformer
from core.families.condition import MASK
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
TOKENS = 1024  # of a text with what comes after it
TEMPLATE = (  # as in diffusers' pipeline and ComfyUI
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
BEFORE = 34  # tokens of the template before the text, which are not read


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Look at its parts; the large ones are read when they are needed.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    parts = {
        "transformer": partial(transformer.load, base, QwenImageTransformer2DModel, device),
        "text_encoder": partial(qwen.load, base, Qwen2_5_VLForConditionalGeneration, device),
        "vae": partial(film_vae.load, base, AutoencoderKLQwenImage, device),
        "tokenizer": partial(loading.part, base, "tokenizer", Qwen2Tokenizer),
    }
    return transformer.model(QWEN_IMAGE, base, keys, device, parts, patch=PATCH)


def encode_text(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text as Qwen2.5-VL says it in answer to the template, (tokens, width)."""
    made: list[Condition] = []
    for text in texts:
        ids = qwen.ids(_asked(text), model.parts["tokenizer"], TOKENS + BEFORE, model.device)
        said = model.parts["text_encoder"](input_ids=ids, output_hidden_states=True)
        made.append({"text": said.hidden_states[-1][0, BEFORE:]})
    return made


def tokens(model: Model, text: str) -> tuple[int, int]:
    """How many tokens a text has, and for how many there is room beside the template's words."""
    return qwen.room(_asked, text, model.parts["tokenizer"], TOKENS + BEFORE)


def _asked(text: str) -> str:
    return TEMPLATE.format(text)


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """The velocity that the transformer says of noised latents (B, 16, h, w) at times (B,)."""
    height, width = x_t.shape[-2:]
    said = model.parts["transformer"](
        hidden_states=transformer.packed(x_t, PATCH),
        timestep=t,
        encoder_hidden_states=condition["text"],
        encoder_hidden_states_mask=condition.get("text" + MASK),
        img_shapes=[[(1, height // PATCH, width // PATCH)]] * len(x_t),
        return_dict=False,
    )[0]
    return transformer.unpacked(said, height, width, PATCH)


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    Guidance leads away from the empty text; 1 is none.

    Raises:
        MemoryFullError: They do not fit.
    """
    pipe = transformer.pipeline(model, QwenImagePipeline)
    edges = transformer.latent_edges(model, options)
    pictures: list[Tensor] = []
    for texts, nothing, chosen in transformer.by_length(model, prompts, seeds):
        latents = pipe(
            prompt_embeds=texts,
            prompt_embeds_mask=torch.ones_like(texts[..., 0], dtype=torch.long),
            negative_prompt_embeds=nothing,
            negative_prompt_embeds_mask=torch.ones_like(nothing[..., 0], dtype=torch.long),
            true_cfg_scale=options.guidance,
            **pipeline_options(options, chosen),
        ).images
        made = transformer.unpacked(latents, *edges, PATCH)
        pictures += list(film_vae.decode(model, made).cpu())
    return pictures


QWEN_IMAGE = ModelFamily(
    id="qwen-image",
    nets={"transformer": QwenImageTransformer2DModel},
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
