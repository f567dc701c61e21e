"""The undo stack of a dataset: steps on the disk, brought back at the next start."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack
from typing_extensions import override

from app.models.background import Background, Work
from core.data import steps
from core.data.history import MOST_STEPS, DamagedError, Entry, History, Notes
from core.data.steps import Change, Outcome
from core.errors import StorageError
from core.project.layout import Project


class Travel(Protocol):
    """Takes a step back, or does it again."""

    def __call__(self, step: Step, *, back: bool) -> None: ...


class Step(QUndoCommand):
    """What was done; the history knows what it changed."""

    def __init__(self, entry: Entry, travel: Travel) -> None:
        super().__init__(entry.said)
        self.entry, self._travel = entry, travel
        self._done = True  # when it comes into the stack it has been done

    @override
    def redo(self) -> None:
        if not self._done:
            self._travel(self, back=False)
        self._done = True

    @override
    def undo(self) -> None:
        self._travel(self, back=True)
        self._done = False


class Undoing(QObject):
    """Steps are noted before files change, and carried out where the files are as they are known.

    A step is begun (`begin`), noted change by change, and then `did`; or `drop`ped, where it came
    to nothing.
    """

    travelled = Signal(object, object, bool)  # an Outcome, the Entry (or None), whether back
    lost = Signal(str)  # what was done before cannot be undone, and why, in words

    def __init__(self, files: Background, parent: QObject | None = None) -> None:
        """`files` is the thread that works with files, in order."""
        super().__init__(parent)
        self._files = files
        self.stack = QUndoStack(self)
        self.stack.setUndoLimit(MOST_STEPS)
        self._project: Project | None = None
        self.history: History | None = None
        self._restoring = False

    def open(self, project: Project | None) -> None:
        """Bring back what was done to a project, and end what was cut short."""
        self.close()
        self.stack.clear()
        self._project = project
        if project is None:
            return
        self.history = History(project)
        past, problem = self.history.open()
        self._restoring = True
        for entry in past.entries:
            self.stack.push(Step(entry, self._travel))
        self.stack.setIndex(past.done)
        self._restoring = False
        for number, back in list(past.unfinished):
            self._carry_on(number, None, "Ending what was begun", back=back)
        if problem:
            self.lost.emit(problem)

    def close(self) -> None:
        """Other windows may have the history."""
        if self.history is not None:
            self.history.close()
        self.history = None

    def begin(self, said: str) -> Notes:
        """A new step; what it changes is noted before it is changed.

        Raises:
            StorageError: It cannot be written down, so nothing is to be done.
        """
        if self.history is None:
            raise StorageError("No project is open.")
        return self.history.begin(said)

    def did(
        self, number: int, said: str, *, shows: Path | None = None, quick: bool = False
    ) -> None:
        """A step is the last one: `shows` is seen when it is undone; a quick one is no wait.

        Raises:
            StorageError: It cannot be written down.
        """
        if self.history is not None:
            entry = Entry(number, said, shows, quick)
            self.history.did(entry)
            self.stack.push(Step(entry, self._travel))

    def drop(self, number: int) -> None:
        """A step changed nothing."""
        if self.history is not None:
            self.history.drop(number)

    def last(self) -> int:
        """The number of the step that was just done; 0 where something was undone since."""
        top = self.stack.command(self.stack.count() - 1) if self.stack.count() else None
        if self.stack.canRedo() or not isinstance(top, Step):
            return 0
        return top.entry.number

    def _travel(self, step: Step, *, back: bool) -> None:
        history, entry = self.history, step.entry
        if self._restoring or history is None:
            return
        if not history.knows(entry.number):
            step.setObsolete(True)
            history.drop(entry.number)
            words = f"It is too long ago: {entry.said}. It cannot be undone or redone any more."
            self.travelled.emit(Outcome(failed=[words]), None, back)
            return
        with contextlib.suppress(StorageError):  # then the next start finds it as it is on the disk
            history.asked(entry.number, back=back)
        words = f"{'Undoing' if back else 'Redoing'}: {entry.said}"
        self._carry_on(entry.number, entry, words, back=back)

    def _carry_on(self, number: int, entry: Entry | None, words: str, *, back: bool) -> None:
        history, project = self.history, self._project
        if history is None or project is None:
            return
        if entry is not None and entry.quick and not self._files.busy:
            outcome = carried_out(history, project, number, back=back)
            self.travelled.emit(outcome, entry, back)
            return
        self._files.start(
            words,
            lambda work: carried_out(history, project, number, work, back=back),
            lambda outcome, bug: self._on_carried_out(project, outcome, bug, entry, back=back),
        )

    def _on_carried_out(
        self, project: Project, outcome: object, bug: str, entry: Entry | None, *, back: bool
    ) -> None:
        told = outcome if isinstance(outcome, Outcome) else Outcome(failed=[bug])
        if project != self._project:  # another one is open: only what went wrong is of interest
            told, entry = Outcome(failed=told.failed), None
        self.travelled.emit(told, entry, back)


def carried_out(
    history: History, project: Project, number: int, work: Work | None = None, *, back: bool
) -> Outcome:
    """Take a step back, or do it again."""

    def again(at: int, change: Change) -> None:
        with history.go_on(number) as notes:
            notes.again(at, change)

    try:
        changes = history.changes(number)
    except DamagedError as error:
        words = f"What was changed is not known any more ({error}); all files stay as they are."
        outcome = Outcome(failed=[words])
    else:
        tell = None if work is None else work.tell
        outcome = steps.travel(changes, project, again, tell, back=back)
    history.ended(number)
    return outcome
