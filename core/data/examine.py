"""Looks at one picture file: whether it can be used, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from core.data import captions, masks
from core.data.decode import MAX_PIXELS, UNREADABLE, open_picture, orientation
from core.data.findings import Finding
from core.data.measures import Measures, measure
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
    sidecar: str = ""  # the file beside it that its caption was read from
    remarks: tuple[Finding, ...] = ()  # on its pixels
    measures: Measures | None = None  # of them, once they were read
    size_bytes: int = 0  # of its file
    masked: bool = False  # whether a mask lies beside it


def examine(path: Path, *, decode: bool = True) -> Picture | Finding:
    """Open one picture; with `decode` also read every pixel, which finds truncated files."""
    try:
        found = of_pixels(path, decode=decode)
    except OSError as error:
        return out_of_reach(path, error)
    if isinstance(found, Finding):
        return found
    return with_caption(replace(found, masked=masks.mask_file(path) is not None))


def with_caption(picture: Picture, file: Path | None = None) -> Picture | Finding:
    """`picture` with its caption as it is on the disk now, in `file` if that is known."""
    file = file or captions.caption_file(picture.path)
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
    return replace(picture, caption=caption.text, guessed=caption.guessed, sidecar=file.name)


def out_of_reach(path: Path, error: OSError) -> Finding:
    """What is to be said of a file that cannot be read now, whatever it holds."""
    if isinstance(error, FileNotFoundError):
        return _left_out(path, "It is gone.", "Put it back, or rescan the folder.")
    if isinstance(error, PermissionError):
        return _left_out(path, "It may not be read.", "Change its permissions.")
    message = f"It cannot be read ({error.strerror})."
    return _left_out(path, message, "Look after its drive.", "It cannot be read.")


def of_pixels(path: Path, *, decode: bool) -> Picture | Finding:
    """As `examine`, of the picture alone: what it says holds as long as the file is unchanged.

    Raises:
        OSError: The file cannot be read now.
    """
    said: list[Finding] = []
    measures = None
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
                measures = measure(image)
    except Image.DecompressionBombError:
        return _too_large(path)
    except UnidentifiedImageError:
        return _left_out(path, "It is not a picture.", "Remove it, or save it again as PNG.")
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:  # not what Pillow says
            raise
        hint = "Get a whole copy of it, or remove it."
        return _left_out(path, f"It is damaged ({error}).", hint, "It is damaged.")
    size = path.stat().st_size
    return Picture(path, width, height, "", remarks=tuple(said), measures=measures, size_bytes=size)


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
