"""What is amiss, a line a kind: choosing one shows its pictures, and one button mends them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QModelIndex, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QListView, QVBoxLayout, QWidget

from app.figures import count_of
from app.models.dataset import Dataset
from app.models.findings import Group
from app.widgets import labels
from app.widgets.button import ActionButton
from core.data import health, wording
from core.data.scan import Picture
from core.data.walk import SUFFIXES

LINES, LINES_LOW = 5, 2  # that are seen at once; in a low window
LOW_PX = 640


@dataclass(frozen=True, slots=True)
class Mend:
    """What can be done about a group at once; it can be undone."""

    words: str  # on the button
    said: str  # once it is done
    do: Callable[[], None]


class FindingsPanel(QFrame):
    """The list, what the chosen line advises, and its button."""

    chosen = Signal(object)  # a Group
    emptied = Signal()  # nothing is left of what was chosen

    def __init__(self, dataset: Dataset, mend: QAction, parent: QWidget | None = None) -> None:
        """`mend` is the button's action, which has its words for each line."""
        super().__init__(parent)
        self.setObjectName("panel")
        self._dataset = dataset
        self._kind: tuple[bool, str] | None = None  # that is chosen
        self.list = QListView()
        self.list.setObjectName("findings")
        self.list.setAccessibleName("Findings")
        self.list.setModel(dataset.findings)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # its tip
        self.list.selectionModel().currentChanged.connect(self._on_chosen)
        self.list.clicked.connect(self._on_chosen)
        dataset.findings.modelReset.connect(self._on_changed)
        self.hint = labels.secondary()
        self._action = mend
        foot = QHBoxLayout()
        foot.setContentsMargins(14, 0, 6, 0)
        foot.addWidget(self.hint, stretch=1)
        foot.addWidget(ActionButton(mend), alignment=Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.list)
        column.addLayout(foot)
        self._show(None)

    @property
    def group(self) -> Group | None:
        """The chosen line's."""
        return self.list.currentIndex().data(Qt.ItemDataRole.UserRole)

    def choose_none(self) -> None:
        """No line is chosen."""
        self.list.selectionModel().clear()
        self._show(None)

    def fit(self) -> None:
        """As high as its lines are, up to some: in a low window the pictures need the room."""
        count = self._dataset.findings.rowCount()
        line = max(self.list.sizeHintForRow(0), self.fontMetrics().height())
        most = LINES if self.window().height() >= LOW_PX else LINES_LOW
        self.list.setFixedHeight(min(count, most) * line)

    @Slot()
    def _on_changed(self) -> None:
        """The chosen kind stays chosen while there is some of it; nobody is led elsewhere."""
        kind, groups = self._kind, self._dataset.findings.groups
        row = next((row for row, group in enumerate(groups) if _kind_of(group) == kind), -1)
        if row >= 0:
            self._show(groups[row])
            with QSignalBlocker(self.list.selectionModel()):
                self.list.setCurrentIndex(self._dataset.findings.index(row))
        elif kind is not None:
            self._show(None)
            self.emptied.emit()

    @Slot(QModelIndex)
    def _on_chosen(self, index: QModelIndex) -> None:
        if index.isValid():
            group = index.data(Qt.ItemDataRole.UserRole)
            self._show(group)
            self.chosen.emit(group)

    def _show(self, group: Group | None) -> None:
        self._kind = None if group is None else _kind_of(group)
        self.hint.setText("Choose a line to see its pictures." if group is None else group[0].hint)
        mend = None if group is None else self._mend_of(group)
        self._action.setVisible(mend is not None)
        if mend:
            self._action.setText(mend.words)

    def mend(self) -> str:
        """Do what the button says; returns what was done, in words."""
        groups = self._dataset.findings.groups
        group = next((group for group in groups if _kind_of(group) == self._kind), None)
        if group is None or (mend := self._mend_of(group)) is None:
            return ""
        mend.do()
        return mend.said

    def _mend_of(self, group: Group) -> Mend | None:
        """What can be done about all of a kind, if that needs no more than a press."""
        summary = group[0].summary or group[0].message
        paths = [finding.path for finding in group]
        pictures = count_of(len(paths), "picture")
        dataset = self._dataset
        if summary == health.ALIKE:
            done = f"Removed {pictures}; the largest of each stays."
            return Mend(f"Remove {pictures}", done, lambda: dataset.remove(paths))
        if summary == health.BARS:
            inside = {
                one.path: one.measures.inside for one in self._pictures(paths) if one.measures
            }
            done = f"Cropped {pictures}; the whole ones are in the project's bin."
            return Mend(f"Crop {pictures}", done, lambda: dataset.cut(inside))
        if summary == wording.SIGNS and (changes := dataset.with_signs()):
            captions = count_of(len(changes), "caption")
            done = f"Wrote {captions} in plain words."
            words = f"Write {captions} in plain words"
            return Mend(words, done, lambda: dataset.rewrite(changes))
        if not group[0].usable and (files := [p for p in paths if _is_picture(p)]):
            count = count_of(len(files), "file")
            return Mend(f"Remove {count}", f"Removed {count}.", lambda: dataset.remove(files))
        return None

    def _pictures(self, paths: Sequence[Path]) -> list[Picture]:
        rows = self._dataset.rows
        return [rows.pictures[row] for path in paths if (row := rows.row_of(path)) >= 0]


def _kind_of(group: Group) -> tuple[bool, str]:
    return group[0].usable, group[0].summary or group[0].message


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()
