"""Z-Image: a single-stream transformer that reads texts of Qwen3 as they are (arXiv:2511.22699)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from diffusers import ZImagePipeline, ZImageTransformer2DModel
from transformers import Qwen2Tokenizer, Qwen3Model

from core.errors import naming_full_memory
from core.families import loading, qwen, transformer, vae
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

PATCH = 2  # latents, the edge of a place
TOKENS = 512  # of a text with the words of the chat around it, as in diffusers' pipeline


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Look at its parts; the large ones are read when they are needed.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    parts = {
        "transformer": partial(transformer.load, base, ZImageTransformer2DModel, device),
        "text_encoder": partial(qwen.load, base, Qwen3Model, device),
        "vae": partial(vae.load, base, device),
        "tokenizer": partial(loading.part, base, "tokenizer", Qwen2Tokenizer),
    }
    return transformer.model(ZIMAGE, base, keys, device, parts, patch=PATCH)


def encode_text(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text, asked as in a chat, before Qwen3's last layer, (tokens, width)."""
    encoder = model.parts["text_encoder"]
    made: list[Condition] = []
    for text in texts:
        ids = qwen.ids(_asked(model, text), model.parts["tokenizer"], TOKENS, model.device)
        said = encoder(input_ids=ids, output_hidden_states=True).hidden_states[-2]
        made.append({"text": said[0]})
    return made


def tokens(model: Model, text: str) -> tuple[int, int]:
    """How many tokens a text has, and for how many there is room beside the chat's words."""
    return qwen.room(partial(_asked, model), text, model.parts["tokenizer"], TOKENS)


def _asked(model: Model, text: str) -> str:
    said = [{"role": "user", "content": text}]
    return model.parts["tokenizer"].apply_chat_template(
        said, tokenize=False, add_generation_prompt=True, enable_thinking=True
    )


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """The velocity that the transformer says of noised latents (B, 16, h, w) at times (B,).

    It counts its time from noise to data, and says the velocity in that direction.
    """
    texts, mask = condition["text"], condition.get("text" + MASK)
    each = list(texts) if mask is None else [text[m] for text, m in zip(texts, mask, strict=True)]
    said = model.parts["transformer"](list(x_t.unsqueeze(2)), 1 - t, each, return_dict=False)[0]
    return -torch.stack(said).squeeze(2)


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    Guidance is the pipeline's: 0 is none, as Z-Image-Turbo wants it.

    Raises:
        MemoryFullError: They do not fit.
    """
    dtype = model.place.weights
    latents = transformer.pipeline(model, ZImagePipeline)(
        prompt_embeds=[told["text"].to(dtype) for told in prompts.each],
        negative_prompt_embeds=[prompts.empty["text"].to(dtype)] * len(prompts.each),
        guidance_scale=options.guidance,
        **pipeline_options(options, seeds),
    ).images
    return list(vae.decode(model, latents).cpu())


ZIMAGE = ModelFamily(
    id="zimage",
    nets={"transformer": ZImageTransformer2DModel},
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
