"""Models of random weights in the shape of real ones, made on the fly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TOKENS = 77
LETTERS = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789,.-'"))
WORDS = [*LETTERS, *(f"{c}</w>" for c in LETTERS), "<|startoftext|>", "<|endoftext|>"]
SCHEDULER = {"beta_schedule": "scaled_linear", "clip_sample": False, "steps_offset": 1}


def _tokenizer(**settings: str) -> Any:
    from transformers import CLIPTokenizer

    vocabulary = {token: number for number, token in enumerate(WORDS)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=TOKENS, **settings)


def _text_config(layers: int = 2, **settings: object) -> Any:
    from transformers import CLIPTextConfig

    usual = {
        "vocab_size": len(WORDS),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "max_position_embeddings": TOKENS,
        "bos_token_id": len(WORDS) - 2,
        "eos_token_id": len(WORDS) - 1,
    }
    return CLIPTextConfig(**{**usual, **settings})


def _vae(**settings: object) -> Any:
    """8x: 16 x 16 px are 2 x 2 latents."""
    from diffusers import AutoencoderKL

    settings = {"latent_channels": 4, **settings}
    return AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=8,
        **settings,
    )


def write_sd1(folder: Path, *, layers: int = 1, **scheduler: object) -> Path:
    """Stable Diffusion 1 with two thin levels."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=layers,
        cross_attention_dim=32,
        attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    vae = _vae()
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(_text_config()),
        tokenizer=_tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(**SCHEDULER, **scheduler),
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


def write_sd2(folder: Path, **scheduler: object) -> Path:
    """Stable Diffusion 2 with two thin levels: known by the width of its texts."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=2,
        cross_attention_dim=1024,
        attention_head_dim=(2, 4),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        use_linear_projection=True,
        upcast_attention=True,
    )
    pipe = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(
            _text_config(layers=1, hidden_size=1024, num_attention_heads=16, hidden_act="gelu")
        ),
        tokenizer=_tokenizer(pad_token="a"),
        unet=unet,
        scheduler=DDIMScheduler(**SCHEDULER, **scheduler),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    return folder


def write_sd2_v(folder: Path) -> Path:
    """The same, as most of them are: it predicts v."""
    return write_sd2(folder, prediction_type="v_prediction")


def write_sdxl(folder: Path) -> Path:
    """Stable Diffusion XL with two thin levels: two text encoders, and told sizes."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=2,
        cross_attention_dim=64,
        attention_head_dim=(2, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        use_linear_projection=True,
        transformer_layers_per_block=(1, 2),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 24,
    )
    pipe = StableDiffusionXLPipeline(
        vae=_vae(scaling_factor=0.13025),
        text_encoder=CLIPTextModel(_text_config(layers=12)),  # the last of which is not read
        text_encoder_2=CLIPTextModelWithProjection(
            _text_config(projection_dim=24, hidden_act="gelu")
        ),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(pad_token="a"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
        add_watermarker=False,
    )
    pipe.save_pretrained(folder)
    return folder


PIECES = ["<pad>", "</s>", "<unk>", "\u2581", *LETTERS]


def _t5(width: int) -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(
            vocab_size=len(PIECES) + 100,
            d_model=width,
            d_kv=8,
            d_ff=32,
            num_layers=1,
            num_heads=3,
        )
    )


def _t5_tokenizer() -> Any:
    from transformers import T5Tokenizer

    return T5Tokenizer(vocab=[(piece, -float(n)) for n, piece in enumerate(PIECES)])


