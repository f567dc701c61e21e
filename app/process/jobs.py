"""The queue of everything that needs the device: one worker at a time, and its only owner."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from app.process.worker import Worker
from core.protocol.commands import CaptionJob, FileJob, Job, RateJob, SampleJob, Word
from core.protocol.events import Failed

LAST_MS = 2000  # for a worker that was killed to be gone


class Task(QObject):
    """One job from the wish to its end; what is said to it before it runs is kept for it."""

    said = Signal(object)  # an Event
    ended = Signal(object)  # None, or a Failed; comes once, also if it never ran

    def __init__(self, job: Job, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.job = job
        self.open = True  # for further words
        self._words: list[Word] = []
        self._worker: Worker | None = None
        self._gives_way = False  # its end is no failure

    @property
    def running(self) -> bool:
        return self._worker is not None

    @property
    def pid(self) -> int:
        return self._worker.pid if self._worker else 0

    def send(self, word: Word) -> None:
        """Say something to the job."""
        if self._worker:
            self._worker.send(word)
        else:
            self._words.append(word)

    def kill(self) -> None:
        """End it at once; what it has not saved is lost."""
        if self._worker:
            self._worker.kill()

    def give_way(self, *, now: bool) -> None:
        """End for what comes next: `now`, or after the picture in hand."""
        self.open, self._gives_way = False, True
        if self._worker and now:
            self._worker.kill()
        elif self._worker:
            self._worker.close()

    def start(self, worker: Worker) -> None:
        """The device is free."""
        self._worker = worker
        worker.said.connect(self.said)
        worker.start(self.job)
        for word in self._words:
            worker.send(word)

    def end(self, failure: Failed | None) -> None:
        """Its worker is gone."""
        self.open, self._worker = False, None
        self.ended.emit(None if self._gives_way else failure)


class Jobs(QObject):
    """First come, first served; an engine that draws makes room for whatever waits."""

    changed = Signal()  # something runs or waits that did not, or no longer

    def __init__(
        self, parent: QObject | None = None, *, make_worker: Callable[[QObject], Worker] = Worker
    ) -> None:
        super().__init__(parent)
        self._make_worker = make_worker
        self._waiting: list[Task] = []
        self._current: Task | None = None
        self._worker: Worker | None = None

    @property
    def pending(self) -> bool:
        """Whether something is being made, or waits to be, that the person would miss.

        What a captioner tells is asked about by itself: it is kept until it is written. A sweep of
        learning rates leaves nothing.
        """
        tasks = [*self._waiting, *([self._current] if self._current else [])]
        return any(not isinstance(task.job, SampleJob | CaptionJob | RateJob) for task in tasks)

    def add(self, task: Task) -> None:
        """Put a job at the end of the queue."""
        task.setParent(self)
        self._waiting.append(task)
        self._go_on()

    def drop(self, task: Task) -> None:
        """Forget a job that has not begun."""
        if task in self._waiting:
            self._waiting.remove(task)
            task.end(None)
            self.changed.emit()

    def end(self) -> None:
        """The program closes: nothing runs or waits any more."""
        self._waiting.clear()
        if self._current and self._worker:
            worker = self._worker
            self._current.give_way(now=True)
            worker.wait(LAST_MS)

    def _go_on(self) -> None:
        if self._current is None and self._waiting:
            task = self._current = self._waiting.pop(0)
            worker = self._worker = self._make_worker(self)
            worker.ended.connect(self._on_ended)
            task.start(worker)
        elif self._waiting and self._current and isinstance(self._current.job, SampleJob):
            # the picture in hand is worth waiting for only to what does not change the models
            self._current.give_way(now=not isinstance(self._waiting[0].job, FileJob))
        self.changed.emit()

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        task, worker = self._current, self._worker
        self._current = self._worker = None
        if worker:
            worker.deleteLater()
        if task:
            task.end(failure)
            task.deleteLater()
        self._go_on()
