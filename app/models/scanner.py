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
from core.data.scan import Dataset, Finding, Memory, Picture

log = logging.getLogger(__name__)
TELL_EVERY_SECONDS = 0.1
FIRST_LOOK_SECONDS = 0.2  # until something is shown of many pictures; later looks take longer

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

    def _scanned(self) -> Look | None:
        scanner, memory = self._scanner, self._scanner.memory
        there = scan.walk(self._folders)
        paths, self._others = there.pictures, there.findings
        if not all(memory.knows(path) for path in paths) and not self._look_first(paths):
            return None
        found: list[Picture | Finding] = []
        told = 0.0
        for number, path in enumerate(paths):
            if scanner.stopped.is_set():
                return None
            if time.monotonic() - told > TELL_EVERY_SECONDS:
                told = time.monotonic()
                scanner.progressed.emit(number, len(paths))
            found.append(memory.examine(path))
        return self._look(found, sure=True)

    def _look_first(self, paths: Sequence[Path]) -> bool:
        """Tell what the headers say; of many pictures the first ones soon. False if stopped."""
        scanner, memory = self._scanner, self._scanner.memory
        opening = not self._shown
        found: list[Picture | Finding] = []
        began, wait = time.monotonic(), FIRST_LOOK_SECONDS
        for path in paths:
            if scanner.stopped.is_set():
                return False
            if memory.knows(path):
                found.append(memory.examine(path))
            else:
                found.append(scan.examine(path, decode=False))
            if opening and time.monotonic() - began > wait:
                scanner.looked.emit(self._look(found, sure=False))
                began, wait = time.monotonic(), 3 * wait
        scanner.looked.emit(self._look(found, sure=False))
        return True

    def _look(self, found: Sequence[Picture | Finding], *, sure: bool) -> Look:
        dataset = scan.dataset_of(found, self._others)
        before, self._shown = self._shown, dataset.pictures
        rows = {str(picture.path): row for row, picture in enumerate(dataset.pictures)}
        return Look(dataset, before, changes(before, dataset.pictures), rows, sure)


class Scanner(QObject):
    """Tells what is there."""

    started = Signal()
    progressed = Signal(int, int)  # done, of how many
    found = Signal(object)  # a Look
    rested = Signal()  # no scan follows
    looked = Signal(object)  # from the thread: a Look
    ended = Signal(object)  # from the thread: a Look, or None if it was stopped

    def __init__(self, shown: Callable[[], Shown], parent: QObject | None = None) -> None:
        """`shown` is asked, as a scan starts, for the list that its looks are compared with."""
        super().__init__(parent)
        self._shown = shown
        self.memory = Memory()
        self.stopped = Event()
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._next: Sequence[Path] | None = None
        self.running = False
        self.looked.connect(self._on_looked)
        self.ended.connect(self._on_ended)

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