def write_flux(folder: Path, *, dev: bool = True) -> Path:
    """Flux.1 with one block of each kind; schnell is told no guidance, and not shifted by size."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel

    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=24,
        pooled_projection_dim=32,
        guidance_embeds=dev,
        axes_dims_rope=(4, 6, 6),
    )
    dynamic = {"shift": 3.0, "use_dynamic_shifting": True} if dev else {"shift": 1.0}
    pipe = FluxPipeline(
        transformer=transformer,
        vae=_vae(latent_channels=16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=CLIPTextModel(_text_config()),
        text_encoder_2=_t5(24),
        tokenizer=_tokenizer(),
        tokenizer_2=_t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(**dynamic),
    )
    pipe.save_pretrained(folder)
    return folder


def write_flux_schnell(folder: Path) -> Path:
    """The distilled one of four steps."""
    return write_flux(folder, dev=False)


def write_chroma(folder: Path) -> Path:
    """Chroma with one block of each kind."""
    import torch
    from diffusers import (
        ChromaPipeline,
        ChromaTransformer2DModel,
        FlowMatchEulerDiscreteScheduler,
    )

    torch.manual_seed(0)
    pipe = ChromaPipeline(
        transformer=ChromaTransformer2DModel(
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=24,
            axes_dims_rope=(4, 6, 6),
            approximator_num_channels=8,
            approximator_hidden_dim=32,
            approximator_layers=1,
        ),
        vae=_vae(latent_channels=16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=_t5(24),
        tokenizer=_t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )
    pipe.save_pretrained(folder)
    return folder


def write_sd3(folder: Path) -> Path:
    """Stable Diffusion 3.5: two blocks, the first of which attends to the picture twice."""
    import torch
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )
    from transformers import CLIPTextModelWithProjection

    torch.manual_seed(0)
    pipe = StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=8,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=72,
            caption_projection_dim=32,
            pooled_projection_dim=16 + 24,
            pos_embed_max_size=8,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        ),
        vae=_vae(latent_channels=16, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=CLIPTextModelWithProjection(_text_config(projection_dim=16)),
        text_encoder_2=CLIPTextModelWithProjection(
            _text_config(projection_dim=24, hidden_act="gelu")
        ),
        text_encoder_3=_t5(72),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(pad_token="a"),
        tokenizer_3=_t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )
    pipe.save_pretrained(folder)
    return folder


CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _qwen_tokenizer() -> Any:
    """Single letters; spaces and ends of lines as its byte-level alphabet has them."""
    from transformers import Qwen2Tokenizer

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {token: n for n, token in enumerate([*special, *LETTERS, "\u0120", "\u010a"])}
    made = Qwen2Tokenizer(vocab=vocabulary, merges=[], additional_special_tokens=special[1:])
    made.chat_template = CHAT
    return made


def write_zimage(folder: Path) -> Path:
    """Z-Image with one block of each kind."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(0)
    tokenizer = _qwen_tokenizer()
    text = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
    )
    pipe = ZImagePipeline(
        transformer=ZImageTransformer2DModel(
            dim=48,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=32,
            axes_dims=[8, 8, 8],
            axes_lens=[768, 64, 64],
        ),
        vae=_vae(latent_channels=16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=Qwen3Model(text),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )
    pipe.save_pretrained(folder)
    return folder


def write_flux2(folder: Path) -> Path:
    """Flux.2 klein with one block of each kind, told by three of 28 thin layers."""
    import torch
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    tokenizer = _qwen_tokenizer()
    text = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=28,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
    )
    vae = AutoencoderKLFlux2(
        block_out_channels=(32, 32, 32, 32),
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=32,
    )
    with torch.no_grad():  # as training has counted them, and nothing like 0 and 1
        vae.bn.running_mean.normal_(std=0.3)
        vae.bn.running_var.uniform_(4, 16)
    pipe = Flux2KleinPipeline(
        transformer=Flux2Transformer2DModel(
            in_channels=128,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=24,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        vae=vae,
        text_encoder=Qwen3ForCausalLM(text),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )
    pipe.save_pretrained(folder)
    return folder


def _film_vae() -> Any:
    """Each channel has a scale of its own."""
    from diffusers import AutoencoderKLQwenImage

    return AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=16,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        latents_mean=[0.1 * n for n in range(16)],
        latents_std=[1 + 0.1 * n for n in range(16)],
    )


def write_qwen_image(folder: Path) -> Path:
    """Qwen-Image with two blocks."""
    import torch
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(0)
    tokenizer = _qwen_tokenizer()
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_scaling": {"type": "default", "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 32,
        },
    )
    pipe = QwenImagePipeline(
        transformer=QwenImageTransformer2DModel(
            in_channels=64,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(4, 6, 6),
        ),
        vae=_film_vae(),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, max_shift=0.9, max_image_seq_len=8192
        ),
    )
    pipe.save_pretrained(folder)
    return folder


def write_krea2(folder: Path) -> Path:
    """Krea 2 with one block of each kind, told by twelve of 36 thin layers."""
    import torch
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        Krea2Pipeline,
        Krea2Transformer2DModel,
    )
    from transformers import Qwen3VLConfig, Qwen3VLModel

    torch.manual_seed(0)
    tokenizer = _qwen_tokenizer()
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 36,
            "num_attention_heads": 1,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
            "deepstack_visual_indexes": [0],
        },
    )
    pipe = Krea2Pipeline(
        transformer=Krea2Transformer2DModel(
            in_channels=64,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=32,
            timestep_embed_dim=16,
            text_hidden_dim=16,
            text_num_attention_heads=2,
            text_num_key_value_heads=2,
            text_intermediate_size=16,
            num_layerwise_text_blocks=1,
            num_refiner_text_blocks=1,
            axes_dims_rope=(4, 6, 6),
        ),
        vae=_film_vae(),
        text_encoder=Qwen3VLModel(config),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, max_image_seq_len=6400
        ),
    )
    pipe.save_pretrained(folder)
    return folder


FLOWS = {
    "flux": write_flux,
    "flux-schnell": write_flux_schnell,
    "chroma": write_chroma,
    "sd3": write_sd3,
    "flux2": write_flux2,
    "zimage": write_zimage,
    "qwen-image": write_qwen_image,
    "krea2": write_krea2,
}
ROWS = {
    "sd1": write_sd1,
    "sd1-v": write_sd1_v,
    "sd2": write_sd2,
    "sd2-v": write_sd2_v,
    "sdxl": write_sdxl,
    **FLOWS,
}
