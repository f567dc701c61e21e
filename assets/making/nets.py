"""The demo base's nets: Stable Diffusion 1's shape, narrow enough for two cores."""

from __future__ import annotations

from diffusers import DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

WIDTH = 256
TOKENS = 32  # CLIP's 77 cost far more time, and the captions are short
LATENT_EDGE = 32


def new_text_encoder(vocabulary: int) -> CLIPTextModel:
    """Four layers of CLIP's text encoder."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        projection_dim=WIDTH,
        max_position_embeddings=TOKENS,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    return CLIPTextModel._from_config(config, attn_implementation="eager")


def new_unet() -> UNet2DConditionModel:
    """Few channels and no attention where the latents are 32 x 32; attention at 16, 8 and 4."""
    return UNet2DConditionModel(
        sample_size=LATENT_EDGE,
        block_out_channels=(64, 128, 192, 256),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # the number of heads: diffusers' old name for it
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 2, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
    )


def new_scheduler() -> DDPMScheduler:
    """Velocity prediction with zero terminal SNR: so small a net ignores prompts otherwise.

    DDPM, since its fresh noise in each step washes out the first one's imprint, which DDIM leaves
    as a texture on flat colours.
    """
    return DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )
