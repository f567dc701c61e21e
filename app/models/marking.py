"""What a person says of pictures and folders beside captions; can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.figures import count_of
from app.models.background import Background
from app.models.undoing import Undoing
from core.data import marks, said
from core.data.history import Notes
from core.data.marks import Mark, Marks
from core.errors import UserError
from core.project.layout import Project

FEW = 1000  # pictures: so many are marked before anyone could wait for it


class Marking(QObject):
    """The open project's marks: shown at once, written by the thread."""

    changed = Signal()
    failed = Signal(str)  # they could not be read or written; in words

    def __init__(self, undoing: Undoing, files: Background, parent: QObject | None = None) -> None:
        """`files` is the thread that works with files, in order."""
        super().__init__(parent)
        self.said = Marks()
        self._undoing, self._files = undoing, files
        self._project: Project | None = None
        self._writing = 0  # that has not ended

    def open(self, project: Project | None) -> None:
        """Those of another project."""
        self._project = project
        self._read()

    def read(self) -> None:
        """Another program may have written them; what we have not yet written is not forgotten."""
        if not self._writing:
            self._read()

    def set(self, words: str, new: Mapping[Path, Mark]) -> None:
        """What is said of pictures, `words` for what was done; all of them are one step back."""
        if any(self.said.of(path) != mark for path, mark in new.items()):
            self._put(words, Marks(dict(new)))

    def set_repeats(self, new: Mapping[Path, int]) -> None:
        """How often the pictures of folders come; 0 is as their names ask."""
        wanted = {path: n for path, n in new.items() if self.said.folders.get(path, 0) != n}
        if wanted:
            self._put(f"Repeats of {count_of(len(wanted), 'folder')}", Marks({}, wanted))

    def _put(self, words: str, new: Marks) -> None:
        project = self._project
        notes = self._undoing.begun(words)
        if project is None or notes is None:
            return
        if not self._undoing.did(notes.number, words, quick=len(new.pictures) <= FEW):
            return
        self._writing += 1
        self._show(self.said.changed(new.pictures, new.folders))
        self._files.start(
            "Marking pictures",
            lambda _work: _written(project, new, notes),
            lambda problem, bug: self._on_written(str(problem or bug)),
        )

    def _on_written(self, problem: str) -> None:
        self._writing -= 1
        if problem:
            self.failed.emit(problem)
        self.read()

    def _read(self) -> None:
        found = Marks()
        if self._project is not None:
            try:
                found = marks.read(self._project.marks_file, self._project.root)
            except UserError as error:
                self.failed.emit(str(error))
        if found != self.said:
            self._show(found)

    def _show(self, found: Marks) -> None:
        self.said = found
        self.changed.emit()


def _written(project: Project, new: Marks, notes: Notes) -> str:
    """Write down other marks; what went wrong, in words."""
    try:
        with notes:
            notes.note(said.marked(project, new))
            now = marks.read(project.marks_file, project.root)  # others write it, too
            marks.write(project.marks_file, now.changed(new.pictures, new.folders), project.root)
    except UserError as error:
        return str(error)
    return ""
