"""Base models of full size without weights: configs as the real ones have them.

Of families whose configs come with the program those; of the others what their makers published:
Flux.1 dev, Chroma1, Stable Diffusion 3.5 large, Flux.2 klein 4B, Z-Image, Qwen-Image, Krea 2.
Their tokenizers are those of `tests/tiny.py`, which have a token a letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.base.configs import read_json
from core.base.value import BUNDLED, CONFIG_NAMES, Base, Unread
from tests import tiny

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from core.config.facts import Facts

_LEVELS = 4
_VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * _LEVELS,
    "up_block_types": ["UpDecoderBlock2D"] * _LEVELS,
    "layers_per_block": 2,
    "latent_channels": 16,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "sample_size": 1024,
}
_FLUX_VAE = {**_VAE, "scaling_factor": 0.3611, "shift_factor": 0.1159}
_SD3_VAE = {**_VAE, "scaling_factor": 1.5305, "shift_factor": 0.0609}
_CLIP_L = {**read_json(BUNDLED / "sd1/text_encoder/config.json"), "projection_dim": 768}
_CLIP_G = read_json(BUNDLED / "sdxl/text_encoder_2/config.json")
_T5_XXL = {
    "vocab_size": 32128,
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}
_QWEN3_4B = {
    "vocab_size": 151936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
_QWEN25_VL_7B = {
    "text_config": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rope_scaling": {"type": "default", "mrope_section": [16, 24, 24]},
    },
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
    },
}
_QWEN3_VL_4B = {
    "text_config": {
        **_QWEN3_4B,
        "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20]},
    },
    "vision_config": {
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_heads": 16,
        "out_hidden_size": 2560,
        "deepstack_visual_indexes": [5, 11, 17],
    },
}
_SD3_LARGE = {
    "num_layers": 38,
    "num_attention_heads": 38,
    "caption_projection_dim": 2432,
    "pos_embed_max_size": 192,
    "qk_norm": "rms_norm",
}
_KLEIN_4B = {
    "num_layers": 5,
    "num_single_layers": 20,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "guidance_embeds": False,
}
CONFIGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "flux": {
        "transformer": {"guidance_embeds": True},
        "vae": _FLUX_VAE,
        "text_encoder": _CLIP_L,
        "text_encoder_2": _T5_XXL,
    },
    "chroma": {"transformer": {}, "vae": _FLUX_VAE, "text_encoder": _T5_XXL},
    "sd3": {
        "transformer": _SD3_LARGE,
        "vae": _SD3_VAE,
        "text_encoder": _CLIP_L,
        "text_encoder_2": _CLIP_G,
        "text_encoder_3": _T5_XXL,
    },
    "flux2": {"transformer": _KLEIN_4B, "vae": {}, "text_encoder": _QWEN3_4B},
    "zimage": {"transformer": {}, "vae": _FLUX_VAE, "text_encoder": _QWEN3_4B},
    "qwen-image": {
        "transformer": {},
        "vae": {"temperal_downsample": [False, True, True]},
        "text_encoder": _QWEN25_VL_7B,
    },
    "krea2": {
        "transformer": {},
        "vae": {"temperal_downsample": [False, True, True]},
        "text_encoder": _QWEN3_VL_4B,
    },
}
_SCHEDULER = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}
_QWEN = ("flux2", "zimage", "qwen-image", "krea2")


def base(facts: Facts, folder: Path) -> Base:
    """A family's. `folder` takes the tokenizers of those that come without."""
    if facts.bundled:
        return _bundled(facts)
    folders = {part: folder / facts.family / part for part in facts.parts}
    for part in facts.tokenizers:
        if not folders[part].exists():
            _tokenizer(facts, part).save_pretrained(folders[part])
    configs = {**CONFIGS[facts.family], "scheduler": _SCHEDULER}
    return Base(folder, facts, configs, folders, dict.fromkeys(CONFIGS[facts.family], Unread()))


def _bundled(facts: Facts) -> Base:
    folders = {part: BUNDLED / folder for part, folder in facts.bundled.items()}
    configs = {
        part: read_json(folder / CONFIG_NAMES.get(part, "config.json"))
        for part, folder in folders.items()
        if part not in facts.tokenizers
    }
    return Base(BUNDLED, facts, configs, folders, dict.fromkeys(facts.in_file, Unread()))


def _tokenizer(facts: Facts, part: str) -> Any:
    if facts.family in _QWEN:
        return tiny._qwen_tokenizer()
    if part == facts.tokenizers[-1]:
        return tiny._t5_tokenizer()
    return tiny._tokenizer()
