"""The project's adapter files as a list, newest first."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QImage
from typing_extensions import override

from app.models.pictures import Thumbnails
from app.models.runs import AdapterCard, Runs

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
TILE_PX = 176


class AdapterCards(QAbstractListModel):
    """Follows the runs."""

    def __init__(self, runs: Runs, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs, self._thumbnails = runs, thumbnails
        self.cards: list[AdapterCard] = runs.adapters()
        thumbnails.ready.connect(self._on_thumbnail_ready)
        runs.adapters_changed.connect(self._on_changed)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.cards)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        card = self.cards[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.AccessibleTextRole:
                return card.words
            case Qt.ItemDataRole.DecorationRole:
                return (card.picture and self._thumbnails.get(card.picture, TILE_PX)) or QImage()
            case Qt.ItemDataRole.ToolTipRole:
                return str(card.path)
            case _:
                return None

    @Slot()
    def _on_changed(self) -> None:
        cards = self._runs.adapters()
        if cards != self.cards:
            self.beginResetModel()
            self.cards = cards
            self.endResetModel()

    @Slot(str)
    def _on_thumbnail_ready(self, name: str) -> None:
        rows = [r for r, card in enumerate(self.cards) if name in ("", str(card.picture))]
        if rows:
            self.dataChanged.emit(self.index(rows[0]), self.index(rows[-1]))
