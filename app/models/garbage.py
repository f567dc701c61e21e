"""Python's garbage is collected between two events, and by no thread.

Python collects where it happens to make objects, in any thread; and where a widget or model of Qt
is among the garbage, it is taken apart there, which Qt does not survive.
"""

from __future__ import annotations

import gc
import time

from PySide6.QtCore import QObject, QTimer, Slot

EVERY_MS = 200
OLD = 2  # the generation that holds everything: to look at 100,000 pictures' takes a while
REST_SECONDS = 10.0  # between two thoughts of looking at that
MORE = 1.25  # times as much as after the last such look makes another worth it, as Python thinks


class Garbage(QObject):
    """Collects as Python would, by its own thresholds, in the thread in which it was made."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._held = 0  # objects, after the last look at everything
        self._rests_until = 0.0
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(self._on_time)
        self._timer.start()

    @Slot()
    def _on_time(self) -> None:
        counts, most = gc.get_count(), gc.get_threshold()
        due = [number for number in range(OLD) if counts[number] > most[number]]
        if counts[OLD] > most[OLD] and time.monotonic() > self._rests_until:
            self._rests_until = time.monotonic() + REST_SECONDS
            if len(gc.get_objects(generation=OLD)) > MORE * self._held:
                gc.collect(OLD)
                self._held = len(gc.get_objects(generation=OLD))
                return
        if due:
            gc.collect(due[-1])
