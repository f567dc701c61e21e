"""Many captions changed at once: every change is shown before it is made, and can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.figures import count_of
from app.models.rewriting import Changes
from app.widgets import labels
from core.data import rewording
from core.data.scan import Picture

REPLACE, ADD, REMOVE, RENAME = range(4)
WAYS = ("Replace words", "Add a tag", "Take a tag out", "Rename a tag")
MOST_TAGS = 2000  # in the list: nobody reads more
AFTER_MS = 150  # of no typing
SIZE_PX = (880, 560)
TAGS_PX = 224
Index = QModelIndex | QPersistentModelIndex


class RewordingDialog(QDialog):
    """Shows what would become of some captions; `changes` is what was agreed to."""

    def __init__(
        self, chosen: Sequence[Picture], shown: Sequence[Picture], parent: QWidget | None = None
    ) -> None:
        """`chosen` are those of `shown` that are selected: several of them are meant alone."""
        super().__init__(parent)
        self.setWindowTitle("Change captions")
        self.resize(*SIZE_PX)
        self._of = [list(chosen), list(shown)]
        self.changes: Changes = {}
        self.scope, self.way = QComboBox(), QComboBox()
        self.scope.addItem(f"The {count_of(len(chosen), 'chosen picture')}")
        self.scope.addItem(f"All {count_of(len(shown), 'picture')} shown")
        self.scope.setCurrentIndex(0 if len(chosen) > 1 else 1)
        self.way.addItems(WAYS)
        self.words, self.by = QLineEdit(), QLineEdit()
        self.as_regex = QCheckBox("Regular expression")
        self.same_case = QCheckBox("Same case")
        self.in_front = QCheckBox("In front")
        self.tags = QListWidget()
        self.tags.setAccessibleName("Tags")
        self.tags.setMaximumWidth(TAGS_PX)
        self.tags.itemClicked.connect(self._on_tag_clicked)
        self.table = QTableView()
        self._model = _Changes(self)
        self.table.setModel(self._model)
        self.table.setAccessibleName("Changes")
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.table.setSelectionMode(QTableView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.said = labels.secondary()
        self.change = QPushButton()
        self.change.setObjectName("primary")
        self.change.setDefault(True)
        self.change.clicked.connect(self.accept)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.reject)
        self._timer = QTimer(self, interval=AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self.work_out)
        self._arrange(cancel)
        for box in (self.scope, self.way):
            box.currentIndexChanged.connect(self._on_way_changed)
        for field in (self.words, self.by):
            field.setAcceptDrops(False)
            field.textChanged.connect(self._timer.start)
        for check in (self.as_regex, self.same_case, self.in_front):
            check.toggled.connect(self.work_out)
        self._on_way_changed()

    def _arrange(self, cancel: QPushButton) -> None:
        self._names = QLabel(), QLabel()
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        for row, (name, widget) in enumerate(
            (
                (QLabel("What"), self.way),
                (QLabel("In"), self.scope),
                (self._names[0], self.words),
                (self._names[1], self.by),
            )
        ):
            name.setBuddy(widget)
            grid.addWidget(name, row, 0)
            grid.addWidget(widget, row, 1)
        for widget, name in ((self.way, "What"), (self.scope, "In")):
            widget.setAccessibleName(name)
        checks = QHBoxLayout()
        for check in (self.as_regex, self.same_case, self.in_front):
            checks.addWidget(check)
        checks.addStretch()
        right = QVBoxLayout()
        right.addLayout(grid)
        right.addLayout(checks)
        right.addWidget(self.table, stretch=1)
        right.addWidget(self.said)
        left = QVBoxLayout()
        left.addWidget(QLabel("Tags"))
        left.addWidget(self.tags, stretch=1)
        columns = QHBoxLayout()
        columns.setSpacing(16)
        columns.addLayout(left)
        columns.addLayout(right, stretch=1)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(cancel)
        buttons.addWidget(self.change)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addLayout(columns, stretch=1)
        layout.addLayout(buttons)

    @Slot()
    def _on_way_changed(self) -> None:
        way = self.way.currentIndex()
        names = (
            {REPLACE: "Find", ADD: "Tag", REMOVE: "Tag", RENAME: "Tag"}[way],
            ("Replace by" if way == REPLACE else "New name"),
        )
        for label, name, field in zip(self._names, names, (self.words, self.by), strict=True):
            label.setText(name)
            field.setAccessibleName(name)
        for widget in (self._names[1], self.by):
            widget.setVisible(way in (REPLACE, RENAME))
        for check in (self.as_regex, self.same_case):
            check.setVisible(way == REPLACE)
        self.in_front.setVisible(way == ADD)
        self._show_tags()
        self.work_out()

    def _show_tags(self) -> None:
        self.tags.clear()
        found = rewording.counts(picture.caption for picture in self._pictures)
        for tag, count in found[:MOST_TAGS]:
            item = QListWidgetItem(f"{tag}  {count:,}")
            item.setData(Qt.ItemDataRole.UserRole, tag)
            self.tags.addItem(item)

    @property
    def _pictures(self) -> list[Picture]:
        return self._of[self.scope.currentIndex()]

    @Slot(QListWidgetItem)
    def _on_tag_clicked(self, item: QListWidgetItem) -> None:
        self.words.setText(item.data(Qt.ItemDataRole.UserRole))
        self.work_out()

    @Slot()
    def work_out(self) -> None:
        """Show what would change now."""
        self._timer.stop()
        problem = ""
        try:
            reword = self._reword()
        except ValueError as error:
            problem, reword = str(error), None
        found: dict[Path, tuple[str, str]] = {}
        for picture in self._pictures if reword is not None else ():
            after = reword(picture.caption) if reword is not None else picture.caption
            if after != picture.caption:
                found[picture.path] = (picture.caption, after)
        self.changes = found
        self._model.show_changes(found)
        self.change.setEnabled(bool(found))
        self.change.setText(f"Change {count_of(len(found), 'caption')}" if found else "Change")
        nothing = "No caption would change." if self.words.text() else ""
        self.said.setText(problem or ("" if found else nothing))

    def _reword(self) -> rewording.Reword:
        find, by = self.words.text(), self.by.text()
        match self.way.currentIndex():
            case 0:
                return rewording.replacing(
                    find,
                    by,
                    as_regex=self.as_regex.isChecked(),
                    any_case=not self.same_case.isChecked(),
                )
            case 1:
                return rewording.adding(find, in_front=self.in_front.isChecked())
            case 2:
                return rewording.removing(find)
            case _:
                return rewording.renaming(find, by) if by.strip() else lambda text: text


class _Changes(QAbstractTableModel):
    """Names, and captions before and after."""

    HEADS = ("Picture", "Before", "After")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[str, str, str]] = []

    def show_changes(self, changes: Changes) -> None:
        self.beginResetModel()
        self._rows = [(path.name, old, new) for path, (old, new) in changes.items()]
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.HEADS)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._rows[index.row()][index.column()]
        return None

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.HEADS[section]
        return None
