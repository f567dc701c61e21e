"""Tells when other programs have changed something in the folders of a dataset."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.data.watch import Watch

EVERY_SECONDS = 0.5
LOOK_SECONDS = 0.02  # at files, once all folders were looked at
REST = 25  # times as long as a look took: on a slow drive there are fewer of them


class Watcher(QObject):
    """A thread of its own, since a drive that is gone may keep it waiting; nobody waits for it."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._watch = Watch()
        self._wanted: tuple[Sequence[Path], int] | None = None
        self._woken = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def know(self, files: Iterable[Path]) -> None:
        """We have written these just now."""
        if self._thread is not None:
            self._watch.know(files)

    def watch(self, folders: Sequence[Path], since_ns: int) -> None:
        """Watch these from now on; a scan that began at `since_ns` has seen them."""
        self._wanted = folders, since_ns
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """Watch nothing until told."""
        self._wanted = (), 0

    def finish(self) -> None:
        """Before the program ends."""
        self._stopped = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _run(self) -> None:
        pause = EVERY_SECONDS
        while not self._stopped:
            if wanted := self._wanted:
                self._wanted = None
                self._watch.begin(*wanted)
            began = time.monotonic()
            changed = self._watch.look(LOOK_SECONDS)
            pause = max(EVERY_SECONDS, REST * (time.monotonic() - began))
            if changed and not self._stopped:
                with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
                    self.changed.emit()
            self._woken.wait(pause)
