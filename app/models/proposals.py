"""Captions as a machine proposes them: each may be changed or left out before any is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage
from typing_extensions import override

from app.models.pictures import Thumbnails
from core.data.proposals import Rules, proposal
from core.protocol.events import Captioned

PICTURE, NOW, THEN = range(3)
HEADS = ("Picture", "Now", "Then")
TILE_PX = 64
SLICE_SECONDS = 0.01  # of working out, between which the window goes on
Index = QModelIndex | QPersistentModelIndex
Item, Check = Qt.ItemDataRole, Qt.CheckState
_ROOT = QModelIndex()


@dataclass(slots=True)
class _Row:
    path: Path
    told: Captioned
    taken: bool = True
    typed: str | None = None  # what the person made of it
    then: str | None = None  # None is not worked out


class Proposals(QAbstractTableModel):
    """A row a picture, in the order in which they were told; rules work on all at once."""

    counted = Signal()  # `changes` and `ready` are others

    def __init__(
        self,
        thumbnails: Thumbnails,
        now: Callable[[Path], str | None],
        parent: QObject | None = None,
    ) -> None:
        """`now` is a picture's caption, None where it is there no longer."""
        super().__init__(parent)
        self._thumbnails, self._now = thumbnails, now
        self._rows: list[_Row] = []
        self._by_path: dict[str, int] = {}
        self._rules = Rules()
        self._next = 0  # the first that may not be worked out
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._work_out)
        thumbnails.ready.connect(self._on_thumbnail_ready)

    @property
    def ready(self) -> bool:
        """Whether every row is worked out."""
        return not self._timer.isActive()

    def changes(self) -> dict[Path, tuple[str, str]]:
        """What is there and what is to be, of those rows that are taken and change something."""
        found: dict[Path, tuple[str, str]] = {}
        for row in self._rows:
            now = self._now(row.path)
            if row.taken and now is not None and (then := self._then(row, now)) != now:
                found[row.path] = (now, then)
        return found

    @Slot(object)
    def add(self, told: Captioned) -> None:
        """One more, or one told anew; what was typed for it goes."""
        at = self._by_path.get(told.path)
        if at is not None:
            self._rows[at] = _Row(Path(told.path), told)
            self.dataChanged.emit(self.index(at, 0), self.index(at, THEN))
            self._again(at)
            return
        count = len(self._rows)
        self.beginInsertRows(_ROOT, count, count)
        self._rows.append(_Row(Path(told.path), told))
        self._by_path[told.path] = count
        self.endInsertRows()
        self._again(count)

    def set_rules(self, rules: Rules) -> None:
        """By other rules; what was typed stays as it was typed."""
        if rules != self._rules:
            self._rules = rules
            self.refresh()

    def refresh(self) -> None:
        """Captions may be others now."""
        for row in self._rows:
            row.then = None
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, THEN))
        self._again(0)

    def take_all(self, *, taken: bool) -> None:
        """Tick all, or none."""
        for row in self._rows:
            row.taken = taken
        self.refresh()

    @Slot()
    def clear(self) -> None:
        """They are written, or were another project's."""
        self._become([])

    def drop(self, paths: set[Path]) -> None:
        """These are written."""
        self._become([row for row in self._rows if row.path not in paths])

    def _become(self, rows: list[_Row]) -> None:
        self.beginResetModel()
        self._rows, self._next = rows, 0
        self._by_path = {str(row.path): at for at, row in enumerate(rows)}
        self.endResetModel()
        self._again(0)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(HEADS)

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Item.DisplayRole
    ) -> object:
        if role == Item.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return HEADS[section]
        return None

    @override
    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.column() == PICTURE:
            return flags | Qt.ItemFlag.ItemIsUserCheckable
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == THEN else flags

    @override
    def data(self, index: Index, role: int = Item.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        now = self._now(row.path)
        texts = (row.path.name, now or "", self._then(row, now or ""))
        match role:
            case Item.DisplayRole | Item.EditRole | Item.ToolTipRole:
                return texts[index.column()]
            case Item.CheckStateRole if index.column() == PICTURE:
                changes = now is not None and texts[THEN] != now
                return Check.Checked if row.taken and changes else Check.Unchecked
            case Item.DecorationRole if index.column() == PICTURE:
                return _tile(self._thumbnails.get(row.path, TILE_PX))
            case _:
                return None

    @override
    def setData(self, index: Index, value: object, role: int = Item.EditRole) -> bool:
        row = self._rows[index.row()]
        if role == Item.CheckStateRole and index.column() == PICTURE:
            row.taken = Check(value) == Check.Checked
        elif role == Item.EditRole and index.column() == THEN:
            typed = str(value).strip("\n")
            if typed == self._then(row, self._now(row.path) or ""):
                return True
            row.typed, row.taken = typed, True
        else:
            return False
        at = index.row()
        self.dataChanged.emit(self.index(at, 0), self.index(at, THEN))
        self._again(at)
        return True

    def _then(self, row: _Row, now: str) -> str:
        if row.typed is not None:
            return row.typed
        if row.then is None:
            row.then = proposal(now, row.told, self._rules)
        return row.then

    def _again(self, first: int) -> None:
        self._next = min(self._next, first)
        self._timer.start()

    @Slot()
    def _work_out(self) -> None:
        """For some hundredths of a second: ten thousand captions take a second."""
        until = time.monotonic() + SLICE_SECONDS
        while self._next < len(self._rows):
            row = self._rows[self._next]
            self._then(row, self._now(row.path) or "")
            self._next += 1
            if time.monotonic() > until:
                return
        self._timer.stop()
        self.counted.emit()

    @Slot(str)
    def _on_thumbnail_ready(self, name: str) -> None:
        at = self._by_path.get(name)
        if at is not None:
            self.dataChanged.emit(self.index(at, 0), self.index(at, 0), [Item.DecorationRole])


def _tile(image: QImage | None) -> QImage:
    """The middle of a picture as a small square."""
    square = QSize(TILE_PX, TILE_PX)
    if image is None or image.isNull():
        empty = QImage(square, QImage.Format.Format_ARGB32_Premultiplied)
        empty.fill(Qt.GlobalColor.transparent)
        return empty
    scaled = image.scaled(
        square,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    left, top = (scaled.width() - TILE_PX) // 2, (scaled.height() - TILE_PX) // 2
    return scaled.copy(left, top, TILE_PX, TILE_PX)
