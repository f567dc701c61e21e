"""Many pictures captioned: one that cannot be is told and passed over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.captioning.reader import Reader, Said, first_line
from core.data.decode import open_rgb
from core.errors import MemoryFullError
from core.protocol.events import Captioned, Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from PIL import Image

# What a picture of odd sizes makes a library raise; anything else is a bug.
_ODD = (OSError, ValueError, RuntimeError, LookupError, ArithmeticError)


def captioned(
    reader: Reader, paths: Sequence[Path], stopped: Callable[[], bool]
) -> Iterator[Captioned | Warned]:
    """What `reader` tells of each picture, in order, with the same pixels as training has.

    Raises:
        MemoryFullError: Not even one picture at a time fits.
    """
    at_once = reader.at_once
    waiting = list(paths)
    while waiting and not stopped():
        batch, waiting = waiting[:at_once], waiting[at_once:]
        opened: dict[Path, Image.Image] = {}
        for path in batch:
            try:
                opened[path] = open_rgb(path)
            except OSError as error:
                yield _passed_over(path, f"cannot be opened ({first_line(error)})")
        try:
            yield from _told(reader, opened)
        except MemoryFullError:
            if len(opened) <= 1:
                raise
            at_once = len(batch) // 2
            waiting = [*opened, *waiting]


def _told(reader: Reader, opened: dict[Path, Image.Image]) -> Iterator[Captioned | Warned]:
    """All at once; where that fails one by one, so that only the odd one is left out."""
    paths = list(opened)
    if not paths:
        return
    try:
        said = reader.read(list(opened.values()))
    except _ODD as error:
        if len(paths) > 1:
            for path in paths:
                yield from _told(reader, {path: opened[path]})
            return
        logging.getLogger(__name__).exception("%s could not be captioned", paths[0])
        yield _passed_over(paths[0], f"could not be captioned ({first_line(error)})")
        return
    for path, one in zip(paths, said, strict=True):
        yield _event(path, one)


def _event(path: Path, said: Said) -> Captioned:
    return Captioned(path=str(path), text=said.text, tags=list(said.tags))


def _passed_over(path: Path, words: str) -> Warned:
    return Warned(message=f"{path.name} {words}.", path=str(path))
