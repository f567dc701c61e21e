"""A dataset's folders: looked at when asked, and soon after other programs changed something."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.models.scanner import Look, Scanner, Shown
from app.models.watcher import Watcher

SETTLE_MS = 150  # of changes by other programs, which seldom come alone
LESS_OFTEN = 5  # times as long as a scan took: until the next one that nobody asked for


class Folders(QObject):
    """Scans and watches them, in threads."""

    started = Signal()  # a scan
    progressed = Signal(int, int)  # done, of how many
    found = Signal(object)  # a Look
    rested = Signal()  # no scan follows
    stale = Signal()  # it is time to look again

    def __init__(
        self, shown: Callable[[], Shown], busy: Callable[[], bool], parent: QObject | None = None
    ) -> None:
        """`shown` is what is seen now (see `Scanner`); while we are `busy`, `stale` waits."""
        super().__init__(parent)
        self._busy = busy
        self._scanner = Scanner(shown, self)
        self._watcher = Watcher(self)
        self._soon = QTimer(self, singleShot=True)
        self._began = self._took = 0.0
        self._soon.timeout.connect(self._on_settled)
        self._watcher.changed.connect(self._on_changed_outside)
        self._scanner.walked.connect(self._on_walked)
        self._scanner.started.connect(self._on_started)
        self._scanner.progressed.connect(self.progressed)
        self._scanner.found.connect(self._on_found)
        self._scanner.rested.connect(self.rested)

    @property
    def running(self) -> bool:
        """Whether a scan goes on."""
        return self._scanner.running

    def leave(self, catalogue: Path | None) -> None:
        """Look at nothing until told; then what is found is remembered in `catalogue`."""
        self._scanner.stop()
        self._soon.stop()
        self._watcher.rest()
        if catalogue is not None:
            self._scanner.remember_in(catalogue)

    def look(self, folders: Sequence[Path]) -> None:
        """Scan these now, or once more when the scan that goes on has ended; then watch them."""
        self._scanner.start(folders)

    def know(self, files: Iterable[Path]) -> None:
        """We have written these just now: they are no news."""
        self._watcher.know(files)

    def finish(self) -> None:
        """End the threads; before the program ends."""
        self._soon.stop()
        self._watcher.finish()
        self._scanner.finish()

    @Slot()
    def _on_started(self) -> None:
        self._began = time.monotonic()
        self.started.emit()

    @Slot(object)
    def _on_found(self, look: Look) -> None:
        if look.sure:
            self._took = time.monotonic() - self._began
        self.found.emit(look)

    @Slot(object, object)
    def _on_walked(self, folders: Sequence[Path], began_ns: int) -> None:
        if not self._scanner.stopped.is_set():
            self._watcher.watch(folders, began_ns)

    @Slot()
    def _on_changed_outside(self) -> None:
        """Once it has settled, and not so often that looking is all that is done."""
        if not self._soon.isActive():
            since = time.monotonic() - self._began
            self._soon.start(max(SETTLE_MS, round(1000 * (LESS_OFTEN * self._took - since))))

    @Slot()
    def _on_settled(self) -> None:
        if self._busy() or self._scanner.running:
            self._soon.start(SETTLE_MS)
        else:
            self.stale.emit()
