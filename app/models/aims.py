"""What crops keep of pictures, where a person has said it; can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.models.undoing import Latest, Undoing
from core.data import focus, said
from core.data.focus import Point
from core.data.history import Notes
from core.data.steps import Aim
from core.errors import UserError
from core.project.layout import Project


class Aims(QObject):
    """The open project's."""

    changed = Signal(object)  # the Path of a picture of which a crop keeps another part
    failed = Signal(str)  # they could not be read or written; in words

    def __init__(self, undoing: Undoing, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.points: dict[Path, Point] = {}
        self._undoing = undoing
        self._project: Project | None = None

    def open(self, project: Project | None) -> None:
        """Those of another project."""
        self._project = project
        self._read()

    def read(self, pictures: Iterable[Path]) -> None:
        """These have others on the disk now."""
        self._read()
        for path in pictures:
            self.changed.emit(path)

    def set(self, path: Path, point: Point | None) -> None:
        """What crops are to keep of a picture; None is its middle."""
        if self._project is None or point == self.points.get(path):
            return
        latest = self._undoing.going_on(path)
        if latest is not None and not isinstance(latest.change, Aim):
            latest = None
        words = f"crop of {path.name}"
        notes = self._undoing.begun(words, latest)
        if notes is None:
            return
        with notes:
            change = self._write(self._project, (path, point), notes, latest)
        if change is None:
            if latest is None:
                self._undoing.drop(notes.number)
        elif latest is not None or self._undoing.did(notes.number, words, quick=True):
            self._undoing.latest = Latest(notes.number, path, "", change)

    def _write(
        self, project: Project, aim: tuple[Path, Point | None], notes: Notes, latest: Latest | None
    ) -> Aim | None:
        """What has changed, or None where that failed."""
        path, point = aim
        try:
            points = focus.read(project.focus_file, project.root)  # others write it, too
            if latest is not None and isinstance(latest.change, Aim):
                change = Aim(path, latest.change.old, point, latest.change.before)
                notes.again(0, change)
            else:
                change = Aim(path, points.get(path), point, said.aimed_before(project))
                notes.note(change)
            if point is None:
                points.pop(path, None)
            else:
                points[path] = point
            focus.write(project.focus_file, points, project.root)
        except UserError as error:
            self.failed.emit(str(error))
            return None
        self.points = points
        self.changed.emit(path)
        return change

    def _read(self) -> None:
        self.points = {}
        if self._project is not None:
            try:
                self.points = focus.read(self._project.focus_file, self._project.root)
            except UserError as error:
                self.failed.emit(str(error))
