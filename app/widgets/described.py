"""A list whose rows say what each thing is: a small picture, its name, and two quiet lines."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)
from typing_extensions import override

from app import theme
from app.widgets.grid import CORNER_PX, choose, paint_frame, paint_picture, small_font

PADDING_PX, GAP_PX, LINE_PX, FRAME_PX = 8, 12, 2, 4
Index = QModelIndex | QPersistentModelIndex


class DescribedDelegate(QStyledItemDelegate):
    """Paints one row."""

    def __init__(self, roles: tuple[int, int], parent: QWidget | None) -> None:
        """`roles` of the two quiet lines; the name is the display role's."""
        super().__init__(parent)
        self._roles = roles

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        small = QFontMetrics(small_font(option.font)).height()
        words = QFontMetrics(option.font).height() + 2 * small + 2 * LINE_PX
        return QSize(160, words + 2 * PADDING_PX + FRAME_PX)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colours, whole = theme.current(), option.rect.adjusted(1, 1, -2, -2)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(whole, CORNER_PX, CORNER_PX)
        painter.restore()
        if option.state & QStyle.StateFlag.State_Selected:
            paint_frame(
                painter, whole, current=bool(option.state & QStyle.StateFlag.State_HasFocus)
            )
        inside = whole.adjusted(PADDING_PX, PADDING_PX, -PADDING_PX, -PADDING_PX)
        edge = inside.height()
        image = index.data(Qt.ItemDataRole.DecorationRole)
        place = QRect(inside.topLeft(), QSize(edge, edge))
        paint_picture(painter, place, image if isinstance(image, QImage) else QImage())
        inside.setLeft(place.right() + GAP_PX)
        name = QFont(option.font)
        name.setWeight(QFont.Weight.DemiBold)
        top = inside.top()
        rows = ((Qt.ItemDataRole.DisplayRole, name), *((r, option.font) for r in self._roles))
        for role, font in rows:
            quiet = role != Qt.ItemDataRole.DisplayRole
            painter.setFont(small_font(font) if quiet else font)
            painter.setPen(QColor(colours.secondary if quiet else colours.text))
            metrics = painter.fontMetrics()
            line = QRect(inside.left(), top, inside.width(), metrics.height())
            text = metrics.elidedText(
                str(index.data(role) or ""), Qt.TextElideMode.ElideRight, line.width()
            )
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, text)
            top += metrics.height() + LINE_PX


class Described(QListView):
    """Arrows move."""

    def __init__(self, roles: tuple[int, int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setItemDelegate(DescribedDelegate(roles, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def choose(self, row: int) -> None:
        """Make one row the current and only chosen one, whatever keys are held."""
        choose(self, row)
