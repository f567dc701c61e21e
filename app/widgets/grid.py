"""A grid of thumbnails that crop to fill, never stretch, and grow with the zoom."""

from __future__ import annotations

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QFontMetrics,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
)
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

GAP_PX = 8
TILE_PX = 136  # at first: five in a row of a small window
CORNER_PX = 6
Index = QModelIndex | QPersistentModelIndex


def cover(image: QImage, target: QSize) -> QRect:
    """The part of `image` that fills `target` when scaled, its middle."""
    if image.isNull():
        return QRect()
    scaled = target.scaled(image.size(), Qt.AspectRatioMode.KeepAspectRatio)
    corner = QPoint((image.width() - scaled.width()) // 2, (image.height() - scaled.height()) // 2)
    return QRect(corner, scaled)


def paint_picture(painter: QPainter, place: QRect, image: QImage) -> None:
    """A picture cropped to fill `place`, with round corners; a quiet box while it loads."""
    colours = theme.current()
    shape = QPainterPath()
    shape.addRoundedRect(QRectF(place), CORNER_PX, CORNER_PX)
    painter.save()
    painter.setRenderHints(
        QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
    )
    painter.fillPath(shape, QColor(colours.raised))
    painter.setClipPath(shape)
    if not image.isNull():
        painter.drawImage(place, image, cover(image, place.size()))
    painter.restore()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colours.line), 1))
    painter.drawPath(shape)
    painter.restore()


class TileDelegate(QStyledItemDelegate):
    """Draws one picture, a line of text below if it has one, and a mark if something is amiss."""

    def __init__(self, text_role: int, mark_role: int | None, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._text_role, self._mark_role = text_role, mark_role
        self.edge_px = TILE_PX

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        line = QFontMetrics(small_font(option.font)).height()
        return QSize(self.edge_px + GAP_PX, self.edge_px + GAP_PX + line + 4)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colours = theme.current()
        half = GAP_PX // 2
        place = QRect(option.rect.topLeft() + QPoint(half, half), QSize(self.edge_px, self.edge_px))
        image = index.data(Qt.ItemDataRole.DecorationRole)
        paint_picture(painter, place, image if isinstance(image, QImage) else QImage())
        if option.state & QStyle.StateFlag.State_Selected:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(colours.accent), 3))
            painter.drawRoundedRect(QRectF(place).adjusted(1, 1, -1, -1), CORNER_PX, CORNER_PX)
            painter.restore()
        text = str(index.data(self._text_role) or "").replace("\n", " ")
        mark = str(index.data(self._mark_role) or "") if self._mark_role is not None else ""
        painter.save()
        painter.setFont(small_font(option.font))
        height = painter.fontMetrics().height()
        line = QRect(place.left() + 2, place.bottom() + 3, place.width() - 4, height)
        painter.setPen(QColor(colours.warn if mark else colours.secondary))
        shown = painter.fontMetrics().elidedText(
            mark or text, Qt.TextElideMode.ElideRight, line.width()
        )
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.restore()


def small_font(font: QFont) -> QFont:
    """As the small labels: what stands below a picture is second to it."""
    small = QFont(font)
    small.setPointSizeF(theme.SMALL * QFontInfo(font).pointSizeF())
    return small


class Grid(QListView):
    """Pictures of a model in rows; arrows move, Del asks for removal."""

    removal_wished = Signal()

    def __init__(
        self, text_role: int, mark_role: int | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._delegate = TileDelegate(text_role, mark_role, self)
        self.setItemDelegate(self._delegate)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setDragEnabled(False)

    @property
    def edge_px(self) -> int:
        return self._delegate.edge_px

    def set_edge(self, edge_px: int) -> None:
        """The zoom."""
        self._delegate.edge_px = edge_px
        self.scheduleDelayedItemsLayout()

    def choose(self, row: int) -> None:
        """Make one row the current and only chosen one, whatever keys are held."""
        index = self.model().index(row, 0)
        chosen = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.selectionModel().setCurrentIndex(index, chosen)
        self.scrollTo(index)

    def choose_none(self) -> None:
        self.selectionModel().clear()

    def chosen_rows(self) -> list[int]:
        """In order; by ranges, of which there are few."""
        chosen = self.selectionModel().selection()
        ranges = [chosen.at(place) for place in range(chosen.count())]
        return sorted(row for one in ranges for row in range(one.top(), one.bottom() + 1))

    @override
    def keyPressEvent(self, event) -> None:  # noqa: ANN001 - QKeyEvent
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):  # the latter on a Mac
            self.removal_wished.emit()
            return
        super().keyPressEvent(event)
