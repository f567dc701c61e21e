"""Published models of which a file has the transformer alone: the small files that go with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.base.configs import read_json
from core.base.value import BUNDLED, CONFIG_NAMES, Base

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from core.base.single_file import Header
    from core.config.facts import Facts


@dataclass(frozen=True, slots=True)
class Published:
    """A model of a family, told by the shapes of its transformer."""

    family: str
    blocks: Mapping[str, int]  # what comes how many times
    shapes: Mapping[str, tuple[int, ...]]
    folders: Mapping[str, str]  # of each part, in assets/bases
    without: tuple[str, ...] = field(default=())  # tensors that its files have not

    def fits(self, header: Header, prefix: str) -> bool:
        """Whether a file holds its transformer, under names that begin so."""
        if any(header.shapes.get(prefix + n) != shape for n, shape in self.shapes.items()):
            return False
        if any(prefix + name in header.shapes for name in self.without):
            return False
        return all(_count(header, prefix + stem) == count for stem, count in self.blocks.items())


def _count(header: Header, stem: str) -> int:
    number = re.compile(re.escape(stem) + r"\.(\d+)\.")
    return len({found[1] for name in header.shapes if (found := number.match(name))})


_QWEN = "qwen2"
_FLUX = {
    "tokenizer": "clip-l",
    "tokenizer_2": "t5",
    "text_encoder": "sdxl/text_encoder",
    "text_encoder_2": "t5",
    "vae": "flux/vae",
}
_SD3 = {
    "tokenizer": "clip-l",
    "tokenizer_2": "open-clip",
    "tokenizer_3": "t5",
    "text_encoder": "sdxl/text_encoder",
    "text_encoder_2": "sdxl/text_encoder_2",
    "text_encoder_3": "t5",
    "vae": "sd3/vae",
    "scheduler": "flow/shift-3",
}
_FLUX_BLOCKS = {"double_blocks": 19, "single_blocks": 38}
_GUIDED = "guidance_in.in_layer.weight"
_NORMS = "joint_blocks.0.x_block.attn.ln_q.weight"
PUBLISHED = (
    Published(  # Flux.1 dev
        "flux",
        _FLUX_BLOCKS,
        {"img_in.weight": (3072, 64), _GUIDED: (3072, 256)},
        {**_FLUX, "transformer": "flux/transformer-dev", "scheduler": "flow/by-size"},
    ),
    Published(  # Flux.1 schnell
        "flux",
        _FLUX_BLOCKS,
        {"img_in.weight": (3072, 64)},
        {**_FLUX, "transformer": "flux/transformer-schnell", "scheduler": "flow/shift-1"},
        without=(_GUIDED,),
    ),
    Published(
        "chroma",
        _FLUX_BLOCKS,
        {"img_in.weight": (3072, 64), "distilled_guidance_layer.in_proj.weight": (5120, 64)},
        {
            "tokenizer": "t5",
            "text_encoder": "t5",
            "transformer": "chroma/transformer",
            "vae": "flux/vae",
            "scheduler": "flow/shift-1",
        },
    ),
    Published(  # Stable Diffusion 3 medium
        "sd3",
        {"joint_blocks": 24},
        {"context_embedder.weight": (1536, 4096), "pos_embed": (1, 192**2, 1536)},
        {**_SD3, "transformer": "sd3/transformer-3-medium"},
        without=(_NORMS,),
    ),
    Published(  # 3.5 medium
        "sd3",
        {"joint_blocks": 24},
        {
            "context_embedder.weight": (1536, 4096),
            "pos_embed": (1, 384**2, 1536),
            "joint_blocks.12.x_block.attn2.qkv.weight": (3 * 1536, 1536),
        },
        {**_SD3, "transformer": "sd3/transformer-3.5-medium"},
    ),
    Published(  # 3.5 large
        "sd3",
        {"joint_blocks": 38},
        {"context_embedder.weight": (2432, 4096), "pos_embed": (1, 192**2, 2432), _NORMS: (64,)},
        {**_SD3, "transformer": "sd3/transformer-3.5-large"},
    ),
    *(
        Published(  # Flux.2 klein
            "flux2",
            {"double_blocks": double, "single_blocks": single},
            {"img_in.weight": (width, 128), "txt_in.weight": (width, 3 * reads)},
            {
                "tokenizer": _QWEN,
                "text_encoder": f"qwen3-{encoder}",
                "transformer": f"flux2/transformer-{size}",
                "vae": "flux2/vae",
                "scheduler": "flow/by-size",
            },
        )
        for size, double, single, width, encoder, reads in (
            ("4b", 5, 20, 3072, "4b", 2560),
            ("9b", 8, 24, 4096, "8b", 4096),
        )
    ),
    Published(
        "zimage",
        {"layers": 30, "noise_refiner": 2, "context_refiner": 2},
        {"x_embedder.weight": (3840, 64), "cap_embedder.1.weight": (3840, 2560)},
        {
            "tokenizer": _QWEN,
            "text_encoder": "qwen3-4b",
            "transformer": "zimage/transformer",
            "vae": "flux/vae",
            "scheduler": "flow/shift-3",
        },
    ),
    Published(
        "qwen-image",
        {"transformer_blocks": 60},
        {"img_in.weight": (3072, 64), "txt_in.weight": (3072, 3584)},
        {
            "tokenizer": _QWEN,
            "text_encoder": "qwen2.5-vl-7b",
            "transformer": "qwen-image/transformer",
            "vae": "qwen-image/vae",
            "scheduler": "qwen-image/scheduler",
        },
    ),
    Published(
        "krea2",
        {"blocks": 28},
        {"first.weight": (6144, 64), "last.linear.weight": (64, 6144)},
        {
            "tokenizer": _QWEN,
            "text_encoder": "qwen3-vl-4b",
            "transformer": "krea2/transformer",
            "vae": "qwen-image/vae",
            "scheduler": "krea2/scheduler",
        },
    ),
)


def rest_of(path: Path, header: Header, prefix: str, facts: Facts) -> Base | None:
    """What a file of a published transformer lacks, without weights; None of another's.

    Raises:
        BaseModelError: A file in assets cannot be read.
    """
    rows = (row for row in PUBLISHED if row.family == facts.family and row.fits(header, prefix))
    row = next(rows, None)
    if row is None:
        return None
    folders = {part: BUNDLED / row.folders[part] for part in facts.parts}
    configs = {
        part: read_json(folder / CONFIG_NAMES.get(part, "config.json"))
        for part, folder in folders.items()
        if part not in facts.tokenizers
    }
    return Base(path, facts, configs, folders, {})
