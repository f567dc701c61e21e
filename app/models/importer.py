"""Copies dropped pictures and their captions into a project, in a thread."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from core.data import captions, scan


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import went."""

    found: int  # pictures among what was dropped
    copied: int
    problem: str = ""  # the first one, in words


class _Import(QRunnable):
    def __init__(self, importer: Importer, paths: Sequence[Path], folder: Path) -> None:
        super().__init__()
        self._importer, self._paths, self._folder = importer, paths, folder

    def run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._importer.imported.emit(self._copied())

    def _copied(self) -> Imported:
        importer, copied, problem = self._importer, 0, ""
        sources = pictures_among(self._paths)
        for number, source in enumerate(sources):
            if importer.stopped.is_set():
                break
            importer.progressed.emit(number, len(sources))
            try:
                copy_beside(source, self._folder)
                copied += 1
            except OSError as error:  # the rest goes on
                problem = problem or (
                    f"Could not copy {source}: {error.strerror}. Check that it may be read, and "
                    f"that {self._folder} may be written to and has room."
                )
        return Imported(len(sources), copied, problem)


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
        self._pool.start(_Import(self, paths, folder))

    def finish(self) -> None:
        """End after the picture in hand; before the program ends."""
        self.stopped.set()
        self._pool.waitForDone()


def pictures_among(paths: Iterable[Path]) -> list[Path]:
    """The pictures that were dropped, and those in dropped folders."""
    sources: list[Path] = []
    for path in paths:
        inside = scan.picture_files([path]) if path.is_dir() else [path]
        sources += [p for p in inside if p.suffix.lower() in scan.SUFFIXES]
    return sources


def free_name(folder: Path, name: str) -> Path:
    """`name` in `folder`, numbered if a picture or caption of that stem is there already."""
    stem, suffix = Path(name).stem, Path(name).suffix
    target, number = folder / name, 1
    while _taken(target):
        number += 1
        target = folder / f"{stem}-{number}{suffix}"
    return target


def _taken(target: Path) -> bool:
    """Pictures that differ only in the suffix would share one caption file."""
    sidecar = captions.caption_file(target)
    return target.exists() or sidecar.exists() or any(scan.pictures_named(target))


def copy_beside(source: Path, folder: Path) -> Path:
    """Copy a picture and its caption into `folder` under a free name.

    Raises:
        OSError: It cannot be read or written; no half of it is left.
    """
    if source.parent == folder:
        return source
    folder.mkdir(parents=True, exist_ok=True)
    target = free_name(folder, source.name)
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
    beside = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
