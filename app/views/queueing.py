"""Lets runs wait in the queue, and begins the next when one has ended."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot

from app.models.studio import Studio
from app.process.session import Ending

PLACE = "Train"


class Queueing(QObject):
    """A run that fails does not keep the others; one that the person stops does."""

    def __init__(self, studio: Studio, all_written: Callable[[], bool], parent: QObject) -> None:
        """`all_written` writes what a run would read; False where that cannot be."""
        super().__init__(parent)
        self._studio, self._waiting, self._session = studio, studio.waiting, studio.session
        self._all_written = all_written
        add = studio.actions.add
        self._add = add(
            "queue.add", "Add to queue", self.add, place=PLACE, keys=("Ctrl+Shift+Return",)
        )
        self._add.setToolTip("Freeze these settings as a run that waits for its turn")
        self._start = add("queue.start", "Start the queue", self.start, place=PLACE)
        self._hold = add("queue.hold", "Hold the queue", self.hold, place=PLACE)
        self._hold.setToolTip("What trains goes on; nothing begins after it")
        self._waiting.changed.connect(self._on_waiting_changed)
        self._waiting.failed.connect(studio.news.failure)
        self._session.changed.connect(self._on_session_changed)
        self._session.ended.connect(self._on_ended)
        studio.settings.changed.connect(self._on_changed)
        studio.dataset.refreshed.connect(self._on_changed)
        studio.dataset.busy_changed.connect(self._on_changed)
        self._on_changed()
        self._on_waiting_changed()

    def add(self) -> None:
        """Let a run with the settings as they are wait as the last."""
        studio = self._studio
        project, config = studio.workspace.project, studio.settings.config
        if project is None or config is None or not self._all_written():
            return
        seconds = studio.runs.estimate_seconds(config)
        entry = self._waiting.add(project, config, seconds)
        if entry is None:
            return
        if self._session.busy:
            self._waiting.hold(held=False)
        number = entry.run.number
        after = "after the one that trains" if self._session.busy else "until the queue is started"
        studio.news.note(f"Run {number} waits {after}. It keeps the settings that it has now.")

    def start(self) -> None:
        """Train what waits, one after the other."""
        self._waiting.hold(held=False)
        self._next()

    def hold(self) -> None:
        """Begin nothing after what goes on."""
        self._waiting.hold(held=True)

    @Slot()
    def _next(self) -> None:
        self._waiting.refresh()
        entry = self._waiting.following
        if entry is None or self._session.busy or self._waiting.held:
            return
        if entry.project == self._studio.workspace.project and not self._all_written():
            self._waiting.hold(held=True)  # a message says what could not be written
            return
        self._session.train(entry.project.root, entry.run.root.name, by_hand=False)

    @Slot(object, str)
    def _on_ended(self, ending: Ending, problem: str) -> None:
        match ending:
            case Ending.DONE:
                self._waiting.done()
            case Ending.STOPPED:
                self._waiting.stopped()
            case Ending.FAILED:
                self._waiting.amiss(problem)
        QTimer.singleShot(0, self, self._next)  # once everybody knows of the end

    @Slot()
    def _on_session_changed(self) -> None:
        folder = self._session.folder if self._session.busy else ""
        if folder and folder != self._waiting.training:
            self._waiting.begin(folder)
        self._on_waiting_changed()

    @Slot()
    def _on_changed(self) -> None:
        ready = self._studio.settings.config is not None
        self._add.setEnabled(ready and not any(one.needed for one in self._studio.lacks()))

    @Slot()
    def _on_waiting_changed(self) -> None:
        waiting, busy = self._waiting, self._session.busy
        others = any(
            not entry.problem and entry.folder != waiting.training for entry in waiting.entries
        )
        self._start.setVisible(others and (waiting.held or not busy))
        self._hold.setVisible(others and busy and not waiting.held)
