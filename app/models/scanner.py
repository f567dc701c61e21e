"""Scans a project's folders in a thread; one scan at a time, and only what is new is decoded."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot

from app.models.rows import Changes, changes
from core.data import scan
from core.data.scan import Catalogue, Dataset, Finding, Picture

log = logging.getLogger(__name__)
TELL_EVERY_SECONDS = 0.1
FIRST_LOOK_SECONDS = 0.2  # until something is shown of many pictures; later looks take longer
MANY = 500  # pictures: so many are shown as they were the last time before their folders are read

Shown = Sequence[Picture]


@dataclass(frozen=True, slots=True)
class Look:
    """What a scan saw, and what the thread has worked out of it, so that the window need not."""

    dataset: Dataset
    before: Shown  # what was shown
    changes: Changes  # from that
    rows: dict[str, int]  # by path
    sure: bool  # every pixel was read: the findings are true


class _Scan(QRunnable):
    """Headers first, so that pictures show at once; then every pixel of what is new."""

    def __init__(self, scanner: Scanner, folders: Sequence[Path], shown: Shown) -> None:
        super().__init__()
        self._scanner, self._folders, self._shown = scanner, folders, shown
        self._catalogue = scanner.catalogue
        self._others: Sequence[Finding] = ()  # of what is no picture

    def run(self) -> None:
        look = None
        try:
            look = self._scanned()
        except Exception:  # the window must not look for ever
            log.exception("a scan broke")
        finally:
            with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
                self._scanner.ended.emit(look)
            self._catalogue.save()

    def _scanned(self) -> Look | None:
        scanner, catalogue = self._scanner, self._catalogue
        if not self._shown and len(before := catalogue.below(self._folders)) > MANY:
            scanner.looked.emit(self._look(before, sure=False))
        began = time.time_ns()
        there = scan.walk(self._folders)
        scanner.walked.emit(there.folders, began)
        paths, self._others = there.pictures, there.findings
        if not all(catalogue.knows(path) for path in paths) and not self._look_first(there):
            return None
        found: list[Picture | Finding] = []
        told = 0.0
        files = zip(paths, there.captions, there.masked, strict=True)
        for number, (path, caption, masked) in enumerate(files):
            if scanner.stopped.is_set():
                return None
            if time.monotonic() - told > TELL_EVERY_SECONDS:
                told = time.monotonic()
                scanner.progressed.emit(number, len(paths))
            found.append(catalogue.examine(path, caption, masked=masked))
        if all(folder.is_dir() for folder in self._folders):  # one may be on a stick
            catalogue.keep_only(paths)
        return self._look(found, sure=True)

    def _look_first(self, there: scan.Walk) -> bool:
        """Tell what the headers say; of many pictures the first ones soon. False if stopped."""
        scanner, catalogue = self._scanner, self._catalogue
        opening = not self._shown
        found: list[Picture | Finding] = []
        began, wait = time.monotonic(), FIRST_LOOK_SECONDS
        files = zip(there.pictures, there.captions, there.masked, strict=True)
        for path, caption, masked in files:
            if scanner.stopped.is_set():
                return False
            if catalogue.knows(path):
                found.append(catalogue.examine(path, caption, masked=masked))
            else:
                found.append(scan.examine(path, decode=False))
            if opening and time.monotonic() - began > wait:
                scanner.looked.emit(self._look(found, sure=False))
                began, wait = time.monotonic(), 3 * wait
        scanner.looked.emit(self._look(found, sure=False))
        return True

    def _look(self, found: Sequence[Picture | Finding], *, sure: bool) -> Look:
        pictures = tuple(one for one in found if isinstance(one, Picture))
        dataset = self._findings(found, pictures) if sure else Dataset(pictures, ())
        before, self._shown = self._shown, dataset.pictures
        rows = {str(picture.path): row for row, picture in enumerate(dataset.pictures)}
        return Look(dataset, before, changes(before, dataset.pictures), rows, sure)

    def _findings(
        self, found: Sequence[Picture | Finding], pictures: tuple[Picture, ...]
    ) -> Dataset:
        """What is to be said of it all; of pictures that are as they were it was said before."""
        left_out = [one for one in found if isinstance(one, Finding)]
        others = [*self._others, *left_out]
        last = self._scanner.last
        if last is None or (last.pictures, last.others) != (pictures, others):
            last = Last(pictures, others, scan.dataset_of(found, self._others))
            self._scanner.last = last
        return last.dataset


@dataclass(frozen=True, slots=True)
class Last:
    """What the last whole scan found, and what came of it."""

    pictures: tuple[Picture, ...]
    others: list[Finding]
    dataset: Dataset


class Scanner(QObject):
    """Tells what is there."""

    started = Signal()
    progressed = Signal(int, int)  # done, of how many
    found = Signal(object)  # a Look
    rested = Signal()  # no scan follows
    walked = Signal(object, object)  # from the thread: the folders, and when it began, in ns
    looked = Signal(object)  # from the thread: a Look
    ended = Signal(object)  # from the thread: a Look, or None if it was stopped

    def __init__(self, shown: Callable[[], Shown], parent: QObject | None = None) -> None:
        """`shown` is asked, as a scan starts, for the list that its looks are compared with."""
        super().__init__(parent)
        self._shown = shown
        self.catalogue = Catalogue()
        self.last: Last | None = None  # the scan's thread's own
        self.stopped = Event()
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._next: Sequence[Path] | None = None
        self.running = False
        self.looked.connect(self._on_looked)
        self.ended.connect(self._on_ended)

    def remember_in(self, file: Path) -> None:
        """What is found is written down there, and what was is known from there."""
        self.catalogue = Catalogue(file)

    def start(self, folders: Sequence[Path]) -> None:
        """Scan now, or once more when the scan that goes on has ended."""
        if self.running:
            self._next = folders
            return
        self.running = True
        self.stopped.clear()
        self.started.emit()
        self._pool.start(_Scan(self, folders, self._shown()))

    def stop(self) -> None:
        """Give up the scan that goes on, if any; `found` will not tell of it."""
        self.stopped.set()
        self._next = None

    def finish(self) -> None:
        """End the thread; before the program ends."""
        self.stop()
        self._pool.waitForDone()

    @Slot(object)
    def _on_looked(self, look: Look) -> None:
        if not self.stopped.is_set():
            self.found.emit(look)

    @Slot(object)
    def _on_ended(self, look: Look | None) -> None:
        self.running = False
        if look is not None and not self.stopped.is_set():
            self.found.emit(look)
        if self._next is not None:
            folders, self._next = self._next, None
            self.start(folders)
        else:
            self.rested.emit()
