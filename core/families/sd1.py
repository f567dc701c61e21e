"""Stable Diffusion 1: one CLIP text encoder, a UNet on 4-channel latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors import SafetensorError
from transformers import CLIPTextModel, CLIPTokenizer

from core.adapters.formats import KeyNames
from core.data.cache import file_hash, key_of
from core.diffusion.objectives import Prediction
from core.errors import BaseModelError, naming_full_memory
from core.families.family import Components, DrawOptions, ModelFamily

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

PARTS = ("model_index.json", "tokenizer", "text_encoder", "unet", "vae", "scheduler")
FEW_PLACES = 256  # up to here plain products beat the fused kernel, whose backward is slow on a CPU
SD2_WIDTH = 1024  # of the text encoder: it has the same pipeline as Stable Diffusion 1
DRAW_TOGETHER = 4  # pictures in one pass: more gain nothing on a CPU and cost memory on a GPU


@naming_full_memory()
def load(path: Path, device: torch.device, dtype: torch.dtype) -> Components:
    """Load a diffusers folder. The VAE stays in float32: in half precision some give black.

    Raises:
        BaseModelError: A part is missing, damaged, or of another kind.
        MemoryFullError: It does not fit.
    """
    if missing := [part for part in PARTS if not (path / part).exists()]:
        raise BaseModelError(
            f"The base model {path} has no {missing[0]}.",
            hint="Choose a whole Stable Diffusion 1 model in diffusers' folder layout.",
        )
    unet: Any  # diffusers' classes are only partly typed
    encoder: Any
    vae: Any
    scheduler: Any
    try:
        with naming_full_memory():
            unet = UNet2DConditionModel.from_pretrained(path / "unet", torch_dtype=dtype)
            encoder = CLIPTextModel.from_pretrained(
                path / "text_encoder", dtype=dtype, attn_implementation="eager"
            )
            vae = AutoencoderKL.from_pretrained(path / "vae", torch_dtype=torch.float32)
            tokenizer = CLIPTokenizer.from_pretrained(path / "tokenizer")
            scheduler = DDPMScheduler.from_pretrained(path / "scheduler")
            scheduler_config: Any = DDPMScheduler.load_config(
                path / "scheduler"
            )  # of its own class
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise BaseModelError(
            f"The base model {path} cannot be loaded: {error}.",
            hint="Get a whole copy of it.",
        ) from error
    if unet.config.cross_attention_dim == SD2_WIDTH:
        raise BaseModelError(
            f"The base model {path} is Stable Diffusion 2, which is not supported yet.",
            hint="Choose a Stable Diffusion 1 model.",
        )
    if scheduler.config.prediction_type not in get_args(Prediction):
        raise BaseModelError(
            f"The base model {path} predicts {scheduler.config.prediction_type!r}, which is not "
            "supported.",
            hint=f"Choose one that predicts {' or '.join(get_args(Prediction))}.",
        )
    if device.type == "cpu" and unet.config.sample_size**2 <= FEW_PLACES:
        unet.set_attn_processor(AttnProcessor())
    for net in (unet, encoder, vae):
        net.requires_grad_(requires_grad=False).eval().to(device)
    pixels_per_latent = 2 ** (len(vae.config.block_out_channels) - 1)
    levels = 2 ** (len(unet.config.block_out_channels) - 1)
    return Components(
        denoiser=unet,
        denoiser_name="unet",
        text_encoders={"text_encoder": encoder},
        tokenizers={"text_encoder": tokenizer},
        vae=vae,
        scheduler_config=scheduler_config,
        alpha_bars=scheduler.alphas_cumprod,
        prediction=scheduler.config.prediction_type,
        size_px=unet.config.sample_size * pixels_per_latent,
        multiple_px=pixels_per_latent * levels,
        device=device,
    )


def fingerprint(path: Path) -> str:
    """Of the VAE's and the text encoder's files."""
    weights = sorted(p for part in ("vae", "text_encoder") for p in (path / part).glob("*"))
    return key_of(*(file_hash(p) for p in weights if p.is_file()))


def tokens(components: Components, caption: str) -> tuple[int, int]:
    """How many tokens a caption has, start and end left out, and how many are read."""
    tokenizer = components.tokenizers["text_encoder"]
    return len(tokenizer(caption).input_ids) - 2, tokenizer.model_max_length - 2


def encode_text(components: Components, captions: Sequence[str]) -> Tensor:
    """Captions as the UNet reads them, (B, tokens, width)."""
    tokenizer = components.tokenizers["text_encoder"]
    ids = tokenizer(
        list(captions), padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids.to(components.device)
    return components.text_encoders["text_encoder"](ids).last_hidden_state


@torch.no_grad()
def encode_picture(components: Components, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W), -1 to 1, as mean and deviation of their scaled latents."""
    vae = components.vae
    latent = vae.encode(pixels.to(components.device)).latent_dist
    scale = vae.config.scaling_factor
    return latent.mean * scale, latent.std * scale


