"""What is known of each kind of base model without loading one: a row of facts a family."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.config.options import RunConfig, TrainingConfig


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
    sgm: bool = False  # kohya's files have the names of Stability's code for the net's blocks
    bfl: str = ""  # "lora_unet": what kohya's files of Black Forest Labs' names begin with
    outer: frozenset[str] = frozenset()  # the net's outermost modules; a file with others is none
    also: tuple[str, ...] = ()  # what stands for `diffusers` in files of other trainers


@dataclass(frozen=True, slots=True)
class Facts:
    """A family, or one base of it that wants other settings than its family."""

    family: str
    title: str
    pipeline: str  # the class in model_index.json
    parts: tuple[str, ...]  # the folders that a whole base has
    denoiser: str  # of the parts, the one that draws
    text_encoders: tuple[str, ...]
    tokenizers: tuple[str, ...]
    in_file: Mapping[str, tuple[str, str]]  # net to prefix and naming in a single file; or empty
    bundled: Mapping[str, str]  # part to folder in assets/bases, for what a single file lacks
    names: Mapping[str, KeyNames]  # of the parts that adapters go into
    targets: Mapping[str, Mapping[str, str]]  # target set to part to regex of whole module paths
    convolutions: Mapping[str, str]  # part to regex, of those with a kernel of several pixels
    text_width: int  # of what the denoiser reads
    kohya_version: str  # ss_base_model_version
    architecture: str  # modelspec.architecture
    implementation: str  # modelspec.implementation
    shown_as: str  # what A1111 and Forge call it
    resolution_px: int
    batch_size: int
    learning_rate: float  # of a rank about equal to alpha
    guidance: float
    guidance_rescale: float
    trains_text: bool  # whether its users teach the text encoders, too
    text_by_name: bool = False  # its text encoders learn only if `text_encoders` names them
    only_here: bool = False  # no other program has this base
    layout: Literal["kohya", "diffusers"] = "kohya"  # what most other programs read of it
    unknown_to: tuple[str, ...] = ()  # programs that are not known to have this family
    alone: str = ""  # a regex of a tensor that tells a file of the denoiser alone
    alone_naming: str = "transformer"  # a row of `namings.NAMINGS`, for such a file
    predicts: str = ""  # what bases of this row predict; "" is anything
    v2: bool = False  # ss_v2

    def rates(self, config: RunConfig) -> dict[str, float]:
        """The peak rate of each part that is trained; a part at rate 0 is off, and not in it."""
        training, first = config.training, config.training.text_encoder_learning_rate
        rates = {self.denoiser: training.learning_rate}
        for part in self.taught(config):
            second = training.text_encoder_2_learning_rate if self.is_second(part) else 0.0
            rates[part] = second or first
        return {part: rate for part, rate in rates.items() if rate > 0}

    def taught(self, config: RunConfig) -> list[str]:
        """The text encoders that are meant to learn, whatever their rates."""
        which = config.adapter.text_encoders
        if not config.adapter.text_encoder or (which == "usual" and self.text_by_name):
            return []
        able = self.able(config)
        wanted = {"first": able[:1], "second": able[1:]}
        return wanted.get(which, able)

    def is_second(self, part: str) -> bool:
        """Whether a part is the second of the text encoders, which has settings of its own."""
        return part in self.text_encoders[1:]

    def share(self, part: str, training: TrainingConfig) -> float:
        """Of the run, after which a part's weights stand still."""
        if part not in self.text_encoders:
            return 1.0
        second = training.text_encoder_2_share if self.is_second(part) else 0.0
        return second or training.text_encoder_share

    def able(self, config: RunConfig) -> list[str]:
        """The text encoders in which these target sets have layers."""
        places = self.targets.get(config.adapter.targets, {})
        return [part for part in self.text_encoders if part in places]


