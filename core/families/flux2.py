"""Flux.2 klein: Flux.1's shape told by three layers of Qwen3, on latents packed by its VAE.

Black Forest Labs 2026. The base models are what one trains on; the distilled ones draw in few steps
at guidance 1.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
from transformers import Qwen2Tokenizer, Qwen3ForCausalLM

from core.errors import naming_full_memory
from core.families import loading, qwen, tiles, transformer, vae
from core.families.device import Device, placed
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

TOKENS = 512  # of a text with the words of the chat around it, as in diffusers' pipeline
LAYERS = (9, 18, 27)  # whose states are read side by side


@naming_full_memory()
def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Look at its parts; the large ones are read when they are needed.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    parts = {
        "transformer": partial(transformer.load, base, Flux2Transformer2DModel, device),
        "text_encoder": partial(qwen.load, base, Qwen3ForCausalLM, device),
        "vae": partial(load_vae, base, device),
        "tokenizer": partial(loading.part, base, "tokenizer", Qwen2Tokenizer),
    }
    return transformer.model(FLUX2, base, keys, device, parts, patch=1)


def load_vae(base: Base, device: Device) -> AutoencoderKLFlux2:
    """The base's VAE, in float32."""
    return placed(loading.net(base, "vae", AutoencoderKLFlux2, torch.float32), device)


def encode_text(model: Model, texts: Sequence[str]) -> list[Condition]:
    """Each text, asked as in a chat, (512, three widths); the padding after it is read, too."""
    encoder, tokenizer = model.parts["text_encoder"], model.parts["tokenizer"]
    made: list[Condition] = []
    for text in texts:
        told = tokenizer(
            _asked(model, text),
            padding="max_length",
            max_length=TOKENS,
            truncation=True,
            return_tensors="pt",
        ).to(model.device)
        states = encoder(
            input_ids=told.input_ids,
            attention_mask=told.attention_mask,
            output_hidden_states=True,
            use_cache=False,
        ).hidden_states
        made.append({"text": torch.cat([states[layer][0] for layer in LAYERS], dim=-1)})
    return made


def tokens(model: Model, text: str) -> tuple[int, int]:
    """How many tokens a text has, and for how many there is room beside the chat's words."""
    return qwen.room(partial(_asked, model), text, model.parts["tokenizer"], TOKENS)


def _asked(model: Model, text: str) -> str:
    said = [{"role": "user", "content": text}]
    return model.parts["tokenizer"].apply_chat_template(
        said, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )


@torch.no_grad()
def encode_picture(model: Model, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W), -1 to 1, as mean and deviation of latents (B, 128, H/16, W/16)."""
    net: Any = model.parts["vae"]
    latent = tiles.encode(model, pixels)
    packs = net.config.patch_size[0]
    mean, deviation = _norm(net)
    packed = transformer.squares(latent.mean, packs)
    return (packed - mean) / deviation, transformer.squares(latent.std, packs) / deviation


def _norm(net: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - untyped
    """Mean and deviation of each of the packed latents' numbers, which the VAE has counted."""
    deviation = (net.bn.running_var + net.config.batch_norm_eps).sqrt()
    return net.bn.running_mean.view(1, -1, 1, 1), deviation.view(1, -1, 1, 1)


def predict(model: Model, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """The velocity that the transformer says of noised latents (B, 128, h, w) at times (B,)."""
    height, width = x_t.shape[-2:]
    where = transformer.places(height, width, x_t.device)
    text = condition["text"]
    order = torch.zeros(text.shape[1], 4, device=x_t.device)
    order[:, 3] = torch.arange(text.shape[1])
    said = model.parts["transformer"](
        hidden_states=transformer.packed(x_t, 1),
        timestep=t,
        guidance=None,
        encoder_hidden_states=text,
        txt_ids=order,
        img_ids=torch.nn.functional.pad(where, (0, 1)),
        return_dict=False,
    )[0]
    return transformer.unpacked(said, height, width, 1)


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    model: Model, prompts: Prompts, seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    Raises:
        MemoryFullError: They do not fit.
    """
    dtype = model.place.weights
    together = torch.stack([told["text"] for told in prompts.each]).to(dtype)
    latents = transformer.pipeline(model, Flux2KleinPipeline)(
        prompt_embeds=together,
        negative_prompt_embeds=prompts.empty["text"].to(dtype).expand(len(together), -1, -1),
        guidance_scale=options.guidance,
        **pipeline_options(options, seeds),
    ).images
    return list(tiles.decode(model, latents.float()).cpu())


FLUX2 = ModelFamily(
    id="flux2",
    nets={"transformer": Flux2Transformer2DModel},
    load=load,
    text_encoders={
        "text_encoder": TextEncoder(
            ("text_encoder", "tokenizer"), encode_text, tokens, cuts=True, heavy=True
        )
    },
    encode_picture=encode_picture,
    picture_parts=("vae",),
    predict=predict,
    draw=draw,
    style_features=vae.features,
)
