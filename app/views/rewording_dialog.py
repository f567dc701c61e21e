"""Many captions changed at once: every change is shown before it is made, and can be undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
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
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.figures import count_of
from app.models.gradual import Gradual, Steps
from app.models.rewriting import Changes
from app.models.tags import Tags, counted
from app.widgets import labels
from app.widgets.suggesting import SuggestingLine, Suggestions
from core.data import rewording
from core.data.scan import Picture
from core.data.tags import tags_of

REPLACE, ADD, REMOVE, RENAME = range(4)
WAYS = ("Replace words", "Add a tag", "Take a tag out", "Rename a tag")
MOST_TAGS = 2000  # in the list: nobody reads more
AFTER_MS = 150  # of no typing
SIZE_PX = (880, 560)
TAGS_PX = 224
CHOSEN, SHOWN, EVERY = range(3)
SAME_LETTERS = 48  # before the first that differs
_AT_ONCE = 16  # captions between two looks at the clock
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Wish:
    """What the dialog begins with."""

    way: int = REPLACE
    words: str = ""
    by: str = ""
    scope: int | None = None  # CHOSEN, SHOWN or EVERY; None is the chosen, if they are several


@dataclass(frozen=True, slots=True)
class Scopes:
    """Which captions may be meant: some of those that are shown, those, or all there are."""

    chosen: Sequence[Picture]
    shown: Sequence[Picture]
    every: Sequence[Picture]


class RewordingDialog(QDialog):
    """Shows what would become of some captions; `changes` is what was agreed to."""

    def __init__(
        self, scopes: Scopes, tags: Tags, wish: Wish, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Change captions")
        self.resize(*SIZE_PX)
        self._of = [scopes.chosen, scopes.shown, scopes.every]
        self._all_tags = tags
        self._work, self._counting = Gradual(self), Gradual(self)
        self._counted: Sequence[Picture] | None = None  # of which the list shows the tags
        self.changes: Changes = {}
        self.scope, self.way = QComboBox(), QComboBox()
        self.scope.addItem(f"The {count_of(len(scopes.chosen), 'chosen picture')}", CHOSEN)
        self.scope.addItem(f"All {count_of(len(scopes.shown), 'picture')} shown", SHOWN)
        if len(scopes.every) != len(scopes.shown):
            self.scope.addItem(f"All {count_of(len(scopes.every), 'picture')}", EVERY)
        several = CHOSEN if len(scopes.chosen) > 1 else SHOWN
        wanted = several if wish.scope is None else wish.scope
        self.scope.setCurrentIndex(min(wanted, self.scope.count() - 1))
        self.way.addItems(WAYS)
        self.way.setCurrentIndex(wish.way)
        self.words, self.by = SuggestingLine(self._suggest), SuggestingLine(self._suggest)
        self.words.setText(wish.words)
        self.by.setText(wish.by)
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

    def begin(self) -> None:
        """Let the keys go where something is to be written."""
        named = self.way.currentIndex() == RENAME and bool(self.words.text())
        (self.by if named else self.words).setFocus()

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
        if self._counted is not self._pictures:
            self._counted = self._pictures
            self.tags.clear()
            self._counting.start(counted(self._pictures), self._on_counted)

    def _on_counted(self, counts: Counter[str]) -> None:
        for tag, count in counts.most_common(MOST_TAGS):
            item = QListWidgetItem(f"{tag}  {count:,}")
            item.setData(Qt.ItemDataRole.UserRole, tag)
            self.tags.addItem(item)

    def _suggest(self, text: str, at: int) -> Suggestions:
        """Tags; where words are replaced, they are any."""
        if self.way.currentIndex() == REPLACE:
            return Suggestions(0, 0, ())
        begin = text.rfind(",", 0, at) + 1
        begin += len(text[begin:at]) - len(text[begin:at].lstrip())
        found = self._all_tags.suggested(text[begin:at])
        return Suggestions(begin, len(text), [(tag, f"{count:,}") for tag, count in found])

    @property
    def _pictures(self) -> Sequence[Picture]:
        return self._of[self.scope.currentData()]

    @Slot(QListWidgetItem)
    def _on_tag_clicked(self, item: QListWidgetItem) -> None:
        self.words.setText(item.data(Qt.ItemDataRole.UserRole))
        self.work_out()

    @Slot()
    def work_out(self) -> None:
        """Show what would change now; of very many captions in a moment."""
        self._timer.stop()
        try:
            reword = self._reword()
        except ValueError as error:
            self._work.stop()
            self._show({}, str(error))
            return
        self._work.start(_changed(self._pictures, reword), self._show)
        if self._work.busy:
            self._show({}, f"Looking at {count_of(len(self._pictures), 'caption')}...")

    def _show(self, found: Changes, problem: str = "") -> None:
        self.changes = found
        self._model.show_changes(found)
        self.change.setEnabled(bool(found))
        self.change.setText(f"Change {count_of(len(found), 'caption')}" if found else "Change")
        nothing = "No caption would change." if self.words.text() else ""
        self.said.setText(problem or (self._merging() if found else nothing))

    def _merging(self) -> str:
        """What becomes one, where a tag takes the name of another."""
        to = self.by.text().strip()
        own = {tag.casefold() for tag in tags_of(self.words.text())}
        count = self._all_tags.counts.get(to, 0)
        if self.way.currentIndex() != RENAME or not count or to.casefold() in own:
            return ""
        return f"{to} is on {count_of(count, 'picture')} already: they become one tag."

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


def _changed(pictures: Sequence[Picture], reword: rewording.Reword) -> Steps[Changes]:
    """The captions that would be others."""
    found: dict[Path, tuple[str, str]] = {}
    for begin in range(0, len(pictures), _AT_ONCE):
        for picture in pictures[begin : begin + _AT_ONCE]:
            after = reword(picture.caption)
            if after != picture.caption:
                found[picture.path] = (picture.caption, after)
        yield
    return found


def _around(old: str, new: str) -> tuple[str, str]:
    """Both from a little before where they differ, so that this is seen."""
    pairs = enumerate(zip(old, new, strict=False))
    same = next((n for n, (one, other) in pairs if one != other), min(len(old), len(new)))
    if same <= SAME_LETTERS:
        return old, new
    begin = old.rfind(" ", 0, same - SAME_LETTERS // 2) + 1 or same - SAME_LETTERS // 2
    return f"... {old[begin:]}", f"... {new[begin:]}"


class _Changes(QAbstractTableModel):
    """Names, and captions before and after."""

    HEADS = ("Picture", "Before", "After")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[Path, tuple[str, str]]] = []

    def show_changes(self, changes: Changes) -> None:
        self.beginResetModel()
        self._rows = list(changes.items())
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
            path, texts = self._rows[index.row()]
            shown = _around(*texts) if role == Qt.ItemDataRole.DisplayRole else texts
            return (path.name, *shown)[index.column()]
        return None

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.HEADS[section]
        return None
