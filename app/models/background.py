"""A thread that works with files, one thing after the other, so that the window never waits."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from threading import Event

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot

log = logging.getLogger(__name__)
TELL_EVERY_SECONDS = 0.1

Then = Callable[[object, str], None]  # what came of it, or None and why, in words


class Work:
    """What a piece of work is given: whether it was stopped, and whom to tell how far it is."""

    def __init__(self, tell: Callable[[int, int], None], stopped: Event) -> None:
        self._tell, self._stopped, self._told = tell, stopped, 0.0

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def tell(self, done: int, total: int) -> None:
        """How far it is; passed on ten times a second at most."""
        if time.monotonic() - self._told >= TELL_EVERY_SECONDS:
            self._told = time.monotonic()
            self._tell(done, total)


class _Run(QRunnable):
    def __init__(
        self, owner: Background, words: str, do: Callable[[Work], object], then: Then
    ) -> None:
        super().__init__()
        self._owner, self._words, self._do, self._then = owner, words, do, then
        self._stopped = owner.stopped  # its own: what comes later is not stopped with it

    def run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._owner.ended.emit(self._then, *self._outcome())

    def _outcome(self) -> tuple[object, str]:
        def tell(done: int, total: int) -> None:
            self._owner.progressed.emit(f"{self._words}, {done:,} of {total:,}")

        try:
            return self._do(Work(tell, self._stopped)), ""
        except Exception as error:  # whoever waits must hear of the end
            log.exception("%s broke", self._words)
            return None, f"{self._words} ended early: {type(error).__name__}: {error}."


class Background(QObject):
    """Works off its queue in order, and tells what it is at."""

    progressed = Signal(str)  # what goes on, in words
    ended = Signal(object, object, str)  # from the thread: a Then and what it is told
    rested = Signal()  # there is nothing more to do

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stopped = Event()
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._left = 0
        self.ended.connect(self._on_ended)

    @property
    def busy(self) -> bool:
        return self._left > 0

    def start(self, words: str, do: Callable[[Work], object], then: Then) -> None:
        """Do `do` in the thread once its turn comes; `then` hears of the end in ours."""
        if self.stopped.is_set():
            self.stopped = Event()
        self._left += 1
        self.progressed.emit(words)
        self._pool.start(_Run(self, words, do, then))

    def stop(self) -> None:
        """Ask what was started until now to end early."""
        self.stopped.set()

    def finish(self) -> None:
        """Wait for the end of everything; before the program ends."""
        self._pool.waitForDone()

    @Slot(object, object, str)
    def _on_ended(self, then: Then, result: object, problem: str) -> None:
        self._left -= 1
        then(result, problem)
        if not self._left:
            self.rested.emit()
