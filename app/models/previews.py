"""Previews as a table: a row for each prompt, a column for each step."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Slot,
)
from PySide6.QtGui import QImage
from typing_extensions import override

from app.models.pictures import Thumbnails
from app.models.runs import Runs
from core.protocol.events import PreviewReady

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

TILE_PX = 256  # of the largest tile


class PreviewTable(QAbstractTableModel):
    """Previews of the shown run; follows it while it trains."""

    def __init__(self, runs: Runs, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs, self._thumbnails = runs, thumbnails
        self._steps: list[int] = []
        self._indices: list[int] = []
        runs.reset.connect(self._on_reset)
        runs.previewed.connect(self._on_previewed)
        self._on_reset()
        thumbnails.ready.connect(self._on_ready)

    @property
    def steps(self) -> list[int]:
        return self._steps

    def preview(self, row: int, column: int) -> PreviewReady | None:
        """The preview at a place, if it was drawn."""
        record = self._runs.shown
        if record is None or row >= len(self._indices) or column >= len(self._steps):
            return None
        return record.previews.get(self._indices[row], {}).get(self._steps[column])

    def file(self, preview: PreviewReady) -> Path:
        """Where its picture lies, also after the project was moved."""
        record = self._runs.shown
        return record.picture_file(preview) if record else Path(preview.path)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._indices)

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._steps)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        preview = self.preview(index.row(), index.column())
        if preview is None:
            return None
        match role:
            case Qt.ItemDataRole.DecorationRole:
                return self._thumbnails.get(self.file(preview), TILE_PX) or QImage()
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return f"{preview.prompt}\nstep {preview.step}, seed {preview.seed}"
            case _:
                return None

    @override
    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        if orientation == Qt.Orientation.Vertical:
            first = self.preview(section, 0)
            return first.prompt if first else None
        if section < len(self._steps):
            step = self._steps[section]
            return f"step {step:,}" if step else "untrained"
        return None

    @Slot()
    def _on_reset(self) -> None:
        self.beginResetModel()
        self._steps, self._indices = self._there()
        self.endResetModel()

    @Slot()
    def _on_previewed(self) -> None:
        """One more picture: at the end of a row or a column, or in the place of an older one."""
        steps, indices = self._there()
        rows, columns = len(self._indices), len(self._steps)
        if steps[:columns] != self._steps or indices[:rows] != self._indices:
            self._on_reset()
            return
        if len(steps) > columns:
            self.beginInsertColumns(QModelIndex(), columns, len(steps) - 1)
            self._steps = steps
            self.endInsertColumns()
        if len(indices) > rows:
            self.beginInsertRows(QModelIndex(), rows, len(indices) - 1)
            self._indices = indices
            self.endInsertRows()
        self._tell_all()

    def _there(self) -> tuple[list[int], list[int]]:
        record = self._runs.shown
        return (record.preview_steps(), sorted(record.previews)) if record else ([], [])

    @Slot(str)
    def _on_ready(self, name: str) -> None:
        record = self._runs.shown
        if not name or (record and name.startswith(str(record.run.previews))):
            self._tell_all()

    def _tell_all(self) -> None:
        """Every picture may be another one."""
        if self._steps and self._indices:
            last = self.index(len(self._indices) - 1, len(self._steps) - 1)
            self.dataChanged.emit(self.index(0, 0), last, [Qt.ItemDataRole.DecorationRole])