def predict(components: Components, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
    """What the UNet says of noised latents (B, 4, h, w) at times (B,)."""
    return components.denoiser(x_t, t, condition).sample


@naming_full_memory("Draw a smaller picture, or close other programs.")
@torch.no_grad()
def draw(
    components: Components, prompts: Sequence[str], seeds: Sequence[int], options: DrawOptions
) -> list[Tensor]:
    """Pictures (3, H, W), -1 to 1, by diffusers' own pipeline, so that others get the same ones.

    Raises:
        MemoryFullError: They do not fit.
    """
    pipe = pipeline(components)
    pictures: list[Tensor] = []
    for start in range(0, len(prompts), DRAW_TOGETHER):
        generators = [
            torch.Generator().manual_seed(seed) for seed in seeds[start : start + DRAW_TOGETHER]
        ]
        latents = pipe(
            prompt=list(prompts[start : start + DRAW_TOGETHER]),
            width=options.width_px,
            height=options.height_px,
            num_inference_steps=options.inference_steps,
            guidance_scale=options.guidance,
            guidance_rescale=options.guidance_rescale,
            generator=generators,
            output_type="latent",  # the pipeline would hand half-precision latents to a whole VAE
        ).images
        scale = components.vae.config.scaling_factor
        made = components.vae.decode(latents.float() / scale).sample
        pictures += list(made.cpu())
    return pictures


def pipeline(components: Components) -> Any:  # noqa: ANN401 - diffusers' pipelines are untyped
    """A diffusers pipeline over the loaded nets; its scheduler has no state from earlier use."""
    from diffusers import schedulers

    scheduler_type = getattr(schedulers, str(components.scheduler_config["_class_name"]))
    parts: dict[str, Any] = {
        "vae": components.vae,
        "text_encoder": components.text_encoders["text_encoder"],
        "tokenizer": components.tokenizers["text_encoder"],
        "unet": components.denoiser,
        "scheduler": scheduler_type.from_config(components.scheduler_config),
        "safety_checker": None,
        "feature_extractor": None,
    }
    pipe = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@torch.no_grad()
def style_features(components: Components, pixels: Tensor) -> list[Tensor]:
    """The VAE encoder's features of pictures (B, 3, H, W) after each level, (B, C, h, w)."""
    encoder = components.vae.encoder
    x = encoder.conv_in(pixels.to(components.device))
    features: list[Tensor] = []
    for block in encoder.down_blocks:
        for resnet in block.resnets:
            x = resnet(x, temb=None)
        features.append(x)
        for downsampler in block.downsamplers or ():
            x = downsampler(x)
    return features


SD1 = ModelFamily(
    id="sd1",
    title="Stable Diffusion 1",
    names={
        "unet": KeyNames(kohya="lora_unet", diffusers="unet"),
        "text_encoder": KeyNames(kohya="lora_te", diffusers="text_encoder", inside="text_model."),
    },
    targets={
        "attention": {
            "unet": r".*\.attn[12]\.(to_q|to_k|to_v|to_out\.0)",
            "text_encoder": r".*\.self_attn\.(q_proj|k_proj|v_proj|out_proj)",
        }
    },
    kohya_version="sd_v1",
    architecture="stable-diffusion-v1/lora",
    implementation="diffusers",
    pipeline="StableDiffusionPipeline",
    load=load,
    fingerprint=fingerprint,
    tokens=tokens,
    encode_text=encode_text,
    encode_picture=encode_picture,
    predict=predict,
    draw=draw,
    style_features=style_features,
)
