"""WD taggers: how sure a net is of each of some thousand tags; over onnxruntime, without torch.

As SmilingWolf's own program reads them (app.py of the space SmilingWolf/wd-tagger on the hub): the
picture on white, padded to a square in white, made as large as the net wants it with Pillow's
bicubic filter, as float32 of 0 to 255 in the order blue, green, red, channels last.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from core.base.captioners import TAGGER_NAMES, TAGGER_NET
from core.captioning.reader import Reader, Said, first_line
from core.data.proposals import LEAST_SCORE
from core.errors import CaptionerError
from core.protocol.events import Tag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.base.captioners import Captioner

_GENERAL, _CHARACTER = "0", "4"  # categories; 9 is how fit for children it is, no part of a caption
_WHOLE = "Get a whole copy of it."
_LAYOUT = 4  # of the net's input: pictures, height, width, channels
_FACES = frozenset(  # tags that are drawn with their underscores
    (
        "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9",
        ">_o", "@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """A row of a tagger's table."""

    name: str
    category: str


def load(captioner: Captioner, prompt: str = "") -> Reader:
    """A tagger is asked nothing.

    Raises:
        CaptionerError: A file is damaged, the two do not fit each other, or onnxruntime is missing.
    """
    del prompt
    path = captioner.path
    names = read_names(path / TAGGER_NAMES)
    session = _session(path / TAGGER_NET)
    (asked, *_), (told, *_) = session.get_inputs(), session.get_outputs()
    edge_px = asked.shape[1] if len(asked.shape) == _LAYOUT else None
    if not isinstance(edge_px, int) or asked.shape[2:] != [edge_px, 3]:
        raise CaptionerError(
            f"{path / TAGGER_NET} is no WD tagger: it wants {asked.shape}.",
            hint="Choose a folder as SmilingWolf's taggers are given away.",
        )

    def read(pictures: Sequence[Image.Image]) -> list[Said]:
        return [
            said(session.run([told.name], {asked.name: prepared(p, edge_px)})) for p in pictures
        ]

    def said(answers: Any) -> Said:  # noqa: ANN401
        scores = answers[0][0]
        if len(scores) != len(names):
            raise CaptionerError(
                f"{path / TAGGER_NAMES} has {len(names)} tags, and {TAGGER_NET} {len(scores)}.",
                hint=_WHOLE,
            )
        return Said(tags=tags_of(names, scores))

    return Reader(read, 1, "CPU")


def prepared(picture: Image.Image, edge_px: int) -> np.ndarray:
    """An RGB picture as a tagger sees it, (1, edge, edge, 3), float32."""
    longer = max(picture.size)
    square = Image.new("RGB", (longer, longer), "white")
    square.paste(picture, ((longer - picture.width) // 2, (longer - picture.height) // 2))
    if longer != edge_px:
        square = square.resize((edge_px, edge_px), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square, np.float32)[None, :, :, ::-1])


def tags_of(names: Sequence[Name], scores: Sequence[float]) -> tuple[Tag, ...]:
    """Those that are likely at all, the surest first."""
    found = [
        Tag(in_words(one.name), min(1.0, float(score)), one.category == _CHARACTER)
        for one, score in zip(names, scores, strict=True)
        if score > LEAST_SCORE and one.category in (_GENERAL, _CHARACTER)
    ]
    return tuple(sorted(found, key=lambda tag: -tag.score))


def in_words(name: str) -> str:
    """`long_hair` is "long hair"; `^_^` is no words."""
    return name if name in _FACES else name.replace("_", " ")


def read_names(path: Path) -> list[Name]:
    """The table of a tagger's tags, in the order of the net's answers.

    Raises:
        CaptionerError: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [Name(row["name"], row["category"]) for row in csv.DictReader(file)]
    except OSError as error:
        words = error.strerror or str(error)
    except (UnicodeDecodeError, csv.Error) as error:
        words = first_line(error)
    except KeyError as error:
        words = f"it has no column {error}"
    raise CaptionerError(f"{path} cannot be read: {words}.", hint=_WHOLE)


def _session(path: Path) -> Any:  # noqa: ANN401 - an untyped class
    try:
        import onnxruntime
    except ImportError as error:
        raise CaptionerError(
            f"A WD tagger needs onnxruntime, which cannot be loaded: {first_line(error)}.",
            hint="Run start.py again, or choose another kind of captioner.",
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of what a person cannot change
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise CaptionerError(
            f"{path} cannot be loaded: {first_line(error)}.", hint=_WHOLE
        ) from error
