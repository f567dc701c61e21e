"""Previews in rows and columns: tiles grow with the room there is, prompts stand beside them."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QRect, Qt, Slot
from PySide6.QtGui import QImage, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)
from typing_extensions import override

from app.models.previews import TILE_PX
from app.widgets.grid import GAP_PX, Index, paint_frame, paint_picture

SMALL_PX, LARGE_PX = 104, TILE_PX  # a tile's edge
PROMPT_PX = 112  # what does not fit is in the tip


class PreviewGrid(QTableView):
    """A table of pictures; arrows move in it, Tab leaves it."""

    def __init__(self, model: QAbstractItemModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(_Tile(self))
        self.setAccessibleName("Previews, a row for each prompt, a column for each step")
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        prompts = self.verticalHeader()
        prompts.setFixedWidth(PROMPT_PX)
        prompts.setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap
        )
        prompts.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.horizontalHeader().setFixedHeight(self.fontMetrics().height() + 8)
        model.columnsInserted.connect(self._fit)
        model.modelReset.connect(self._fit)
        self._fit()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    @Slot()
    def _fit(self) -> None:
        columns = max(1, self.model().columnCount())
        edge = min(LARGE_PX, max(SMALL_PX, self.viewport().width() // columns - GAP_PX))
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setDefaultSectionSize(edge + GAP_PX)


class _Tile(QStyledItemDelegate):
    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        half = GAP_PX // 2
        place: QRect = option.rect.adjusted(half, half, -half, -half)
        image = index.data(Qt.ItemDataRole.DecorationRole)
        if isinstance(image, QImage):
            paint_picture(painter, place, image)
        if option.state & QStyle.StateFlag.State_Selected:
            paint_frame(
                painter, place, current=bool(option.state & QStyle.StateFlag.State_HasFocus)
            )
