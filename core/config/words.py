"""What every option of a run is called, and what there is to know of it, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import msgspec.inspect

from core.config.optimizers import OPTIMIZERS
from core.config.options import RunConfig

Kind = Literal["whole", "number", "yes_no", "choice", "text", "wholes", "texts"]


@dataclass(frozen=True, slots=True)
class Words:
    """An option as it is shown."""

    title: str
    sentence: str
    choices: Mapping[str, str] = field(default_factory=dict)  # of its values, in words
    rate: bool = False  # stepped by factors


@dataclass(frozen=True, slots=True)
class Bounds:
    """What values an option can have; `least` and `most` of numbers, both included."""

    kind: Kind
    least: float = float("-inf")
    most: float = float("inf")
    values: tuple[str, ...] = ()


GROUPS: Mapping[str, Mapping[str, Words]] = {
    "Pictures": {
        "dataset.resolution_px": Words(
            "Resolution", "The edge of a square picture, px; others have its area."
        ),
        "dataset.more_resolutions_px": Words(
            "Further resolutions", "Each picture is learnt at these, too: 768, 1024."
        ),
        "dataset.flip": Words(
            "Mirrored, too", "Twice the pictures; not where left and right mean something."
        ),
        "dataset.folder_repeats": Words(
            "Repeats by folder", "Pictures in a folder 10_name come ten times as often."
        ),
        "dataset.balance_folders": Words(
            "Balance folders", "Each folder counts alike, however many pictures it holds."
        ),
        "dataset.masks": Words(
            "Masks",
            "Learn only where name-masklabel.png is white, or the picture opaque.",
            {"none": "None", "files": "Mask files", "alpha": "Transparency"},
        ),
        "dataset.class_folder": Words(
            "Class pictures",
            "A folder of others that are to stay: learnt beside yours, without the trigger word.",
        ),
        "dataset.class_weight": Words("Weight of those", "Of what they teach, beside yours."),
        "dataset.unmasked": Words("Outside the mask", "What the rest still counts, 0 to 1."),
        "dataset.held_out": Words(
            "Held out", "A share that is not learnt from, to tell when it overfits: 0.1 is a tenth."
        ),
        "training.measure_every": Words("Measure every", "Steps between two looks at those."),
        "training.patience": Words(
            "Patience", "Stop after so many looks without a better one; 0 is never."
        ),
    },
    "Captions": {
        "dataset.prefix": Words("Prefix", "Put before every caption, after the trigger word."),
        "dataset.suffix": Words("Suffix", "Put after every caption."),
        "dataset.caption_lines": Words(
            "Lines",
            "Whether a caption file holds one caption, or one a line to choose from.",
            {"joined": "One caption", "one": "A caption each"},
        ),
        "dataset.shuffle_tags": Words(
            "Shuffle tags", "What stands between commas comes in another order at each step."
        ),
        "dataset.keep_tags": Words("Tags that stay", "So many at the front are never moved."),
        "dataset.tag_dropout": Words("Leave tags out", "A share of the others, 0 to 1."),
        "dataset.wildcards": Words(
            "Choices in captions", "Of {red|blue} in a caption each step tells one."
        ),
        "dataset.caption_dropout": Words(
            "Leave captions out", "A share of all, 0 to 1, so that guidance works."
        ),
    },
    "Adapter": {
        "adapter.kind": Words(
            "Kind",
            "What is trained.",
            {
                "lora": "LoRA",
                "dora": "DoRA",
                "loha": "LoHa",
                "lokr": "LoKr",
                "oft": "OFT",
            },
        ),
        "adapter.rank": Words("Rank", "How much it can hold; of an OFT the edge of its blocks."),
        "adapter.alpha": Words("Alpha", "Its strength is alpha / rank."),
        "adapter.rank_stabilized": Words("Rank-stabilised", "Strength is alpha / sqrt(rank)."),
        "adapter.init": Words(
            "Begins as",
            "Nothing, or the strongest part of the model's weights.",
            {
                "usual": "Nothing",
                "pissa": "PiSSA",
                "olora": "OLoRA",
            },
        ),
        "adapter.dora_norm": Words(
            "DoRA's norm",
            "Of inputs for ComfyUI and A1111; of outputs for diffusers.",
            {
                "input": "Inputs",
                "output": "Outputs",
            },
        ),
        "adapter.targets": Words(
            "Layers",
            "Which layers learn.",
            {
                "attention": "Attention",
                "transformer": "And feed-forward",
                "linear": "All linear",
                "style": "Style block",
                "content": "Content block",
            },
        ),
        "adapter.pattern": Words(
            "Layers by pattern", "A regular expression of their paths, in place of that."
        ),
        "adapter.conv_rank": Words("Rank of convolutions", "0 leaves them out."),
        "adapter.conv_alpha": Words(
            "Alpha of convolutions", "Their strength is this / their rank."
        ),
        "adapter.dropout": Words("Dropout", "Of what goes into it, 0 to 1."),
        "adapter.rank_dropout": Words("Rank dropout", "Of the rows of a LoHa or LoKr, 0 to 1."),
        "adapter.module_dropout": Words("Module dropout", "Of a LoHa or LoKr as a whole, 0 to 1."),
        "training.max_weight_norm": Words(
            "Largest change", "A cap on each layer's norm; 0 is none."
        ),
        "training.average": Words(
            "Average (EMA)", "What of it a step keeps: 0.99. It is drawn with and exported."
        ),
    },
    "Text encoders": {
        "adapter.text_encoder": Words("Train them", "Where the model's users do."),
        "adapter.text_encoders": Words(
            "Which",
            "The first is CLIP-L, the second OpenCLIP's; usual are none of Flux.1 and SD 3.",
            {
                "usual": "The usual",
                "first": "The first",
                "second": "The second",
                "both": "Both",
            },
        ),
        "adapter.text_rank": Words("Their rank", "0 is that of the others."),
        "adapter.text_rank_2": Words("The second's rank", "0 is that of the first."),
        "training.text_encoder_learning_rate": Words(
            "Their learning rate", "0 leaves them alone.", rate=True
        ),
        "training.text_encoder_2_learning_rate": Words(
            "The second's rate", "0 is that of the first.", rate=True
        ),
        "training.text_encoder_share": Words(
            "Until", "A share of the run, 0 to 1; then they rest."
        ),
        "training.text_encoder_2_share": Words(
            "The second until", "A share of the run, 0 to 1; 0 is that of the first."
        ),
    },
    "Learning": {
        "training.steps": Words("Steps", "Of the whole run."),
        "training.batch_size": Words("Batch size", "Pictures in a step."),
        "training.learning_rate": Words("Learning rate", "At its peak.", rate=True),
        "training.optimizer": Words(
            "Optimizer", "", {n: row.title for n, row in OPTIMIZERS.items()}
        ),
        "training.schedule": Words(
            "Schedule",
            "How the rate falls.",
            {
                "constant": "Constant",
                "linear": "Linear",
                "cosine": "Cosine",
                "restarts": "Cosine, restarted",
                "polynomial": "Polynomial",
                "rex": "REX",
            },
        ),
        "training.schedule_cycles": Words("Restarts", "Of the restarted cosine: so many rounds."),
        "training.schedule_power": Words("Power", "Of the polynomial."),
        "training.warmup_steps": Words("Warm-up", "Steps in which the rate rises."),
        "training.up_rate_factor": Words(
            "LoRA+", "B learns so many times as fast as A; 16 is its authors'."
        ),
        "training.weight_decay": Words("Weight decay", "Pulls towards nothing."),
        "training.on_divergence": Words(
            "If it diverges",
            "Go back to the last checkpoint, and on at half the rate.",
            {"stop": "Stop", "go_back": "Go back"},
        ),
        "training.max_grad_norm": Words("Clip gradients", "At this norm."),
        "training.seed": Words("Seed", "Every random number comes from it."),
    },
    "Loss": {
        "training.loss": Words(
            "Loss",
            "Huber's lets what fits nothing else pull less.",
            {
                "squared": "Squared",
                "huber": "Huber",
            },
        ),
        "training.huber_c": Words("Huber's c", "Differences above it pull less."),
        "training.min_snr_gamma": Words("Min-SNR gamma", "5 is its authors'; 0 is off."),
        "training.prior_share": Words(
            "Keep the rest",
            "A share of the pictures without the trigger word, as the model draws them itself.",
        ),
        "training.debiased": Words("Debiased", "More weight on noisy times."),
    },
    "Noise": {
        "noise.times": Words(
            "Times",
            "How noisy pictures are made.",
            {
                "auto": "The model's own",
                "even": "Even",
                "logit_normal": "Logit-normal",
            },
        ),
        "noise.logit_mean": Words("Mean", "Of logit-normal times; above 0 is noisier."),
        "noise.logit_spread": Words("Spread", "Of logit-normal times."),
        "noise.shift": Words("Shift", "Towards noise; 1 is none, 0 the model's own."),
        "noise.first": Words("From", "A share of the way to noise; nothing below is learnt from."),
        "noise.last": Words("To", "A share of the way to noise; nothing above is learnt from."),
        "noise.offset": Words("Noise offset", "For very dark and bright pictures: 0.05."),
        "noise.pyramid": Words("Multi-resolution noise", "Coarser noise besides: 0.3."),
        "noise.perturbation": Words("Input perturbation", "More noise than is asked for: 0.1."),
    },
    "Memory and speed": {
        "training.precision": Words(
            "Precision",
            "Of what is computed.",
            {
                "auto": "What the device is fast in",
                "float32": "float32",
                "bfloat16": "bfloat16",
                "float16": "float16",
            },
        ),
        "training.recompute": Words(
            "Compute blocks anew", "Far less memory, a third slower; flow models always do."
        ),
        "training.compile": Words(
            "Compile",
            "Faster steps after a minute or more of compiling; the last digits differ.",
        ),
        "training.offload_activations": Words(
            "Activations in the main memory",
            "What is kept for the way back leaves a GPU until then; slower, the same result.",
        ),
        "training.stream_base": Words(
            "Base model in the main memory",
            "Its blocks are on a GPU while they compute; far less memory, much slower, the same.",
        ),
        "training.vae_tiles": Words(
            "Large pictures in pieces",
            "Encoded and drawn with less memory, above 512 px; a little less exact.",
            {"auto": "Where the memory is too small", "always": "Always", "never": "Never"},
        ),
        "training.base_precision": Words(
            "Base model held in",
            "Fewer bits need less memory and more time.",
            {
                "whole": "Whole",
                "int8": "8 bits",
                "nf4": "4 bits (nf4)",
                "int8_weights": "8 bits, weights alone",
                "fp8": "8 bits (fp8)",
            },
        ),
    },
    "Checkpoints": {
        "training.checkpoint_every": Words("Every", "Steps; 0 is only at the end."),
        "training.checkpoint_minutes": Words("Besides, every", "Minutes; 0 is never."),
        "training.keep_checkpoints": Words("Keep", "The newest so many."),
    },
    "Previews": {
        "preview.every": Words("Every", "Steps; 0 is only at the end."),
        "preview.inference_steps": Words("Steps of a picture", "More are finer, and take longer."),
        "preview.guidance": Words("Guidance", "How closely a picture follows its prompt."),
        "preview.guidance_rescale": Words("Guidance rescale", "Against burnt colours, 0 to 1."),
        "preview.seed": Words("Seed", "The same pictures at every step."),
    },
}
ELSEWHERE = frozenset(  # what a window shows in another way
    {
        "schema", "name", "base", "vae", "rest", "texts", "prediction", "dataset.folders",
        "dataset.trigger", "adapter.start", "preview.prompts",
    }
)  # fmt: skip
_EXCLUDED = 1e-6  # what a bound that is not itself allowed is moved by


@cache
def bounds() -> Mapping[str, Bounds]:
    """Of every option, by its dotted path."""
    return dict(_bounds(msgspec.inspect.type_info(RunConfig), ""))


def _bounds(struct: Any, prefix: str) -> list[tuple[str, Bounds]]:  # noqa: ANN401 - of msgspec
    found = []
    for option in struct.fields:
        path = prefix + option.name
        if isinstance(option.type, msgspec.inspect.StructType):
            found += _bounds(option.type, path + ".")
        else:
            found.append((path, _bounds_of(option.type)))
    return found


def _bounds_of(kind: Any) -> Bounds:  # noqa: ANN401 - of msgspec
    if isinstance(kind, msgspec.inspect.Metadata):
        return _bounds_of(kind.type)
    match kind:
        case msgspec.inspect.BoolType():
            return Bounds("yes_no")
        case msgspec.inspect.LiteralType(values=values):
            return Bounds("choice", values=tuple(map(str, values)))
        case msgspec.inspect.IntType():
            return Bounds("whole", *_range(kind))
        case msgspec.inspect.FloatType():
            return Bounds("number", *_range(kind))
        case msgspec.inspect.VarTupleType(item_type=item):
            inner = _bounds_of(item)
            several: Kind = "wholes" if inner.kind == "whole" else "texts"
            return Bounds(several, inner.least, inner.most)
        case _:
            return Bounds("text")


def _range(kind: Any) -> tuple[float, float]:  # noqa: ANN401 - of msgspec
    least = kind.gt + _EXCLUDED if kind.gt is not None else kind.ge
    most = kind.lt - _EXCLUDED if kind.lt is not None else kind.le
    return (float("-inf") if least is None else least, float("inf") if most is None else most)
