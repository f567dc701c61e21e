"""Find a dataset's pictures and say which cannot be used, and why; free of torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pi_heif import register_heif_opener
from PIL import Image, UnidentifiedImageError

from core.data import captions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

register_heif_opener()

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"}
)
MIN_EDGE_PX = 32
MAX_PIXELS = 150_000_000  # decoding needs 3 bytes each, several times over
MAX_ASPECT = 4.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one file that the person should know."""

    path: Path
    message: str
    hint: str
    usable: bool  # False: the file is left out

    def __str__(self) -> str:
        return f"{self.path.name}: {self.message} {self.hint}"


@dataclass(frozen=True, slots=True)
class Picture:
    """One usable picture; sizes in px as seen, after EXIF rotation."""

    path: Path
    width_px: int
    height_px: int
    caption: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a scan found, in the order of the paths."""

    pictures: tuple[Picture, ...]
    findings: tuple[Finding, ...]


def picture_files(folders: Sequence[Path]) -> Iterator[Path]:
    """Files with a picture's suffix, sorted, hidden files and folders left out."""
    for folder in folders:
        for here, subfolders, names in os.walk(folder):
            subfolders[:] = sorted(s for s in subfolders if not s.startswith("."))
            for name in sorted(names):
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                    yield Path(here) / name


def examine(path: Path, *, decode: bool = True) -> Picture | Finding:
    """Open one picture; with `decode` also read every pixel, which finds truncated files."""
    try:
        with Image.open(path) as image:
            width, height = _seen_size(image)
            if problem := _unusable_size(path, width, height):
                return problem
            if decode:
                image.load()
    except Image.DecompressionBombError:
        return _too_large(path)
    except UnidentifiedImageError:
        return Finding(
            path, "It is not a picture.", "Remove it, or save it again as PNG.", usable=False
        )
    except FileNotFoundError:
        return Finding(path, "It is gone.", "Put it back, or rescan the folder.", usable=False)
    except PermissionError:
        return Finding(path, "It may not be read.", "Change its permissions.", usable=False)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        return Finding(
            path, f"It is damaged ({error}).", "Get a whole copy of it, or remove it.", usable=False
        )
    return Picture(path, width, height, captions.read(path).text)


def _seen_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after EXIF rotation."""
    turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else (image.width, image.height)


def _too_large(path: Path) -> Finding:
    limit = MAX_PIXELS // 1_000_000
    return Finding(
        path,
        f"It has more than {limit} million pixels.",
        "Save a smaller copy of it.",
        usable=False,
    )


def _unusable_size(path: Path, width: int, height: int) -> Finding | None:
    size = f"{width} x {height} px"
    if min(width, height) < MIN_EDGE_PX:
        return Finding(path, f"It is too small ({size}).", "Use a larger picture.", usable=False)
    if width * height > MAX_PIXELS:
        return _too_large(path)
    if max(width, height) > MAX_ASPECT * min(width, height):
        return Finding(
            path, f"It is too long and narrow ({size}).", "Crop a part of it.", usable=False
        )
    return None


def scan(folders: Sequence[Path], *, decode: bool = True) -> Dataset:
    """Examine every picture below `folders`."""
    pictures: list[Picture] = []
    findings: list[Finding] = []
    for path in picture_files(folders):
        found = examine(path, decode=decode)
        if isinstance(found, Finding):
            findings.append(found)
            continue
        pictures.append(found)
        if not found.caption.strip():
            hint = "Write down what it shows, so that the style is learnt apart from it."
            findings.append(Finding(path, "It has no caption.", hint, usable=True))
    return Dataset(tuple(pictures), tuple(findings))
