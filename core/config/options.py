"""The options of a run as frozen structs: bounds and texts stand in the types."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.config.optimizers import OPTIMIZERS

DEMO_BASE = "demo"  # the value of RunConfig.base that stands for the shipped model
SCHEMA = 1  # raise on a rename or removal; a new field with a default is compatible

Edge = Annotated[int, Meta(ge=64, le=4096, description="Edge of a square of the same area, px.")]
Steps = Annotated[int, Meta(ge=1, le=999_999, description="Optimizer steps of the whole run.")]
BatchSize = Annotated[int, Meta(ge=1, le=256, description="Pictures in one step.")]
LearningRate = Annotated[float, Meta(ge=0, le=10, description="Peak learning rate; 0 is off.")]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1, description="Every random number comes from it.")]
Share = Annotated[float, Meta(ge=0, lt=1, description="A share, 0 to 1.")]
Rank = Annotated[int, Meta(ge=1, le=512, description="Inner width r of the pair A, B.")]
Alpha = Annotated[float, Meta(gt=0, description="The update is scaled by alpha / rank.")]
Minutes = Annotated[float, Meta(ge=0, le=10_000, description="Between two; 0 is never.")]
Optimizer = Literal[
    "adamw", "adamw8", "paged_adamw8", "adafactor", "lion", "prodigy", "schedule_free", "came"
]
Schedule = Literal["constant", "linear", "cosine", "restarts", "polynomial", "rex"]
Told = Literal["auto", "epsilon", "v_prediction", "v_zero_snr"]  # what a base model predicts
Every = Annotated[int, Meta(ge=0, description="In steps; 0 is only at the end.")]
Kind = Literal["lora", "dora", "loha", "lokr", "oft"]
Tiles = Literal["auto", "always", "never"]  # whether pictures go through the VAE in pieces
Targets = Literal["attention", "transformer", "linear", "style", "content"]
Held = Literal["whole", "int8", "nf4", "int8_weights", "fp8"]
Encoders = Literal["usual", "first", "second", "both"]


class DatasetConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the pictures are and how they are read."""

    folders: tuple[str, ...] = ("images",)  # relative to the project, or absolute
    resolution_px: Edge = 512
    more_resolutions_px: tuple[Edge, ...] = ()  # learnt from besides, each picture at each
    flip: bool = False  # each picture mirrored, too; not where left and right mean something
    folder_repeats: bool = False  # pictures in a folder 10_name come ten times as often
    balance_folders: bool = False  # each folder counts alike, however many pictures it holds
    masks: Literal["none", "files", "alpha"] = "none"  # learn only where name-masklabel.png is
    # white, or the picture opaque
    unmasked: Share = 0.0  # what the rest of it still counts
    class_folder: str = ""  # pictures that stay as they are, told without the trigger, as often
    # as the others (prior preservation, arXiv:2208.12242)
    class_weight: Annotated[float, Meta(ge=0, le=10)] = 1.0  # of their loss
    trigger: str = ""  # put before every caption that lacks it
    prefix: str = ""  # put before every caption, after the trigger
    suffix: str = ""  # put after every caption
    caption_lines: Literal["joined", "one"] = "joined"  # one: each line is a caption of its own
    shuffle_tags: bool = False  # what stands between commas, anew in each step
    keep_tags: Annotated[int, Meta(ge=0, le=1000)] = 0  # the first so many stay in place
    tag_dropout: Share = 0.0  # of the others, left out of a step's caption
    wildcards: bool = False  # of {red|blue} in a caption each step tells one
    held_out: Share = 0.0  # of the pictures, kept out of training to judge it by
    caption_dropout: Share = 0.05  # share of captions left empty, for guidance to work


class AdapterConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trainable part: by default LoRA on the attention layers."""

    kind: Kind = "lora"
    rank: Rank = 16  # of OFT the edge of its blocks
    alpha: Alpha = 16.0
    rank_stabilized: bool = False  # alpha / sqrt(rank) instead (rsLoRA, arXiv:2312.03732)
    init: Literal["usual", "pissa", "olora"] = "usual"  # arXiv:2404.02948, arXiv:2406.01775
    dora_norm: Literal["input", "output"] = "input"  # what ComfyUI and A1111 read, or diffusers
    dropout: Share = 0.0  # of what goes into the adapter; of OFT of its blocks
    rank_dropout: Share = 0.0  # of the rows of a LoHa or LoKr
    module_dropout: Share = 0.0  # of a LoHa or LoKr as a whole
    targets: Targets = "attention"
    pattern: str = ""  # a regex of whole module paths of the denoiser, in place of targets
    conv_rank: Annotated[int, Meta(ge=0, le=512)] = 0  # on convolutions besides; 0 is none
    conv_alpha: Alpha = 1.0
    text_encoder: bool = True  # train the text encoders, too
    text_encoders: Encoders = "usual"  # which of them; the usual are none of Flux.1's and SD 3's
    text_rank: Annotated[int, Meta(ge=0, le=512)] = 0  # of the text encoders; 0 is the same
    text_rank_2: Annotated[int, Meta(ge=0, le=512)] = 0  # of the second; 0 is that of the first
    start: str = ""  # an adapter file to go on from: its kind, ranks and layers count

    def __post_init__(self) -> None:
        for wrong, words in (
            (self.init != "usual" and self.kind != "lora", f"init = {self.init} needs kind = lora"),
            (
                (self.rank_dropout or self.module_dropout) and self.kind not in ("loha", "lokr"),
                "rank_dropout and module_dropout need kind = loha or lokr",
            ),
            (
                self.dropout and self.kind in ("loha", "lokr"),
                f"a {self.kind} has no dropout: take rank_dropout or module_dropout",
            ),
            (
                self.rank_stabilized and self.kind == "oft",
                "rank_stabilized means nothing to an oft, which has no alpha",
            ),
            (
                self.conv_rank and self.kind == "oft",
                "an oft leaves convolutions out: conv_rank = 0",
            ),
        ):
            if wrong:
                raise ValueError(words)
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from error


class TrainingConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the adapter is trained."""

    steps: Steps = 1500
    batch_size: BatchSize = 1
    learning_rate: LearningRate = 1e-4
    text_encoder_learning_rate: LearningRate = 5e-5
    text_encoder_2_learning_rate: LearningRate = 0.0  # of the second; 0 is that of the first
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "cosine"
    schedule_cycles: Annotated[int, Meta(ge=1, le=100)] = 3  # of restarts
    schedule_power: Annotated[float, Meta(gt=0, le=10)] = 2.0  # of polynomial
    warmup_steps: Annotated[int, Meta(ge=0)] = 0
    average: Share = 0.0  # of the adapter's average (EMA) that a step keeps; 0 is no average
    weight_decay: Annotated[float, Meta(ge=0, le=1)] = 0.01
    max_grad_norm: Annotated[float, Meta(gt=0)] = 1.0
    up_rate_factor: Annotated[float, Meta(ge=1, le=100)] = 1.0  # of B's rate (LoRA+, 2402.12354)
    max_weight_norm: Annotated[float, Meta(ge=0)] = 0.0  # of each change, as kohya has it; 0: none
    text_encoder_share: Annotated[float, Meta(gt=0, le=1)] = 1.0  # of the run, then it stays
    text_encoder_2_share: Annotated[float, Meta(ge=0, le=1)] = 0.0  # of the second; 0: the first's
    loss: Literal["squared", "huber"] = "squared"
    huber_c: Annotated[float, Meta(gt=0, le=10)] = 0.1  # differences above it pull less
    min_snr_gamma: Annotated[float, Meta(ge=0)] = 0.0  # 0 is off (arXiv:2303.09556)
    prior_share: Share = 0.0  # of the pictures, told without the trigger, where the base's own
    # answer is to stay
    debiased: bool = False  # more weight on noisy times (arXiv:2310.08442)
    measure_every: Every = 50  # the pictures held out
    patience: Annotated[int, Meta(ge=0, le=1000)] = 0  # measurements without a better one, after
    # which the run stops; 0 is never
    on_divergence: Literal["stop", "go_back"] = "stop"  # go_back: to the last checkpoint, at half
    # the rate
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    base_precision: Held = "whole"  # of the frozen base (QLoRA)
    stream_base: bool = False  # its blocks lie in the main memory, and are on the GPU while they
    # compute; implies recompute
    offload_activations: bool = False  # what is kept for the way back lies in the main memory
    recompute: bool = False  # blocks are computed anew on the way back (gradient checkpointing)
    compile: bool = False  # the blocks, by torch.compile: other last digits
    vae_tiles: Tiles = "auto"  # large pictures through the VAE in pieces; auto: where the memory
    # would not do otherwise
    seed: Seed = 0
    checkpoint_every: Every = 250
    checkpoint_minutes: Minutes = 5.0  # besides; the first one comes after one
    keep_checkpoints: Annotated[int, Meta(ge=1)] = 2

    def __post_init__(self) -> None:
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"warmup_steps must be below steps, got {self.warmup_steps} of {self.steps}"
            )
        if self.stream_base and self.base_precision == "int8":
            raise ValueError(
                "stream_base cannot move a base that is held in int8: set base_precision to nf4 or "
                "whole"
            )
        if self.stream_base and self.compile:
            raise ValueError(
                "stream_base moves the blocks' weights, which compile holds on to: set one of the "
                "two to false"
            )
        if self.debiased and self.min_snr_gamma:
            raise ValueError("debiased and min_snr_gamma are two weights for one thing: set one")
        row = OPTIMIZERS[self.optimizer]
        if row.averages and (self.average or self.schedule != "constant"):
            raise ValueError(
                f"{row.title} averages its steps: set schedule to constant, and average to 0"
            )
        text_rates = {self.text_encoder_learning_rate, self.text_encoder_2_learning_rate}
        if row.finds_rate and (
            text_rates - {0, self.learning_rate}
            or self.up_rate_factor != 1
            or self.text_encoder_share != 1
            or self.text_encoder_2_share not in (0, 1)
        ):
            raise ValueError(
                f"{row.title} has one rate for all that learns: set text_encoder_learning_rate and "
                f"text_encoder_2_learning_rate to 0 or {self.learning_rate:g}, up_rate_factor, "
                "text_encoder_share and text_encoder_2_share to 1"
            )


class NoiseConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How noisy the pictures are that a run learns from, and what their noise is like.

    Where on the path from picture (0) to noise (1) is drawn as the base was made, unless said
    otherwise. Formulas and sources: core/diffusion/path.py and noise.py.
    """

    times: Literal["auto", "even", "logit_normal"] = "auto"
    logit_mean: Annotated[float, Meta(ge=-10, le=10)] = 0.0  # of logit_normal; above 0: more noise
    logit_spread: Annotated[float, Meta(gt=0, le=10)] = 1.0
    shift: Annotated[float, Meta(ge=0, le=100)] = 0.0  # towards noise; 1 is none, 0 the base's own
    first: Share = 0.0  # of the path; nothing before it is learnt from
    last: Annotated[float, Meta(gt=0, le=1)] = 1.0  # nor after it
    offset: Annotated[float, Meta(ge=0, le=1)] = 0.0  # moves whole channels: very dark and bright
    pyramid: Share = 0.0  # of each coarser level in the noise (multi-resolution); 0 is none
    perturbation: Annotated[float, Meta(ge=0, le=1)] = 0.0  # in the picture alone (2301.11706)

    def __post_init__(self) -> None:
        if self.last <= self.first:
            raise ValueError(f"last must be above first, got {self.last:g} and {self.first:g}")


class PreviewConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pictures drawn while training: same prompts and seeds at every step."""

    prompts: tuple[str, ...] = ()
    every: Every = 250
    inference_steps: Annotated[int, Meta(ge=1, le=200)] = 25
    guidance: Annotated[float, Meta(ge=1, le=30)] = 7.0
    guidance_rescale: Annotated[float, Meta(ge=0, le=1)] = 0.0
    seed: Seed = 1


class RunConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole run. `project.toml` holds the next one, `run.toml` one that was started."""

    schema: int = SCHEMA
    name: str
    base: str  # a folder or file: absolute, or relative to the project; or DEMO_BASE
    vae: str = ""  # another VAE than the base's own, in the same way
    rest: str = ""  # a folder for what a base that is a transformer alone lacks
    texts: tuple[str, ...] = ()  # files of text encoders, in place of the base's own
    prediction: Told = "auto"  # auto is what the base's files say
    dataset: DatasetConfig = DatasetConfig()
    adapter: AdapterConfig = AdapterConfig()
    training: TrainingConfig = TrainingConfig()
    noise: NoiseConfig = NoiseConfig()
    preview: PreviewConfig = PreviewConfig()

    def __post_init__(self) -> None:
        if self.training.max_weight_norm and (
            self.adapter.kind == "oft" or self.adapter.init != "usual"
        ):
            raise ValueError(
                "training.max_weight_norm fits neither adapter.kind = oft nor an adapter.init of "
                "its own: set it to 0"
            )
        if self.training.prior_share and not self.dataset.trigger:
            raise ValueError(
                "training.prior_share needs a word that calls the style: set dataset.trigger"
            )
        if self.training.base_precision == "nf4" and self.adapter.kind in ("loha", "lokr"):
            raise ValueError(
                f"a {self.adapter.kind} needs the base's weights whole or in int8, not in nf4: set "
                "training.base_precision to int8"
            )
