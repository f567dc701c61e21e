"""What is known of each kind of base model without loading one: a row of facts a family."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.config.options import RunConfig


@dataclass(frozen=True, slots=True)
class KeyNames:
    """How one component's modules are called in adapter files.

    `inside` is the part of the path that files have and the net has not: transformers 5 dropped
    CLIP's `text_model`, while every other program still writes it. `words` are the names between
    two dots that hold an underscore: kohya writes `_` for `.`, so that they alone tell which of
    the two is meant.
    """

    kohya: str  # "lora_unet"
    diffusers: str  # "unet"
    words: frozenset[str]
    inside: str = ""  # "text_model."


@dataclass(frozen=True, slots=True)
class Facts:
    """A family, or one base of it that wants other settings than its family."""

    family: str
    title: str
    pipeline: str  # the class in model_index.json
    parts: tuple[str, ...]  # the folders that a whole base has
    denoiser: str  # of the parts, the one that draws
    text_encoders: tuple[str, ...]
    names: Mapping[str, KeyNames]  # of the parts that adapters go into
    targets: Mapping[str, Mapping[str, str]]  # target set to part to regex of whole module paths
    kohya_version: str  # ss_base_model_version
    architecture: str  # modelspec.architecture
    implementation: str  # modelspec.implementation
    shown_as: str  # what A1111 and Forge call it
    resolution_px: int
    batch_size: int
    learning_rate: float  # of a rank about equal to alpha
    guidance: float
    guidance_rescale: float
    only_here: bool = False  # no other program has this base

    def rates(self, config: RunConfig) -> dict[str, float]:
        """The peak rate of each part that is trained; a part at rate 0 is off, and not in it."""
        training = config.training
        rates = {self.denoiser: training.learning_rate}
        if config.adapter.text_encoder:
            rates |= dict.fromkeys(self.text_encoders, training.text_encoder_learning_rate)
        return {part: rate for part, rate in rates.items() if rate > 0}


_UNET_WORDS = frozenset(
    {
        "down_blocks", "up_blocks", "mid_block", "transformer_blocks", "proj_in", "proj_out",
        "to_q", "to_k", "to_v", "to_out", "time_emb_proj", "conv_shortcut", "time_embedding",
        "linear_1", "linear_2", "conv_in", "conv_out", "conv_norm_out",
    }
)  # fmt: skip
_CLIP_WORDS = frozenset(
    {"text_model", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj", "text_projection"}
)

# Targets: diffusers' and kohya's scripts. Rate: the consensus for alpha = rank; Stable Diffusion 1
# was trained on 512 px.
SD1 = Facts(
    family="sd1",
    title="Stable Diffusion 1",
    pipeline="StableDiffusionPipeline",
    parts=("tokenizer", "text_encoder", "unet", "vae", "scheduler"),
    denoiser="unet",
    text_encoders=("text_encoder",),
    names={
        "unet": KeyNames(kohya="lora_unet", diffusers="unet", words=_UNET_WORDS),
        "text_encoder": KeyNames(
            kohya="lora_te", diffusers="text_encoder", words=_CLIP_WORDS, inside="text_model."
        ),
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
    shown_as="SD1",
    resolution_px=512,
    batch_size=1,
    learning_rate=1e-4,
    guidance=7.0,
    guidance_rescale=0.0,
)

# 18 million numbers bear, and need, ten times the rate of 860 million.
DEMO = replace(
    SD1,
    title="Stylewright demo base",
    resolution_px=128,
    batch_size=8,
    learning_rate=1e-3,
    guidance=3.0,
    guidance_rescale=0.7,
    only_here=True,
)

FAMILIES = (SD1,)
