"""Models of random weights in the shape of real ones, made on the fly."""

from __future__ import annotations

import json
from pathlib import Path

TOKENS = 77


def write_sd1(folder: Path, **scheduler: object) -> Path:
    """Stable Diffusion 1 with two thin levels: VAE 8x, 16 x 16 px are 2 x 2 latents."""
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    vae = AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
    )
    letters = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789,.-'"))
    tokens = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=TOKENS
    )
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokens),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=TOKENS,
            bos_token_id=len(tokens) - 2,
            eos_token_id=len(tokens) - 1,
        )
    )
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear", clip_sample=False, steps_offset=1, **scheduler
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    assert json.loads((folder / "model_index.json").read_text())["unet"]
    return folder


def write_sd1_v(folder: Path) -> Path:
    """The same shape, trained to predict v down to pure noise."""
    return write_sd1(folder, prediction_type="v_prediction", rescale_betas_zero_snr=True)


ROWS = {"sd1": write_sd1, "sd1-v": write_sd1_v}
