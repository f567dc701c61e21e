"""What a captioner is once it is loaded, and the table of them; loads what a kind needs alone."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from core.errors import CaptionerError, MemoryFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.base.captioners import Captioner
    from core.protocol.events import Tag

_EDGE_PX = 64  # of the picture that a model is tried out on
_MODULES = {  # of the kinds of core.base.captioners; a tagger needs no torch
    "blip": "core.captioning.blip",
    "florence2": "core.captioning.florence2",
    "chat": "core.captioning.chat",
    "tagger": "core.captioning.tagger",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a model tells of a picture: a text, or tags."""

    text: str = ""
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """A loaded captioner."""

    read: Callable[[Sequence[Image.Image]], list[Said]]  # of RGB pictures of any sizes
    at_once: int  # as many pictures are read together where there is room
    device: str  # in words


def load(captioner: Captioner, prompt: str = "") -> Reader:
    """A captioner, whole, tried out on a small picture.

    Args:
        captioner: As `open_captioner` found it.
        prompt: What it is asked for, or the title of a wish; by default what is usual for its kind.

    Raises:
        CaptionerError: It cannot be loaded, or does not work.
        MemoryFullError: It does not fit.
    """
    module = importlib.import_module(_MODULES[captioner.kind.name])
    reader: Reader = module.load(captioner, captioner.kind.asked(prompt))
    try:
        reader.read([Image.new("RGB", (_EDGE_PX, _EDGE_PX), "white")])
    except MemoryFullError:
        raise
    except Exception as error:
        raise CaptionerError(
            f"The captioner {captioner.path} does not work: {first_line(error)}.",
            hint="Get a whole copy of it, or choose another.",
        ) from error
    return reader


def first_line(error: Exception) -> str:
    """Of what a library says."""
    return (str(error).strip().partition("\n")[0][:300] or type(error).__name__).rstrip(".")
