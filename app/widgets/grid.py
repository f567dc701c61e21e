"""A grid of thumbnails that crop to fill, never stretch, and grow with the zoom."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
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
SIGN_PX = 20
DIMMED = 0.35  # how much of a picture is seen that is not used
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
    painter.strokePath(shape, QPen(QColor(colours.line), 1))
    painter.restore()


class TileDelegate(QStyledItemDelegate):
    """Draws one picture, and a line of text below if it has one."""

    def __init__(self, text_role: int, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._text_role = text_role
        self.edge_px = TILE_PX

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        line = QFontMetrics(small_font(option.font)).height()
        return QSize(self.edge_px + GAP_PX, self.edge_px + GAP_PX + line + 4)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        place = QRect(option.rect.topLeft(), QSize(self.edge_px, self.edge_px))
        image = index.data(Qt.ItemDataRole.DecorationRole)
        painter.setFont(small_font(option.font))
        tile = Tile(
            image if isinstance(image, QImage) else QImage(),
            str(index.data(self._text_role) or ""),
            chosen=bool(option.state & QStyle.StateFlag.State_Selected),
            current=bool(option.state & QStyle.StateFlag.State_HasFocus),
        )
        paint_tile(painter, place, tile)


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture as a tile shows it."""

    image: QImage
    text: str
    mark: str = ""  # in the place of the text: something is amiss
    chosen: bool = False
    current: bool = False  # the keys go here
    masked: bool = False  # a part of it is learnt
    said: str = ""  # beside the words, of the picture itself
    dimmed: bool = False


def paint_tile(painter: QPainter, place: QRect, tile: Tile) -> None:
    """A picture, its frame where it is chosen, and a line of words below it."""
    colours = theme.current()
    if tile.dimmed:
        painter.setOpacity(DIMMED)
    paint_picture(painter, place, tile.image)
    painter.setOpacity(1)
    if tile.chosen:
        paint_frame(painter, place, current=tile.current)
    if tile.masked:
        paint_sign(painter, place)
    height = painter.fontMetrics().height()
    line = QRect(place.left() + 2, place.bottom() + 3, place.width() - 4, height)
    if tile.said:
        said = painter.fontMetrics().elidedText(
            tile.said, Qt.TextElideMode.ElideRight, line.width()
        )
        painter.setPen(QColor(colours.text))
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, said)
        line.setRight(line.right() - painter.fontMetrics().horizontalAdvance(f"{said}  "))
    painter.setPen(QColor(colours.warn if tile.mark else colours.secondary))
    shown = painter.fontMetrics().elidedText(
        (tile.mark or tile.text).replace("\n", " "), Qt.TextElideMode.ElideRight, line.width()
    )
    painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, shown)


def paint_frame(painter: QPainter, place: QRect, *, current: bool) -> None:
    """What is chosen; in the accent where the keys go. A line inside tells it from any picture."""
    colours = theme.current()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for inset, colour in (
        (1.0, colours.accent if current else colours.text),
        (2.5, colours.window),
    ):
        painter.setPen(QPen(QColor(colour), 2 if inset == 1.0 else 1))
        edge = QRectF(place).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(edge, CORNER_PX, CORNER_PX)
    painter.restore()


def paint_sign(painter: QPainter, place: QRect) -> None:
    """That a picture has a mask: half a disc, on a plate, in its lower right corner."""
    colours = theme.current()
    plate = QRectF(0, 0, SIGN_PX, SIGN_PX)
    plate.moveBottomRight(QPointF(place.bottomRight()) - QPointF(5, 5))
    disc = plate.adjusted(4.5, 4.5, -4.5, -4.5)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colours.line), 1))
    painter.setBrush(QColor(colours.panel))
    painter.drawRoundedRect(plate, 4, 4)
    painter.setPen(QPen(QColor(colours.text), 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(disc)
    painter.setBrush(QColor(colours.text))
    painter.drawPie(disc, 90 * 16, 180 * 16)
    painter.restore()


def choose(view: QAbstractItemView, row: int) -> None:
    """Make one row the current and only chosen one, whatever keys are held."""
    index = view.model().index(row, 0)
    chosen = QItemSelectionModel.SelectionFlag.ClearAndSelect
    view.selectionModel().setCurrentIndex(index, chosen)
    view.scrollTo(index)


def small_font(font: QFont) -> QFont:
    """As the small labels: what stands below a picture is second to it."""
    small = QFont(font)
    small.setPointSizeF(theme.SMALL * QFontInfo(font).pointSizeF())
    return small


class Grid(QListView):
    """Pictures of a model in squares; arrows move."""

    def __init__(self, text_role: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._delegate = TileDelegate(text_role, self)
        self.setItemDelegate(self._delegate)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setDragEnabled(False)
        self.setAcceptDrops(False)

    @property
    def edge_px(self) -> int:
        return self._delegate.edge_px

    def set_edge(self, edge_px: int) -> None:
        """How large a picture is."""
        self._delegate.edge_px = edge_px
        self.scheduleDelayedItemsLayout()

    def choose(self, row: int) -> None:
        """Make one row the current and only chosen one, whatever keys are held."""
        choose(self, row)

    def choose_none(self) -> None:
        self.selectionModel().clear()
