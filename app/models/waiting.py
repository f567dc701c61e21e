"""The queue of runs as the window sees it; other programs may change its file, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.config.options import RunConfig
from core.errors import UserError
from core.project import run_queue
from core.project.layout import Project
from core.project.run_queue import Entries, Waiting


class WaitingRuns(QObject):
    """What waits, and which of it is being trained; it starts nothing by itself."""

    changed = Signal()
    failed = Signal(str)  # in words

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self.entries: Entries = ()
        self.training = ""  # the folder of that one
        self.held = True  # nothing begins by itself: the person has not said so
        self.refresh()

    def refresh(self) -> None:
        """See what another program has changed."""
        self._put(lambda: run_queue.read(self._file))

    @property
    def following(self) -> Waiting | None:
        """The next to be trained."""
        return run_queue.following(self.entries)

    @property
    def names(self) -> frozenset[str]:
        """The folders of all."""
        return frozenset(entry.folder for entry in self.entries)

    def hold(self, *, held: bool) -> None:
        """Let nothing begin after what goes on, or let it."""
        if self.held != held:
            self.held = held
            self.changed.emit()

    def add(self, project: Project, config: RunConfig, seconds: float | None) -> Waiting | None:
        """Let a run with these settings wait; None where it could not be written."""
        try:
            entry = run_queue.enter(self._file, project, config, seconds or 0.0)
        except UserError as error:
            self.failed.emit(str(error))
            return None
        self.refresh()
        return entry

    def begin(self, folder: str) -> None:
        """This run is being trained; it need not be one of the queue."""
        self.training = folder
        self.changed.emit()

    def done(self) -> None:
        """What was trained came to its end."""
        folder, self.training = self.training, ""
        self._change(lambda entries: run_queue.without(entries, folder))

    def stopped(self) -> None:
        """What was trained waits to go on, and with it all others."""
        self.training, self.held = "", True
        self.changed.emit()

    def amiss(self, problem: str) -> None:
        """What was trained failed; the others need not wait for it."""
        folder, self.training = self.training, ""
        self._change(lambda entries: run_queue.told(entries, folder, problem))

    def try_again(self, folder: str) -> None:
        """Its reason has gone, says the person."""
        self._change(lambda entries: run_queue.told(entries, folder, ""))

    def move(self, folder: str, by: int) -> None:
        """Put one so many places later, or earlier."""
        self._change(lambda entries: run_queue.moved(entries, folder, by))

    def remove(self, folder: str) -> None:
        """Take one out; of one that never began nothing stays."""
        entry = next((one for one in self.entries if one.folder == folder), None)
        if entry and folder != self.training:
            self._change(lambda entries: run_queue.without(entries, folder))
            if folder not in self.names:
                run_queue.forget(entry)

    def ready_seconds(self, before: float | None) -> dict[str, float]:
        """In how many seconds each is ready, as far as known; see `run_queue.ready_seconds`."""
        waiting = [entry for entry in self.entries if entry.folder != self.training]
        return run_queue.ready_seconds(waiting, before)

    def _change(self, how: Callable[[Entries], Entries]) -> None:
        self._put(lambda: run_queue.change(self._file, how))

    def _put(self, make: Callable[[], Entries]) -> None:
        try:
            self.entries = make()
        except UserError as error:
            self.failed.emit(str(error))
        self.changed.emit()
