"""A picture with its mask over it, painted on by mouse or keys; only what changes is drawn anew."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from app import theme
from core.data.canvas import Canvas
from core.data.painting import Box, Pixels, Spot

MARGIN_PX = 8  # around a picture that is seen whole
MOST_ENLARGED, ZOOM_STEP = 16.0, 1.25
STRIPES_PX = 5  # of what is left out, so that it is told from any colour of the picture
VEIL, VEIL_STRIPE = 0.78, 0.55  # how much of the tint
Key, Mod = Qt.Key, Qt.KeyboardModifier
_ARROWS = {Key.Key_Left: (-1, 0), Key.Key_Right: (1, 0), Key.Key_Up: (0, -1), Key.Key_Down: (0, 1)}


class Sight(NamedTuple):
    """Where a picture lies in the view: px of the view a px of it, and its corner."""

    scale: float
    left: float
    top: float

    def to_view(self, at: Spot) -> QPointF:
        return QPointF(self.left + at[0] * self.scale, self.top + at[1] * self.scale)

    def to_picture(self, at: QPointF) -> Spot:
        return (at.x() - self.left) / self.scale, (at.y() - self.top) / self.scale

    def area(self, box: Box) -> QRect:
        """What of the view shows a part of the picture."""
        corner = self.to_view((box.left, box.top)), self.to_view((box.right, box.bottom))
        return QRectF(*corner).toAlignedRect().adjusted(-1, -1, 1, 1)


class MaskCanvas(QWidget):
    """Emits what the person does, in px of the picture; shows the mask that it was given.

    Left button or Space paint, the arrows move the brush, the wheel enlarges, the middle button
    or the wheel with Shift move the picture.
    """

    pressed = Signal(float, float)  # painting begins
    moved = Signal(float, float)  # and goes on
    released = Signal()
    pointed = Signal()  # the brush is elsewhere: see `at`

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.at: Spot = (0, 0)  # the brush
        self._canvas: Canvas | None = None
        self._mips: list[QImage] = []  # the picture, each half as large as the one before
        self._sight = Sight(1, 0, 0)
        self._fits = True
        self._shown = QImage()  # the picture as it is seen now, without the mask
        self._radius_px = 0.0  # of the picture; 0 is a cross
        self._painting = self._by_key = False
        self._dragged: QPointF | None = None  # from where the picture is moved
        self._ring = QRect()
        self._words = ""
        self.setMinimumSize(160, 160)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    @property
    def scale(self) -> float:
        """Px of the view a px of the picture."""
        return self._sight.scale

    def show_words(self, words: str) -> None:
        """In the place of a picture."""
        self._canvas, self._mips, self._words = None, [], words
        self._painting = self._by_key = False
        self.unsetCursor()
        self.update()

    def show_canvas(self, canvas: Canvas) -> None:
        """All of a picture; the brush is in its middle."""
        height, width = canvas.mask.shape
        self._canvas, self._words = canvas, ""
        self._mips = [_image_of(one) for one in (canvas.pixels, *canvas.smaller)]
        self.at = (width / 2, height / 2)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.fit()
        self.pointed.emit()

    def show_brush(self, radius_px: float) -> None:
        """How wide it is, of the picture; 0 is a cross."""
        self._radius_px = radius_px
        self._move_ring()

    def show_changed(self, box: Box) -> None:
        """A part of the mask is another."""
        self.update(self._sight.area(box))

    def fit(self) -> None:
        """See all of the picture."""
        if self._canvas is None:
            return
        height, width = self._canvas.mask.shape
        room = self.rect().adjusted(MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)
        scale = min(max(1, room.width()) / width, max(1, room.height()) / height, MOST_ENLARGED)
        self._fits = True
        self._see(scale, (width / 2, height / 2), QPointF(self.rect().center()))

    def zoom(self, times: float, about: QPointF | None = None) -> None:
        """Enlarge about a point of the view, or about the brush."""
        if self._canvas is None:
            return
        spot = self.at if about is None else self._sight.to_picture(about)
        place = self._sight.to_view(spot)
        least = min(1.0, self._least())
        scale = min(MOST_ENLARGED, max(least, self._sight.scale * times))
        self._fits = False
        self._see(scale, spot, place)

    def _least(self) -> float:
        if self._canvas is None:
            return 1.0
        height, width = self._canvas.mask.shape
        return min(self.width() / width, self.height() / height) / 2

    def _see(self, scale: float, spot: Spot, place: QPointF) -> None:
        """Let `spot` of the picture be at `place`, as far as that leaves it in view."""
        if self._canvas is None:
            return
        height, width = self._canvas.mask.shape
        left = _kept(place.x() - spot[0] * scale, width * scale, self.width())
        top = _kept(place.y() - spot[1] * scale, height * scale, self.height())
        self._sight = Sight(scale, left, top)
        self._shown = QImage()
        self._ring = self._ring_rect()
        self.update()

    def _pan(self, by: QPointF) -> None:
        middle = QPointF(self.rect().center())
        spot = self._sight.to_picture(middle)
        self._fits = False
        self._see(self._sight.scale, spot, middle + by)

    def _point(self, at: Spot) -> None:
        """Move the brush."""
        self.at = at
        self._move_ring()
        self.pointed.emit()
        if self._painting:
            self.moved.emit(*at)

    def _move_ring(self) -> None:
        self.update(self._ring)
        self._ring = self._ring_rect()
        self.update(self._ring)

    def _ring_rect(self) -> QRect:
        reach = max(8.0, self._radius_px * self._sight.scale) + 3
        middle = self._sight.to_view(self.at)
        box = QRectF(middle.x() - reach, middle.y() - reach, 2 * reach, 2 * reach)
        return box.toAlignedRect()

    def _begin(self) -> None:
        if not self._painting:
            self._painting = True
            self.pressed.emit(*self.at)

    def _end(self) -> None:
        if self._painting:
            self._painting = self._by_key = False
            self.released.emit()

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._canvas is None:
            return
        if event.button() == Qt.MouseButton.MiddleButton:
            self._dragged = event.position()
        elif event.button() == Qt.MouseButton.LeftButton:
            self._point(self._sight.to_picture(event.position()))
            self._begin()

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._canvas is None:
            return
        if self._dragged is not None:
            self._pan(event.position() - self._dragged)
            self._dragged = event.position()
        self._point(self._sight.to_picture(event.position()))

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self._dragged = None
        elif event.button() == Qt.MouseButton.LeftButton and not self._by_key:
            self._end()

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        if self._painting or self._canvas is None:
            return
        if event.modifiers() & Mod.ShiftModifier:
            self._pan(QPointF(turned.x() or turned.y(), turned.y() if turned.x() else 0) / 2)
        else:
            self.zoom(ZOOM_STEP ** (turned.y() / 120), event.position())

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Key(event.key())
        if self._canvas is None:
            super().keyPressEvent(event)
        elif key in _ARROWS:
            self._step(_ARROWS[key], event.modifiers())
        elif key == Key.Key_Space:
            if not event.isAutoRepeat():
                self._begin()
                self._by_key = True
        else:
            super().keyPressEvent(event)

    def _step(self, way: tuple[int, int], held: Qt.KeyboardModifier) -> None:
        """Half a brush, or with Shift a px."""
        if self._canvas is None:
            return
        height, width = self._canvas.mask.shape
        far = 1.0 if held & Mod.ShiftModifier else max(1.0, self._radius_px / 2, 4 / self.scale)
        x = min(width - 0.5, max(0.5, self.at[0] + far * way[0]))
        y = min(height - 0.5, max(0.5, self.at[1] + far * way[1]))
        self._point((x, y))
        place = self._sight.to_view(self.at).toPoint()
        if not self.rect().contains(place):
            self._see(self._sight.scale, self.at, QPointF(self.rect().center()))

    @override
    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Key.Key_Space and not event.isAutoRepeat():
            self._end()
        else:
            super().keyReleaseEvent(event)

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()
        super().focusInEvent(event)

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._end()
        self.update()
        super().focusOutEvent(event)

    @override
    def leaveEvent(self, event: QEvent) -> None:
        self.update(self._ring)
        super().leaveEvent(event)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        self._shown = QImage()
        if self._fits:
            self.fit()

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._shown = QImage()
            self.update()
        super().changeEvent(event)

    @override
    def sizeHint(self) -> QSize:
        return QSize(640, 480)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours, area = theme.current(), event.rect()
        if self._canvas is None:
            painter.fillRect(area, QColor(colours.panel))
            painter.setPen(QColor(colours.secondary))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 24, -24, -24), flags, self._words)
            return
        painter.setClipRect(area)
        if self._shown.isNull():
            self._shown = self._draw_picture(self._canvas)
        painter.drawImage(0, 0, self._shown)
        self._draw_mask(painter, self._canvas, area)
        self._draw_ring(painter)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.accent), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def _draw_picture(self, canvas: Canvas) -> QImage:
        """What is seen of it, once for each place and size that it is seen at."""
        ratio = self.devicePixelRatio()
        shown = QImage(self.size() * ratio, QImage.Format.Format_RGB32)
        shown.setDevicePixelRatio(ratio)
        shown.fill(QColor(theme.current().panel))
        scale = self._sight.scale * ratio
        mip = min(len(self._mips) - 1, max(0, math.floor(-math.log2(scale)))) if scale < 1 else 0
        image = self._mips[mip]
        height, width = canvas.mask.shape
        painter = QPainter(shown)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 2)  # noqa: PLR2004
        sight = self._sight
        whole = QTransform(sight.scale, 0, 0, sight.scale, sight.left, sight.top)
        painter.setTransform(whole)
        painter.drawImage(QRectF(0, 0, width, height), image)
        painter.end()
        return shown

    def _draw_mask(self, painter: QPainter, canvas: Canvas, area: QRect) -> None:
        """A striped tint over what is left out, of the part of the view that is drawn anew."""
        height, width = canvas.mask.shape
        inside = self._sight.area(Box(0, 0, width, height)) & area & self.rect()
        if inside.isEmpty():
            return
        sight = self._sight
        xs = np.arange(inside.left(), inside.right() + 1)
        ys = np.arange(inside.top(), inside.bottom() + 1)
        columns = np.floor((xs + 0.5 - sight.left) / sight.scale).astype(np.intp)
        rows = np.floor((ys + 0.5 - sight.top) / sight.scale).astype(np.intp)
        across, down = _within(columns, width), _within(rows, height)
        xs, columns, ys, rows = xs[across], columns[across], ys[down], rows[down]
        if not len(xs) or not len(ys):
            return
        seen = canvas.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        seen = seen[rows - rows[0]][:, columns - columns[0]]
        striped = ((xs + ys[:, None]) // STRIPES_PX % 2).astype(np.intp)
        tint = _tints()[striped, seen]
        kind = QImage.Format.Format_ARGB32_Premultiplied
        image = QImage(tint.reshape(-1).data, len(xs), len(ys), 4 * len(xs), kind)
        painter.drawImage(QPoint(int(xs[0]), int(ys[0])), image)

    def _draw_ring(self, painter: QPainter) -> None:
        """Where the brush is: light in dark, seen on any picture."""
        if not (self.underMouse() or self.hasFocus()):
            return
        middle = self._sight.to_view(self.at)
        reach = self._radius_px * self._sight.scale
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in (("#000000", 3.0), ("#ffffff", 1.25)):
            painter.setPen(QPen(QColor(colour), width))
            if reach >= 1:
                painter.drawEllipse(middle, reach, reach)
            if reach < 6:  # noqa: PLR2004 - too small to be found
                painter.drawLine(middle - QPointF(7, 0), middle + QPointF(7, 0))
                painter.drawLine(middle - QPointF(0, 7), middle + QPointF(0, 7))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _within(numbers: np.ndarray, count: int) -> np.ndarray:
    return (numbers >= 0) & (numbers < count)


def _kept(corner: float, extent: float, room: int) -> float:
    """Where a picture begins that is larger than the room, or in the middle of it."""
    if extent <= room:
        return (room - extent) / 2
    return min(room / 2, max(room / 2 - extent, corner))


def _tints() -> np.ndarray:
    """Premultiplied colours for a stripe and beside one, by how much a place is learnt."""
    tint = QColor(theme.current().accent)
    out = (255 - np.arange(256)) / 255
    rows = []
    for most in (VEIL, VEIL_STRIPE):
        alpha = out * most
        parts = (alpha * 255, tint.red() * alpha, tint.green() * alpha, tint.blue() * alpha)
        a, r, g, b = (np.round(part).astype(np.uint32) for part in parts)
        rows.append(a << 24 | r << 16 | g << 8 | b)
    return np.stack(rows)


def _image_of(pixels: Pixels) -> QImage:
    """Over the very pixels, which are to outlast it."""
    height, width = pixels.shape[:2]
    kind = QImage.Format.Format_RGB888
    return QImage(pixels.reshape(-1).data, width, height, 3 * width, kind)
