"""Text encoders as one .safetensors file each, as ComfyUI has them: known by names and shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.base.held import check_read
from core.base.single_file import Header, check_no_pickle, read_header
from core.base.value import InFile
from core.errors import BaseModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What ComfyUI puts before the names, where it saves several in one file.
_PREFIX = r"(?P<prefix>((text_encoders\.)?(clip_l|clip_g|t5xxl|qwen\w+)\.transformer\.)?)"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of text encoder: which tensor tells it, and which its width."""

    title: str
    model_type: str  # of transformers' configs
    tells: re.Pattern[str]
    sees: bool | None  # whether it has a part that sees; None is no matter
    width: str  # of the tensor whose last edge it is, the end of the name
    naming: str  # a row of `namings.NAMINGS`


def _kind(
    title: str, model_type: str, tells: str, width: str, naming: str, *, sees: bool | None = None
) -> Kind:
    pattern = re.compile(f"^{_PREFIX}{tells}$", re.MULTILINE)
    return Kind(title, model_type, pattern, sees, width, naming)


_EMBEDDINGS = "embed_tokens.weight"
_LAYER = r"(model\.)?(language_model\.)?layers\.0\.self_attn\."
KINDS = (
    _kind(
        "CLIP",
        "clip_text_model",
        r"(text_model\.)?encoder\.layers\.0\.self_attn\.q_proj\.weight",
        "embeddings.token_embedding.weight",
        "clip_alone",
    ),
    _kind(
        "T5",
        "t5",
        r"encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight",
        "shared.weight",
        "t5",
    ),
    _kind("Qwen2.5-VL", "qwen2_5_vl", rf"{_LAYER}q_proj\.bias", _EMBEDDINGS, "qwen", sees=True),
    _kind("Qwen3-VL", "qwen3_vl", rf"{_LAYER}q_norm\.weight", _EMBEDDINGS, "qwen", sees=True),
    _kind("Qwen3", "qwen3", rf"{_LAYER}q_norm\.weight", _EMBEDDINGS, "qwen", sees=False),
)


@dataclass(frozen=True, slots=True)
class Encoder:
    """A text encoder in a file."""

    kind: Kind
    width: int
    where: InFile

    @property
    def words(self) -> str:
        """`a T5 of width 4096`."""
        return in_words(self.kind, self.width)


def in_words(kind: Kind, width: int) -> str:
    """`a T5 of width 4096`."""
    return f"a {kind.title} of width {width}"


def recognised(path: Path) -> Encoder:
    """Which text encoder a file is, by its header alone.

    Raises:
        BaseModelError: It is none, or its numbers are held in a way that is not read.
    """
    check_no_pickle(path)
    header = read_header(path)
    if found := next(_all(path, header), None):
        check_read(path, header)
        return found
    raise BaseModelError(
        f"{path} is no text encoder that is known here.",
        hint=f"Choose one of: {', '.join(kind.title for kind in KINDS)}, as .safetensors.",
    )


def beside_a_net(path: Path) -> list[Encoder]:
    """The text encoders in a file that also holds what draws, each under a name of its own.

    Raises:
        BaseModelError: It cannot be read, or one is not whole.
    """
    return [found for found in _all(path, read_header(path)) if found.where.prefix]


def _all(path: Path, header: Header) -> Iterator[Encoder]:
    names = "\n".join(header.shapes)
    for kind in KINDS:
        for found in kind.tells.finditer(names):
            prefix = found["prefix"]
            sees = any(name.startswith(prefix) and "visual." in name for name in header.shapes)
            if kind.sees in (None, sees):
                width = _width(path, header, kind, prefix)
                yield Encoder(kind, width, InFile(path, prefix, kind.naming))


def _width(path: Path, header: Header, kind: Kind, prefix: str) -> int:
    for name, shape in header.shapes.items():
        own = name.startswith(prefix) and name.endswith(kind.width)
        if own and len(shape) == 2:  # noqa: PLR2004 - tokens x width
            return shape[1]
    raise BaseModelError(
        f"{path} is not whole: it is a {kind.title} without its words.",
        hint="Get a whole copy of it.",
    )


def kind_of(config: Mapping[str, Any]) -> tuple[Kind | None, int]:
    """The kind and width of the text encoder that a config is of."""
    kinds = {kind.model_type: kind for kind in KINDS}
    text = config.get("text_config")
    inner: Mapping[str, Any] = text if isinstance(text, dict) else config
    width = inner.get("hidden_size", inner.get("d_model", 0))
    return kinds.get(str(config.get("model_type"))), width if isinstance(width, int) else 0
