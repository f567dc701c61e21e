"""Copies dropped pictures and their captions into a project, in a thread."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from core.data import captions, scan

NAME_BYTES = 255  # of a file's name, on nearly all file systems


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import went."""

    found: int  # pictures among what was dropped
    copied: int
    stopped: bool = False
    problem: str = ""  # the first one, in words


class _Import(QRunnable):
    def __init__(self, importer: Importer, paths: Sequence[Path], folder: Path) -> None:
        super().__init__()
        self._importer, self._paths, self._folder = importer, paths, folder
        self._stopped = importer.stopped  # its own: a later import is not stopped with it

    def run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._importer.imported.emit(self._copied())

    def _copied(self) -> Imported:
        importer, copied, problem = self._importer, 0, ""
        sources = pictures_among(self._paths, self._stopped)
        taken = taken_stems(self._folder)
        for number, source in enumerate(sources):
            if self._stopped.is_set():
                break
            importer.progressed.emit(number, len(sources))
            try:
                copy_beside(source, self._folder, taken)
                copied += 1
            except OSError as error:  # the rest goes on
                problem = problem or (
                    f"Could not copy {source}: {error.strerror}. Check that it may be read, and "
                    f"that {self._folder} may be written to and has room."
                )
        return Imported(len(sources), copied, self._stopped.is_set(), problem)


class Importer(QObject):
    """One import after the other."""

    progressed = Signal(int, int)  # done, of how many
    imported = Signal(object)  # an Imported

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stopped = Event()
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def start(self, paths: Sequence[Path], folder: Path) -> None:
        """Copy pictures, and folders of them, into `folder`."""
        if self.stopped.is_set():
            self.stopped = Event()
        self._pool.start(_Import(self, paths, folder))

    def stop(self) -> None:
        """End after the picture in hand."""
        self.stopped.set()

    def finish(self) -> None:
        """Stop, and wait for that; before the program ends."""
        self.stop()
        self._pool.waitForDone()


def pictures_among(paths: Iterable[Path], stopped: Event) -> list[Path]:
    """The pictures that were dropped, and those in dropped folders; some, once `stopped`."""
    sources: list[Path] = []
    for path in paths:
        for inside in scan.picture_files([path]) if path.is_dir() else [path]:
            if stopped.is_set():
                return sources
            if inside.suffix.lower() in scan.SUFFIXES:
                sources.append(inside)
    return sources


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
    """Whether it or its caption has come since the folder was looked at."""
    return picture.exists() or captions.caption_file(picture).exists()


def copy_beside(source: Path, folder: Path, taken: set[str]) -> Path:
    """Copy a picture and its caption into `folder` under a free name.

    Raises:
        OSError: It cannot be read or written; no half of it is left.
    """
    if source.parent == folder:
        return source
    folder.mkdir(parents=True, exist_ok=True)
    target = free_name(folder, source.name, taken)
    sidecar = captions.caption_file(source)
    try:
        if sidecar.exists():
            _copy(sidecar, captions.caption_file(target))
        _copy(source, target)
    except OSError:
        captions.caption_file(target).unlink(missing_ok=True)
        raise
    return target


def _copy(source: Path, target: Path) -> None:
    beside = target.with_name(f".writing-{secrets.token_hex(8)}.part")  # the name may be as long
    try:
        shutil.copyfile(source, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