_UNET_WORDS = frozenset(
    {
        "down_blocks", "up_blocks", "mid_block", "transformer_blocks", "proj_in", "proj_out",
        "to_q", "to_k", "to_v", "to_out", "time_emb_proj", "conv_shortcut", "time_embedding",
        "linear_1", "linear_2", "conv_in", "conv_out", "conv_norm_out", "add_embedding",
        # Stability's own
        "input_blocks", "middle_block", "output_blocks", "in_layers", "out_layers", "emb_layers",
        "skip_connection", "time_embed", "label_emb",
    }
)  # fmt: skip
_UNET_OUTER = frozenset(
    {
        "down_blocks", "up_blocks", "mid_block", "time_embedding", "add_embedding", "conv_in",
        "conv_out", "conv_norm_out",
        # Stability's own
        "input_blocks", "middle_block", "output_blocks", "time_embed", "label_emb", "out",
    }
)  # fmt: skip
_CLIP_WORDS = frozenset(
    {"text_model", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj", "text_projection"}
)
_CLIP_ATTENTION = r".*\.self_attn\.(q_proj|k_proj|v_proj|out_proj)"
_CLIP_LINEAR = rf"{_CLIP_ATTENTION}|.*\.mlp\.fc[12]"
# SDXL reads its first encoder before the last of 12 layers, where an adapter would do nothing.
_ALL_BUT_LAST = r"(?!.*\.layers\.11\.)"
_UNET_ATTENTION = r".*\.attn[12]\.(to_q|to_k|to_v|to_out\.0)"
_UNET_TRANSFORMER = (
    rf"{_UNET_ATTENTION}|.*\.ff\.net\.(0\.proj|2)|.*\.attentions\.\d+\.proj_(in|out)"
)
_UNET_LINEAR = rf"{_UNET_TRANSFORMER}|.*\.time_emb_proj|.*\.conv_shortcut"
_UNET_CONVOLUTIONS = r".*\.resnets\.\d+\.conv[12]|.*\.(down|up)samplers\.0\.conv"

# Targets: attention as in diffusers' scripts, transformer as in kohya's. Style and content of SDXL
# are the two blocks in which B-LoRA found them (arXiv:2403.14572); of Stable Diffusion 1 those at
# the same depth, a quarter of the latents' edge, by analogy alone. Rate: the consensus for
# alpha = rank; Stable Diffusion 1 was trained on 512 px.
SD1 = Facts(
    family="sd1",
    title="Stable Diffusion 1",
    pipeline="StableDiffusionPipeline",
    parts=("tokenizer", "text_encoder", "unet", "vae", "scheduler"),
    denoiser="unet",
    text_encoders=("text_encoder",),
    tokenizers=("tokenizer",),
    in_file={
        "unet": ("model.diffusion_model.", "ldm_unet"),
        "text_encoder": ("cond_stage_model.transformer.", "clip"),
        "vae": ("first_stage_model.", "ldm_vae"),
    },
    bundled={
        "tokenizer": "clip-l",
        "text_encoder": "sd1/text_encoder",
        "unet": "sd1/unet",
        "vae": "sd1/vae",
        "scheduler": "sd1/scheduler",
    },
    names={
        "unet": KeyNames(kohya="lora_unet", diffusers="unet", words=_UNET_WORDS, outer=_UNET_OUTER),
        "text_encoder": KeyNames(
            kohya="lora_te", diffusers="text_encoder", words=_CLIP_WORDS, inside="text_model."
        ),
    },
    targets={
        "attention": {"unet": _UNET_ATTENTION, "text_encoder": _CLIP_ATTENTION},
        "transformer": {"unet": _UNET_TRANSFORMER, "text_encoder": _CLIP_LINEAR},
        "linear": {"unet": _UNET_LINEAR, "text_encoder": _CLIP_LINEAR},
        "style": {"unet": rf"up_blocks\.1\.attentions\.1({_UNET_ATTENTION})"},
        "content": {"unet": rf"up_blocks\.1\.attentions\.0({_UNET_ATTENTION})"},
    },
    convolutions={"unet": _UNET_CONVOLUTIONS},
    text_width=768,
    kohya_version="sd_v1",
    architecture="stable-diffusion-v1/lora",
    implementation="diffusers",
    shown_as="SD1",
    resolution_px=512,
    batch_size=1,
    learning_rate=1e-4,
    guidance=7.0,
    guidance_rescale=0.0,
    trains_text=True,
)

# Stable Diffusion 1's shape with a text encoder of OpenCLIP, of which 23 of 24 layers are read.
# Names and counts are kohya's; style and content are where they are in Stable Diffusion 1.
SD2 = replace(
    SD1,
    family="sd2",
    title="Stable Diffusion 2",
    in_file={**SD1.in_file, "text_encoder": ("cond_stage_model.model.", "open_clip")},
    bundled={
        **SD1.bundled,
        "tokenizer": "open-clip",
        "text_encoder": "sd2/text_encoder",
        "unet": "sd2/unet",
    },
    text_width=1024,
    kohya_version="sd_v2",
    architecture="stable-diffusion-v2-512/lora",
    shown_as="SD2",
    predicts="epsilon",
    v2=True,
)
SD2_V = replace(
    SD2,
    bundled={**SD2.bundled, "unet": "sd2/unet-v"},
    kohya_version="sd_v2_v",
    architecture="stable-diffusion-v2-768-v/lora",
    resolution_px=768,
    predicts="v_prediction",
)

# Names of single files: Stability's generative-models; kohya's and A1111's of the text encoders.
# Its text encoders are left alone by the presets of most trainers (OneTrainer, ai-toolkit).
SDXL = Facts(
    family="sdxl",
    title="Stable Diffusion XL",
    pipeline="StableDiffusionXLPipeline",
    parts=(
        "tokenizer",
        "tokenizer_2",
        "text_encoder",
        "text_encoder_2",
        "unet",
        "vae",
        "scheduler",
    ),
    denoiser="unet",
    text_encoders=("text_encoder", "text_encoder_2"),
    tokenizers=("tokenizer", "tokenizer_2"),
    in_file={
        "unet": ("model.diffusion_model.", "ldm_unet"),
        "text_encoder": ("conditioner.embedders.0.transformer.", "clip"),
        "text_encoder_2": ("conditioner.embedders.1.model.", "open_clip"),
        "vae": ("first_stage_model.", "ldm_vae"),
    },
    bundled={
        "tokenizer": "clip-l",
        "tokenizer_2": "open-clip",
        "text_encoder": "sdxl/text_encoder",
        "text_encoder_2": "sdxl/text_encoder_2",
        "unet": "sdxl/unet",
        "vae": "sdxl/vae",
        "scheduler": "sdxl/scheduler",
    },
    names={
        "unet": KeyNames(
            kohya="lora_unet", diffusers="unet", words=_UNET_WORDS, outer=_UNET_OUTER, sgm=True
        ),
        "text_encoder": KeyNames(
            kohya="lora_te1", diffusers="text_encoder", words=_CLIP_WORDS, inside="text_model."
        ),
        "text_encoder_2": KeyNames(kohya="lora_te2", diffusers="text_encoder_2", words=_CLIP_WORDS),
    },
    targets={
        "attention": {
            "unet": _UNET_ATTENTION,
            "text_encoder": _ALL_BUT_LAST + _CLIP_ATTENTION,
            "text_encoder_2": _CLIP_ATTENTION,
        },
        "transformer": {
            "unet": _UNET_TRANSFORMER,
            "text_encoder": f"{_ALL_BUT_LAST}({_CLIP_LINEAR})",
            "text_encoder_2": _CLIP_LINEAR,
        },
        "linear": {
            "unet": _UNET_LINEAR,
            "text_encoder": f"{_ALL_BUT_LAST}({_CLIP_LINEAR})",
            "text_encoder_2": _CLIP_LINEAR,
        },
        "style": {"unet": rf"up_blocks\.0\.attentions\.1({_UNET_ATTENTION})"},
        "content": {"unet": rf"up_blocks\.0\.attentions\.0({_UNET_ATTENTION})"},
    },
    convolutions={"unet": _UNET_CONVOLUTIONS},
    text_width=2048,
    kohya_version="sdxl_base_v1-0",
    architecture="stable-diffusion-xl-v1-base/lora",
    implementation="https://github.com/Stability-AI/generative-models",
    shown_as="SDXL",
    resolution_px=1024,
    batch_size=1,
    learning_rate=1e-4,
    guidance=7.0,
    guidance_rescale=0.0,
    trains_text=False,
)

_FLUX_WORDS = frozenset(
    {
        "transformer_blocks", "single_transformer_blocks", "to_q", "to_k", "to_v", "to_out",
        "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "ff_context", "norm1_context",
        "norm_out", "proj_mlp", "proj_out", "x_embedder", "context_embedder", "time_text_embed",
        "timestep_embedder", "guidance_embedder", "text_embedder", "linear_1", "linear_2",
        # Black Forest Labs' own
        "double_blocks", "single_blocks", "img_attn", "txt_attn", "img_mlp", "txt_mlp", "img_mod",
        "txt_mod",
    }
)  # fmt: skip
_FLUX_OUTER = frozenset(
    {
        "transformer_blocks", "single_transformer_blocks", "x_embedder", "context_embedder",
        "time_text_embed", "norm_out", "proj_out", "double_blocks", "single_blocks",
    }
)  # fmt: skip
_FLUX_ATTENTION = r".*\.attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)"
_FLUX_TRANSFORMER = rf"{_FLUX_ATTENTION}|.*\.ff(_context)?\.net\.(0\.proj|2)|.*\.proj_(mlp|out)"
_FLUX_LINEAR = rf"{_FLUX_TRANSFORMER}|.*\.norm(1|1_context)?\.linear"

# Attention as in diffusers' script, transformer as in kohya's but for the modulations, which linear
# has, too. No target set of style or content is known. CLIP learns if it is named, as in kohya's
# scripts; T5, which leaves the memory, never.
FLUX = Facts(
    family="flux",
    title="Flux.1",
    pipeline="FluxPipeline",
    parts=(
        "tokenizer",
        "tokenizer_2",
        "text_encoder",
        "text_encoder_2",
        "transformer",
        "vae",
        "scheduler",
    ),
    denoiser="transformer",
    text_encoders=("text_encoder", "text_encoder_2"),
    tokenizers=("tokenizer", "tokenizer_2"),
    in_file={},
    bundled={},
    names={
        "transformer": KeyNames(
            kohya="lora_transformer",
            diffusers="transformer",
            words=_FLUX_WORDS,
            bfl="lora_unet",
            outer=_FLUX_OUTER,
            also=("diffusion_model",),
        ),
        "text_encoder": KeyNames(
            kohya="lora_te1", diffusers="text_encoder", words=_CLIP_WORDS, inside="text_model."
        ),
    },
    targets={
        "attention": {"transformer": _FLUX_ATTENTION, "text_encoder": _CLIP_ATTENTION},
        "transformer": {"transformer": _FLUX_TRANSFORMER, "text_encoder": _CLIP_LINEAR},
        "linear": {"transformer": _FLUX_LINEAR, "text_encoder": _CLIP_LINEAR},
    },
    convolutions={},
    text_width=4096,
    kohya_version="flux1",
    architecture="flux-1-dev/lora",
    implementation="https://github.com/black-forest-labs/flux",
    shown_as="Flux",
    resolution_px=1024,
    batch_size=1,
    learning_rate=1e-4,
    guidance=3.5,
    guidance_rescale=0.0,
    trains_text=False,
    text_by_name=True,
    predicts="flow",
    layout="diffusers",
    unknown_to=("a1111",),
    alone=r"double_blocks\.0\.img_attn\.",
    alone_naming="bfl",
)

# Chroma is Flux.1's code: names and layers are the same, but that it has no modulations to change.
CHROMA = replace(
    FLUX,
    family="chroma",
    title="Chroma",
    pipeline="ChromaPipeline",
    parts=("tokenizer", "text_encoder", "transformer", "vae", "scheduler"),
    text_encoders=("text_encoder",),
    tokenizers=("tokenizer",),
    names={"transformer": FLUX.names["transformer"]},
    targets={
        "attention": {"transformer": _FLUX_ATTENTION},
        "transformer": {"transformer": _FLUX_TRANSFORMER},
        "linear": {"transformer": _FLUX_TRANSFORMER},
    },
    kohya_version="chroma",
    architecture="chroma/lora",
    implementation="https://huggingface.co/lodestones/Chroma1-HD",
    shown_as="Chroma",
    guidance=4.0,
    unknown_to=("a1111", "forge", "invokeai"),
    alone=r"distilled_guidance_layer\.",
)

_SD3_OUTER = frozenset({"transformer_blocks", "context_embedder", "time_text_embed", "proj_out"})
_SD3_ATTENTION = r".*\.attn2?\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)"
_SD3_TRANSFORMER = rf"{_SD3_ATTENTION}|.*\.ff(_context)?\.net\.(0\.proj|2)"
_CLIPS = ("text_encoder", "text_encoder_2")
_BOTH_CLIPS_ATTENTION = dict.fromkeys(_CLIPS, _CLIP_ATTENTION)
_BOTH_CLIPS_LINEAR = dict.fromkeys(_CLIPS, _CLIP_LINEAR)

# The size is 3.5's. InvokeAI reads no adapters of it. Its CLIPs learn if they are named; both are
# read before their last layer, and their summaries after it. diffusers' names are all transformers'
# own: a net with a projection has kept CLIP's `text_model`.
SD3 = replace(
    FLUX,
    family="sd3",
    title="Stable Diffusion 3",
    pipeline="StableDiffusion3Pipeline",
    parts=(
        "tokenizer",
        "tokenizer_2",
        "tokenizer_3",
        "text_encoder",
        "text_encoder_2",
        "text_encoder_3",
        "transformer",
        "vae",
        "scheduler",
    ),
    text_encoders=("text_encoder", "text_encoder_2", "text_encoder_3"),
    tokenizers=("tokenizer", "tokenizer_2", "tokenizer_3"),
    names={
        "transformer": KeyNames(
            kohya="lora_transformer",
            diffusers="transformer",
            words=_FLUX_WORDS,
            outer=_SD3_OUTER,
        ),
        "text_encoder": KeyNames(kohya="lora_te1", diffusers="text_encoder", words=_CLIP_WORDS),
        "text_encoder_2": KeyNames(kohya="lora_te2", diffusers="text_encoder_2", words=_CLIP_WORDS),
    },
    targets={
        "attention": {"transformer": _SD3_ATTENTION, **_BOTH_CLIPS_ATTENTION},
        "transformer": {"transformer": _SD3_TRANSFORMER, **_BOTH_CLIPS_LINEAR},
        "linear": {
            "transformer": rf"{_SD3_TRANSFORMER}|.*\.norm1(_context)?\.linear",
            **_BOTH_CLIPS_LINEAR,
        },
    },
    kohya_version="sd3",
    architecture="stable-diffusion-v3.5-large/lora",
    implementation="https://github.com/Stability-AI/sd3.5",
    shown_as="SD3",
    guidance=4.5,
    unknown_to=("a1111", "forge", "invokeai"),
    alone=r"joint_blocks\.0\.",
    alone_naming="transformer",
)

_FLUX2_ATTENTION = (
    r"transformer_blocks\.\d+\.attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)"
    r"|single_transformer_blocks\.\d+\.attn\.(to_qkv_mlp_proj|to_out)"
)
_FLUX2_TRANSFORMER = rf"{_FLUX2_ATTENTION}|.*\.ff(_context)?\.linear_(in|out)"

# A single block's attention and MLP are one layer. Modulations are shared by all blocks, and left.
FLUX2 = replace(
    FLUX,
    family="flux2",
    title="Flux.2 klein",
    pipeline="Flux2KleinPipeline",
    parts=("tokenizer", "text_encoder", "transformer", "vae", "scheduler"),
    text_encoders=("text_encoder",),
    tokenizers=("tokenizer",),
    names={
        "transformer": KeyNames(
            kohya="lora_transformer",
            diffusers="transformer",
            words=_FLUX_WORDS | {"to_qkv_mlp_proj", "linear_in", "linear_out"},
            outer=frozenset({"transformer_blocks", "single_transformer_blocks"}),
            also=("diffusion_model",),
        ),
    },
    targets={
        "attention": {"transformer": _FLUX2_ATTENTION},
        "transformer": {"transformer": _FLUX2_TRANSFORMER},
        "linear": {"transformer": _FLUX2_TRANSFORMER},
    },
    kohya_version="flux2",
    architecture="flux-2-klein/lora",
    implementation="https://github.com/black-forest-labs/flux2",
    shown_as="Flux.2",
    guidance=4.0,
    unknown_to=("a1111", "forge"),
    alone=r"single_stream_modulation\.",
    alone_naming="transformer",
)

_ZIMAGE_WORDS = frozenset(
    {
        "noise_refiner", "context_refiner", "to_q", "to_k", "to_v", "to_out", "feed_forward",
        "adaLN_modulation",
    }
)  # fmt: skip
_ZIMAGE_ATTENTION = r".*\.attention\.(to_[qkv]|to_out\.0)"
_ZIMAGE_TRANSFORMER = rf"{_ZIMAGE_ATTENTION}|.*\.feed_forward\.w[123]"

# LyCORIS' names in kohya's form, which ComfyUI knows. Turbo is drawn in 8 steps at guidance 0.
ZIMAGE = Facts(
    family="zimage",
    title="Z-Image",
    pipeline="ZImagePipeline",
    parts=("tokenizer", "text_encoder", "transformer", "vae", "scheduler"),
    denoiser="transformer",
    text_encoders=("text_encoder",),
    tokenizers=("tokenizer",),
    in_file={},
    bundled={},
    names={
        "transformer": KeyNames(
            kohya="lycoris",
            diffusers="transformer",
            words=_ZIMAGE_WORDS,
            outer=frozenset({"layers", "noise_refiner", "context_refiner"}),
            also=("diffusion_model",),
        ),
    },
    targets={
        "attention": {"transformer": _ZIMAGE_ATTENTION},
        "transformer": {"transformer": _ZIMAGE_TRANSFORMER},
        "linear": {"transformer": rf"{_ZIMAGE_TRANSFORMER}|.*\.adaLN_modulation\.0"},
    },
    convolutions={},
    text_width=2560,
    kohya_version="zimage",
    architecture="z-image/lora",
    implementation="https://github.com/Tongyi-MAI/Z-Image",
    shown_as="Z-Image",
    resolution_px=1024,
    batch_size=1,
    learning_rate=1e-4,
    guidance=4.0,
    guidance_rescale=0.0,
    trains_text=False,
    predicts="flow",
    layout="diffusers",
    unknown_to=("a1111", "forge"),
    alone=r"context_refiner\.0\.",
)

_QWEN_ATTENTION = r".*\.attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)"
_QWEN_TRANSFORMER = rf"{_QWEN_ATTENTION}|.*\.(img|txt)_mlp\.net\.(0\.proj|2)"

QWEN_IMAGE = replace(
    ZIMAGE,
    family="qwen-image",
    title="Qwen-Image",
    pipeline="QwenImagePipeline",
    names={
        "transformer": KeyNames(
            kohya="lycoris",
            diffusers="transformer",
            words=_FLUX_WORDS | {"txt_norm", "img_in", "txt_in"},
            outer=frozenset({"transformer_blocks"}),
            also=("diffusion_model",),
        ),
    },
    targets={
        "attention": {"transformer": _QWEN_ATTENTION},
        "transformer": {"transformer": _QWEN_TRANSFORMER},
        "linear": {"transformer": rf"{_QWEN_TRANSFORMER}|.*\.(img|txt)_mod\.1"},
    },
    text_width=3584,
    kohya_version="qwen_image",
    architecture="qwen-image/lora",
    implementation="https://github.com/QwenLM/Qwen-Image",
    shown_as="Qwen-Image",
    alone=r"transformer_blocks\.0\.img_mlp\.",
)

_KREA_BLOCK = r"(transformer_blocks|text_fusion\.\w+_blocks)\.\d+"
_KREA_ATTENTION = rf"{_KREA_BLOCK}\.attn\.(to_[qkv]|to_out\.0)"
_KREA_TRANSFORMER = rf"{_KREA_ATTENTION}|{_KREA_BLOCK}\.(attn\.to_gate|ff\.(gate|up|down))"

# With what reads the text: InvokeAI takes an adapter without it for one of Qwen-Image.
KREA2 = replace(
    QWEN_IMAGE,
    family="krea2",
    title="Krea 2",
    pipeline="Krea2Pipeline",
    names={
        "transformer": KeyNames(
            kohya="lycoris",
            diffusers="transformer",
            words=_FLUX_WORDS | {"to_gate", "text_fusion", "layerwise_blocks", "refiner_blocks"},
            outer=frozenset({"transformer_blocks", "text_fusion"}),
            also=("diffusion_model",),
        ),
    },
    targets={
        "attention": {"transformer": _KREA_ATTENTION},
        "transformer": {"transformer": _KREA_TRANSFORMER},
        "linear": {"transformer": _KREA_TRANSFORMER},
    },
    text_width=2560,
    kohya_version="krea2",
    architecture="krea-2/lora",
    implementation="https://github.com/krea-ai/krea-2",
    shown_as="Krea 2",
    guidance=4.5,
    alone=r"txtfusion\.",
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

FLOW = "flow"
FAMILIES = (SD1, SD2, SD2_V, SDXL, FLUX, CHROMA, SD3, FLUX2, ZIMAGE, QWEN_IMAGE, KREA2)
TITLES = tuple(dict.fromkeys(facts.title for facts in FAMILIES))


def that_predicts(facts: Facts, prediction: str) -> Facts:
    """The row of the same family for bases that predict this; `facts` where there is none."""
    rows = (row for row in FAMILIES if row.family == facts.family and row.predicts == prediction)
    return next(rows, facts)
