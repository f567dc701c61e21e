"""Looks at one picture file: whether it can be used, and what is to be said of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from core.data import captions
from core.data.decode import MAX_PIXELS, UNREADABLE, open_picture, orientation
from core.data.findings import Finding
from core.data.remarks import remarks

MIN_EDGE_PX = 32
MAX_ASPECT = 4.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One usable picture; sizes in px as seen, after EXIF rotation."""

    path: Path
    width_px: int
    height_px: int
    caption: str
    guessed: bool = False  # the caption's encoding: the text may be wrong
    sidecar: Path | None = None  # the file that the caption was read from
    remarks: tuple[Finding, ...] = ()  # on its pixels


def examine(path: Path, *, decode: bool = True) -> Picture | Finding:
    """Open one picture; with `decode` also read every pixel, which finds truncated files."""
    found = _examine_pixels(path, decode=decode)
    return with_caption(found) if isinstance(found, Picture) else found


def with_caption(picture: Picture) -> Picture | Finding:
    """`picture` with its caption as it is on the disk now."""
    file = captions.caption_file(picture.path)
    try:
        caption = captions.read_file(file)
    except OSError as error:
        return Finding(
            picture.path,
            f"Its caption file {file.name} cannot be read ({error.strerror}).",
            "Change its permissions, or move it away.",
            usable=False,
            summary="Its caption file cannot be read.",
        )
    return replace(picture, caption=caption.text, guessed=caption.guessed, sidecar=file)


def _examine_pixels(path: Path, *, decode: bool) -> Picture | Finding:
    said: list[Finding] = []
    try:
        with open_picture(path) as image:
            width, height = _seen_size(image)
            if problem := _unusable_size(path, width, height):
                return problem
            if decode:
                image.load()
                width, height = _seen_size(image)  # a damaged HEIC's comes out only now
                if problem := _unusable_size(path, width, height):
                    return problem
                said = remarks(path, image)
    except Image.DecompressionBombError:
        return _too_large(path)
    except UnidentifiedImageError:
        return _left_out(path, "It is not a picture.", "Remove it, or save it again as PNG.")
    except FileNotFoundError:
        return _left_out(path, "It is gone.", "Put it back, or rescan the folder.")
    except PermissionError:
        return _left_out(path, "It may not be read.", "Change its permissions.")
    except UNREADABLE as error:
        hint = "Get a whole copy of it, or remove it."
        return _left_out(path, f"It is damaged ({error}).", hint, "It is damaged.")
    return Picture(path, width, height, "", remarks=tuple(said))


def _seen_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after EXIF rotation."""
    # Pillow has turned the size of a TIFF already when it opens it.
    turned = image.format != "TIFF" and orientation(image) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else (image.width, image.height)


def _unusable_size(path: Path, width: int, height: int) -> Finding | None:
    size = f"{width} x {height} px"
    if min(width, height) < MIN_EDGE_PX:
        summary = f"It is too small (under {MIN_EDGE_PX} px)."
        return _left_out(path, f"It is too small ({size}).", "Use a larger picture.", summary)
    if width * height > MAX_PIXELS:
        return _too_large(path)
    if max(width, height) > MAX_ASPECT * min(width, height):
        message = f"It is too long and narrow ({size})."
        return _left_out(path, message, "Crop a part of it.", "It is too long and narrow.")
    return None


def _too_large(path: Path) -> Finding:
    message = f"It has more than {MAX_PIXELS // 1_000_000} million pixels."
    return _left_out(path, message, "Save a smaller copy of it.")


def _left_out(path: Path, message: str, hint: str, summary: str = "") -> Finding:
    return Finding(path, message, hint, usable=False, summary=summary)


class Memory:
    """Remembers which files were found whole, so that they are decoded once."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[tuple[int, int], Picture | Finding]] = {}

    def knows(self, path: Path) -> bool:
        """Whether the file is as it was when it was last decoded."""
        return path in self._seen and self._seen[path][0] == _stamp(path)

    def examine(self, path: Path) -> Picture | Finding:
        """As `examine`; what has not changed is not decoded again. Captions are always read."""
        if not self.knows(path):
            self._seen[path] = (_stamp(path), _examine_pixels(path, decode=True))
        found = self._seen[path][1]
        return with_caption(found) if isinstance(found, Picture) else found


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    readable = os.access(path, os.R_OK)  # changes without a trace in time or size
    return (status.st_mtime_ns, status.st_size) if readable else (status.st_mtime_ns, -1)
