"""The undo stack of a dataset: steps on the disk, brought back at the next start."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack
from typing_extensions import override

from app.models.background import Background, Work
from core.data.history import MOST_STEPS, History, Notes
from core.data.past import Entry
from core.data.step_lines import DamagedError
from core.data.steps import Aim, Change, Outcome, Text
from core.data.travel import travel
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


@dataclass(frozen=True, slots=True)
class Latest:
    """The caption or the crop that was changed last: to go on with it is no step of its own."""

    step: int
    path: Path
    text: str
    change: Text | Aim


class Undoing(QObject):
    """Steps are noted before files change, and carried out where the files are as they are known.

    A step is begun (`begun`), noted change by change, and then `did`; or `drop`ped, where it came
    to nothing.
    """

    travelled = Signal(object, object, bool)  # an Outcome, the Entry (or None), whether back
    failed = Signal(str)  # something cannot be written down or undone; why, in words

    def __init__(self, files: Background, parent: QObject | None = None) -> None:
        """`files` is the thread that works with files, in order."""
        super().__init__(parent)
        self._files = files
        self.stack = QUndoStack(self)
        self.stack.setUndoLimit(MOST_STEPS)
        self._project: Project | None = None
        self.history: History | None = None
        self.latest: Latest | None = None
        self._restoring = False

    def open(self, project: Project | None) -> None:
        """Bring back what was done to a project, and end what was cut short."""
        self.close()
        self.stack.clear()
        self.latest = None
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
            self.failed.emit(problem)

    def close(self) -> None:
        """Other windows may have the history."""
        if self.history is not None:
            self.history.close()
        self.history = None

    def begun(self, said: str, latest: Latest | None = None) -> Notes | None:
        """A new step, or the latest: what it changes is noted there before it is changed.

        None where that cannot be, which is told: then nothing is to be done.
        """
        if self.history is None:
            return None
        try:
            if latest is not None:
                return self.history.go_on(latest.step)
            return self.history.begin(said)
        except StorageError as error:
            self.failed.emit(str(error))
            return None

    def did(
        self, number: int, said: str, *, shows: Path | None = None, quick: bool = False
    ) -> bool:
        """A step is the last one: `shows` is seen when it is undone; a quick one is no wait.

        False where it cannot be written down, which is told.
        """
        if self.history is None:
            return False
        entry = Entry(number, said, shows, quick)
        try:
            self.history.did(entry)
        except StorageError as error:
            self.failed.emit(str(error))
            return False
        self.stack.push(Step(entry, self._travel))
        return True

    def drop(self, number: int) -> None:
        """A step changed nothing."""
        if self.history is not None:
            self.history.drop(number)

    def going_on(self, path: Path) -> Latest | None:
        """What was changed of this very picture just now, and nothing since."""
        latest, top = self.latest, None
        if self.stack.count() and not self.stack.canRedo():
            top = self.stack.command(self.stack.count() - 1)
        if latest is None or latest.path != path or self.history is None:
            return None
        if not isinstance(top, Step) or top.entry.number != latest.step:
            return None
        return None if self.history.is_long(latest.step) else latest

    def _travel(self, step: Step, *, back: bool) -> None:
        history, entry = self.history, step.entry
        if self._restoring or history is None:
            return
        self.latest = None
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
        outcome = travel(changes, project, again, tell, back=back)
    history.ended(number)
    return outcome
