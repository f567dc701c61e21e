"""The adapters on the shelf as a list, each with what it is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QImage
from typing_extensions import override

from app.models.pictures import Thumbnails
from app.models.runs import AdapterCard
from app.models.shelf import Shelf
from app.process.inspector import Inspector
from core.protocol.events import Inspected, Reader

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
TILE_PX = 72
ABOUT = Qt.ItemDataRole.UserRole + 1  # what it is, a line
READERS = ABOUT + 1  # who reads it, a line
NOBODY = "No other program is known to load all of it"


class AdapterCards(QAbstractListModel):
    """Follows the shelf."""

    def __init__(
        self,
        shelf: Shelf,
        inspector: Inspector,
        thumbnails: Thumbnails,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._shelf, self._inspector, self._thumbnails = shelf, inspector, thumbnails
        self.cards: list[AdapterCard] = shelf.cards()
        thumbnails.ready.connect(self._on_thumbnail_ready)
        shelf.changed.connect(self._on_changed)
        inspector.changed.connect(self._on_inspected)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.cards)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        card = self.cards[index.row()]
        known = self._inspector.known(card.path)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return card.words
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{card.words}, {about(card, known)}. {readers(card, known)}"
            case _ if role == ABOUT:
                return about(card, known)
            case _ if role == READERS:
                return readers(card, known)
            case Qt.ItemDataRole.DecorationRole:
                return (card.picture and self._thumbnails.get(card.picture, TILE_PX)) or QImage()
            case Qt.ItemDataRole.ToolTipRole:
                return str(card.path)
            case _:
                return None

    @Slot()
    def _on_changed(self) -> None:
        cards = self._shelf.cards()
        if cards != self.cards:
            self.beginResetModel()
            self.cards = cards
            self.endResetModel()

    @Slot()
    def _on_inspected(self) -> None:
        if self.cards:
            self.dataChanged.emit(self.index(0), self.index(len(self.cards) - 1))

    @Slot(str)
    def _on_thumbnail_ready(self, name: str) -> None:
        rows = [r for r, card in enumerate(self.cards) if name in ("", str(card.picture))]
        if rows:
            self.dataChanged.emit(self.index(rows[0]), self.index(rows[-1]))


def about(card: AdapterCard, known: Inspected | None) -> str:
    """What an adapter is, in a line."""
    if known is None:
        return f"{card.size_bytes / 2**20:.1f} MiB"
    if known.problem:
        return "It cannot be read"
    trigger = f", trigger {known.trigger}" if known.trigger else ""
    return f"{known.kind}, {known.family}{trigger}"


def readers(card: AdapterCard, known: Inspected | None) -> str:
    """Which programs load all of it, in a line."""
    if card.only_here:
        return "For the demo base model alone"
    if known is None or known.problem:
        return ""
    whole = [reader.program for reader in known.readers if reader.whole]
    return f"Loaded in full by {', '.join(whole)}" if whole else NOBODY


def proof_words(known: Sequence[Reader]) -> str:
    """Who loads all of a file, and what becomes of it elsewhere; "" where nothing is known."""
    whole = [reader.program for reader in known if reader.whole]
    others = [f"{reader.program}: {reader.words}" for reader in known if not reader.whole]
    first = f"Loaded in full by {', '.join(whole)}." if whole else f"{NOBODY}." if known else ""
    return " ".join([first, *(f"{'; '.join(others)}." for _ in others[:1])]).strip()
