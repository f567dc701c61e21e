"""Copies dropped pictures, captions and masks into a project: files, folders, out of a .zip."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer
from PySide6.QtGui import QImage

from app.models.background import Work
from core.data import captions, masks, scan
from core.data.walk import ARCHIVES
from core.errors import StorageError, UserError

Made = Callable[[Path, Path], None]  # where a file is going to be, and the whole of it beside that
NAME_BYTES = 255  # of a file's name, on nearly all file systems


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import went."""

    found: int = 0  # pictures among what was dropped
    copied: int = 0
    stopped: bool = False
    problem: str = ""  # the first one, in words
    targets: tuple[Path, ...] = ()  # the copies


def nothing(_target: Path, _beside: Path) -> None:
    """What need not be noted."""


def copy_all(paths: Sequence[Path], folder: Path, work: Work, made: Made = nothing) -> Imported:
    """Copy pictures, and folders and archives of them, into `folder`, until `work` is stopped.

    `made` is told of each file before it takes its name; where it fails the file is not made.
    """
    from core.data import archive  # no start has need of it

    plain = [path for path in paths if not is_archive(path)]
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=_made(folder)) as beside:
        problem = ""
        for number, path in enumerate(path for path in paths if is_archive(path)):
            try:
                archive.unpack(path, Path(beside) / str(number), lambda: work.stopped)
            except UserError as error:
                problem = problem or str(error)
            except OSError as error:
                problem = problem or str(StorageError.writing(folder, error))
            plain.append(Path(beside) / str(number))
        return _copied(plain, folder, work, problem, made)


def is_archive(path: Path) -> bool:
    """Whether pictures are taken out of a file."""
    return path.suffix.lower() in ARCHIVES and path.is_file()


def save_picture(image: QImage, folder: Path, work: Work, made: Made = nothing) -> Imported:
    """Write a picture that is no file yet, as PNG; from the clipboard, or a web page."""
    target = free_name(_made(folder), "pasted.png", taken_stems(folder))
    beside = target.with_name(f".writing-{secrets.token_hex(8)}.png")
    work.tell(0, 1)
    try:
        with beside.open("wb") as file:
            file.write(png_of(image))
        made(target, beside)
        beside.replace(target)
    except StorageError as error:
        return Imported(1, 0, problem=str(error))
    except OSError as error:
        return Imported(1, 0, problem=str(StorageError.writing(target, error)))
    finally:
        beside.unlink(missing_ok=True)
    return Imported(1, 1, targets=(target,))


def png_of(image: QImage) -> bytes:
    """A picture as a PNG file's content."""
    content = QBuffer()
    content.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(content, "PNG")  # pyright: ignore[reportCallIssue, reportArgumentType] - it wants bytes
    return bytes(content.data().data())


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _copied(paths: Sequence[Path], folder: Path, work: Work, problem: str, made: Made) -> Imported:
    targets: list[Path] = []
    copied = 0
    sources = pictures_among(paths, work)
    taken = taken_stems(folder)
    for number, source in enumerate(sources):
        if work.stopped:
            break
        work.tell(number, len(sources))
        try:
            target = copy_beside(source, folder, taken, made)
        except StorageError as error:  # it could not be undone: no more of them
            problem = problem or str(error)
            break
        except (OSError, ValueError) as error:  # the latter of odd names; the rest goes on
            reason = getattr(error, "strerror", None) or error
            problem = problem or (
                f"Could not copy {source}: {reason}. Check that it may be read, and "
                f"that {folder} may be written to and has room."
            )
        else:
            copied += 1
            if target != source:
                targets.append(target)
    return Imported(len(sources), copied, work.stopped, problem, tuple(targets))


def pictures_among(paths: Iterable[Path], work: Work) -> list[Path]:
    """The pictures that were dropped, and those in dropped folders; some, once stopped."""
    sources: list[Path] = []
    for path in paths:
        for inside in scan.picture_files([path]) if path.is_dir() else [path]:
            if work.stopped:
                return sources
            if inside.suffix.lower() in scan.SUFFIXES:
                sources.append(inside)
    theirs = {masks.place(source) for source in sources}  # which come with them
    return [source for source in sources if source not in theirs]


def taken_stems(folder: Path) -> set[str]:
    """What a new picture in `folder` may not be called: it would share a caption, or be one.

    In lower case, since some systems take A.png and a.png for one file.
    """
    try:
        return {path.stem.lower() for path in folder.iterdir()}
    except OSError:  # not there yet; what else is wrong is told by the first copy
        return set()


def free_name(folder: Path, name: str, taken: set[str]) -> Path:
    """`name` in `folder`, numbered where its stem is `taken`, to which it is added."""
    first, suffix = Path(name).stem, Path(name).suffix
    stem, number = first, 1
    while stem.lower() in taken or _there(folder / f"{stem}{suffix}"):
        number += 1
        stem = _shortened(first, f"-{number}{suffix}") + f"-{number}"
    taken.add(stem.lower())
    return folder / f"{stem}{suffix}"


def _shortened(stem: str, ending: str) -> str:
    """As much of `stem` as file systems take together with `ending`."""
    room = NAME_BYTES - len(os.fsencode(ending))
    return os.fsencode(stem)[:room].decode(errors="ignore")


def _there(picture: Path) -> bool:
    """Whether it, its caption or its mask has come since the folder was looked at."""
    return picture.exists() or any(_beside(picture))


def _beside(picture: Path) -> tuple[Path | None, Path | None]:
    """Its caption and its mask, where there are some."""
    caption = captions.caption_file(picture)
    return caption if caption.exists() else None, masks.mask_file(picture)


def copy_beside(source: Path, folder: Path, taken: set[str], made: Made = nothing) -> Path:
    """Copy a picture, its caption and its mask into `folder` under a free name.

    Raises:
        OSError: It cannot be read or written; no half of it is left.
        StorageError: `made` failed.
    """
    if source.parent == folder:
        return source
    folder.mkdir(parents=True, exist_ok=True)
    target = free_name(folder, source.name, taken)
    try:
        caption, mask = _beside(source)
        if caption is not None:
            _copy(caption, captions.caption_file(target), made)
        if mask is not None:
            _copy(mask, masks.place(target), made)
        _copy(source, target, made)
    except (OSError, StorageError):
        for copy in filter(None, _beside(target)):
            copy.unlink()
        raise
    return target


def _copy(source: Path, target: Path, made: Made) -> None:
    beside = target.with_name(f".writing-{secrets.token_hex(8)}.part")  # the name may be as long
    try:
        shutil.copyfile(source, beside)
        made(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
