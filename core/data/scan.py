"""Find a dataset's pictures and say which cannot be used, and why; free of torch."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from core.data import captions
from core.data.decode import UNREADABLE, open_picture, orientation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"}
)
OWN_FOLDERS = frozenset({"runs", "cache", "bin"})  # of a project: previews are no pictures to learn
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
    guessed: bool = False  # the caption's encoding: the text may be wrong


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a scan found, in the order of the paths."""

    pictures: tuple[Picture, ...]
    findings: tuple[Finding, ...]


def picture_files(folders: Sequence[Path]) -> Iterator[Path]:
    """Files with a picture's suffix, sorted, hidden files and folders left out."""
    for folder in folders:
        for here, subfolders, names in os.walk(folder):
            ours = OWN_FOLDERS if "project.toml" in names else frozenset[str]()
            subfolders[:] = sorted(s for s in subfolders if not s.startswith(".") and s not in ours)
            for name in sorted(names):
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                    yield Path(here) / name


def examine(path: Path, *, decode: bool = True) -> Picture | Finding:
    """Open one picture; with `decode` also read every pixel, which finds truncated files."""
    found = _examine_pixels(path, decode=decode)
    return with_caption(found) if isinstance(found, Picture) else found


def with_caption(picture: Picture) -> Picture | Finding:
    """`picture` with its caption as it is on the disk now."""
    try:
        caption = captions.read(picture.path)
    except OSError as error:
        return Finding(
            picture.path,
            f"Its caption file {captions.caption_file(picture.path).name} cannot be read "
            f"({error.strerror}).",
            "Change its permissions, or move it away.",
            usable=False,
        )
    return replace(picture, caption=caption.text, guessed=caption.guessed)


def _examine_pixels(path: Path, *, decode: bool) -> Picture | Finding:
    try:
        with open_picture(path) as image:
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
    except UNREADABLE as error:
        return Finding(
            path, f"It is damaged ({error}).", "Get a whole copy of it, or remove it.", usable=False
        )
    return Picture(path, width, height, "")


def _seen_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after EXIF rotation."""
    # Pillow has turned the size of a TIFF already when it opens it.
    turned = image.format != "TIFF" and orientation(image) in (5, 6, 7, 8)
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


def caption_findings(picture: Picture) -> list[Finding]:
    """What is to be said of one picture's caption."""
    if not picture.caption.strip():
        hint = "Write down what it shows, so that the style is learnt apart from it."
        return [Finding(picture.path, "It has no caption.", hint, usable=True)]
    if picture.guessed:
        return [
            Finding(
                picture.path,
                "Its caption is not UTF-8 and was read as Western European text.",
                "Look whether it is right; if not, save the .txt file as UTF-8.",
                usable=True,
            )
        ]
    return []


def shared_captions(pictures: Sequence[Picture]) -> list[Finding]:
    """Pictures whose names differ only in the suffix have one caption file between them."""
    first: dict[Path, Path] = {}
    findings: list[Finding] = []
    for picture in pictures:
        other = first.setdefault(captions.caption_file(picture.path), picture.path)
        if other != picture.path:
            message = f"It shares its caption file with {other.name}."
            hint = "Rename one of the two, so that each has a caption of its own."
            findings.append(Finding(picture.path, message, hint, usable=True))
    return findings


def _gone(folder: Path) -> Finding:
    hint = "Put it back, or take it out of the project's folders."
    return Finding(folder, "This folder is not there.", hint, usable=False)


def dataset_of(found: Iterable[Picture | Finding], folders: Sequence[Path] = ()) -> Dataset:
    """Pictures and what is to be said of them and of their folders, in the order of the paths."""
    pictures: list[Picture] = []
    findings = [_gone(folder) for folder in folders if not folder.is_dir()]
    for one in found:
        if isinstance(one, Finding):
            findings.append(one)
        else:
            pictures.append(one)
            findings += caption_findings(one)
    findings += shared_captions(pictures)
    findings.sort(key=lambda finding: finding.path)
    return Dataset(tuple(pictures), tuple(findings))


def scan(folders: Sequence[Path], *, decode: bool = True) -> Dataset:
    """Examine every picture below `folders`."""
    found = (examine(path, decode=decode) for path in picture_files(folders))
    return dataset_of(found, folders)


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
