"""Scans a project's folders in a thread; one scan at a time, and only what is new is decoded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot

from core.data import scan
from core.data.scan import Dataset, Memory

TELL_EVERY_SECONDS = 0.1


class _Scan(QRunnable):
    """Headers first, so that pictures show at once; then every pixel of what is new."""

    def __init__(self, scanner: Scanner, folders: Sequence[Path]) -> None:
        super().__init__()
        self._scanner, self._folders = scanner, folders

    def run(self) -> None:
        dataset = None
        try:
            dataset = self._scanned()
        finally:
            with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
                self._scanner.ended.emit(dataset)

    def _scanned(self) -> Dataset | None:
        scanner, memory = self._scanner, self._scanner.memory
        there = scan.walk(self._folders)
        paths = there.pictures
        if not all(memory.knows(path) for path in paths):
            quick = (
                memory.examine(path) if memory.knows(path) else scan.examine(path, decode=False)
                for path in paths
            )
            first_look = []
            for one in quick:
                if scanner.stopped.is_set():
                    return None
                first_look.append(one)
            scanner.looked.emit(scan.dataset_of(first_look, there.findings))
        found = []
        told = 0.0
        for number, path in enumerate(paths):
            if scanner.stopped.is_set():
                return None
            if time.monotonic() - told > TELL_EVERY_SECONDS:
                told = time.monotonic()
                scanner.progressed.emit(number, len(paths))
            found.append(memory.examine(path))
        return scan.dataset_of(found, there.findings)


class Scanner(QObject):
    """Tells what is there: `found` is a first look, `scanned` is sure."""

    started = Signal()
    progressed = Signal(int, int)  # done, of how many
    found = Signal(object)  # a Dataset
    scanned = Signal(object)  # a Dataset
    rested = Signal()  # no scan follows
    looked = Signal(object)  # from the thread: a Dataset
    ended = Signal(object)  # from the thread: a Dataset, or None if it was stopped

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
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
        self._pool.start(_Scan(self, folders))

    def stop(self) -> None:
        """Give up the scan that goes on, if any; `scanned` will not tell of it."""
        self.stopped.set()
        self._next = None

    def finish(self) -> None:
        """End the thread; before the program ends."""
        self.stop()
        self._pool.waitForDone()

    @Slot(object)
    def _on_looked(self, dataset: Dataset) -> None:
        if not self.stopped.is_set():
            self.found.emit(dataset)

    @Slot(object)
    def _on_ended(self, dataset: Dataset | None) -> None:
        self.running = False
        if dataset is not None and not self.stopped.is_set():
            self.scanned.emit(dataset)
        if self._next is not None:
            folders, self._next = self._next, None
            self.start(folders)
        else:
            self.rested.emit()
