"""Finds out what adapter files are, beside whatever else goes on: it needs no device."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.process.jobs import Jobs, Task
from core.protocol.commands import InspectJob
from core.protocol.events import Event, Failed, Inspected

Stamp = tuple[str, int, int]  # a file as it is: its path, time and size


class Inspector(QObject):
    """Remembers what it was told, for as long as a file stays the same. `jobs` are its own."""

    changed = Signal()  # something is known that was not

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._task: Task | None = None
        self._known: dict[Stamp, Inspected] = {}
        self._asked: dict[str, Stamp] = {}  # by path, those of the task
        self._next: list[Path] = []  # wished for while it is at others

    @property
    def busy(self) -> bool:
        return self._task is not None

    def known(self, path: Path) -> Inspected | None:
        """What a file is; None where it is not known, or not yet."""
        stamp = _stamp(path)
        return self._known.get(stamp) if stamp else None

    def want(self, paths: Iterable[Path]) -> None:
        """Look at those that are not known, in this order."""
        wished = list(paths)
        if self._task:
            self._next = [*wished, *(path for path in self._next if path not in wished)]
            return
        stamps = {str(path): stamp for path in wished if (stamp := _stamp(path))}
        self._asked = {path: stamp for path, stamp in stamps.items() if stamp not in self._known}
        if self._asked:
            task = self._task = Task(InspectJob(files=list(self._asked)))
            task.said.connect(self._on_said)
            task.ended.connect(self._on_ended)
            self._jobs.add(task)

    def finish(self) -> None:
        """The program ends."""
        self._next = []
        self._jobs.end()

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        if isinstance(event, Inspected) and event.path in self._asked:
            self._known[self._asked.pop(event.path)] = event
            self.changed.emit()

    @Slot(object)
    def _on_ended(self, failure: Failed | None) -> None:
        self._task = None
        if failure:  # it is not asked again and again
            problem = f"It could not be looked at. {failure.message}"
            for path, stamp in self._asked.items():
                self._known[stamp] = Inspected(path=path, problem=problem)
            self.changed.emit()
        wished, self._next = self._next, []
        self.want(wished)


def _stamp(path: Path) -> Stamp | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return str(path), about.st_mtime_ns, about.st_size
