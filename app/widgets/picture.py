"""One large picture, fitted, on a neutral surround."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from app import theme

MAX_ENLARGEMENT = 6  # beyond it a small picture only gets coarser


def fitted(image: QImage, room: QRect) -> QRect:
    """Where `image` lies in `room`: as large as it fits, in the middle."""
    largest = image.size() * MAX_ENLARGEMENT
    size = image.size().scaled(room.size().boundedTo(largest), Qt.AspectRatioMode.KeepAspectRatio)
    place = QRect(room.topLeft(), size)
    place.moveCenter(room.center())
    return place


def _outline(painter: QPainter, place: QRect) -> None:
    """So that a white picture ends somewhere on a white panel."""
    painter.setPen(QColor(theme.current().line))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(place).adjusted(0.5, 0.5, -0.5, -0.5))


class PictureView(QWidget):
    """Shows a picture, or words where there is none."""

    def __init__(
        self, words: str = "", parent: QWidget | None = None, *, square: bool = False
    ) -> None:
        """`square`: no taller than wide, so that what stands below stays near."""
        super().__init__(parent)
        self._image = QImage()
        self._words, self._square = words, square
        self.setMinimumSize(160, 160)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def empty(self) -> bool:
        return self._image.isNull()

    def show_image(self, image: QImage) -> None:
        self._image = image
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(320, 320)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._square:
            self.setMaximumHeight(event.size().width())

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        if self._image.isNull():
            painter.setPen(QColor(theme.current().secondary))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), flags, self._words)
            return
        place = fitted(self._image, self.rect())
        painter.drawImage(place, self._image)
        _outline(painter, place)


class CropView(PictureView):
    """A picture and what is kept of it, which a click or the arrow keys put elsewhere.

    What is cut off is veiled. Home, or a double click, keeps the middle again.
    """

    pointed = Signal(float, float)  # what is to be in the middle, as shares of the edges
    centred = Signal()  # the middle is wished again

    STEP = 0.05
    _KEYS = {  # noqa: RUF012 - of the class, and never changed
        Qt.Key.Key_Left: (-1, 0),
        Qt.Key.Key_Right: (1, 0),
        Qt.Key.Key_Up: (0, -1),
        Qt.Key.Key_Down: (0, 1),
    }

    def __init__(self, words: str = "", parent: QWidget | None = None) -> None:
        super().__init__(words, parent)
        self.kept = QRectF(0, 0, 1, 1)
        self.setAccessibleName("What is learnt of the picture")

    @property
    def cuts(self) -> bool:
        """Whether enough is cut off to be seen."""
        return min(self.kept.width(), self.kept.height()) < 0.995  # noqa: PLR2004

    def show_kept(self, kept: QRectF) -> None:
        """As shares of the picture's edges."""
        self.kept = kept
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if self.cuts else Qt.FocusPolicy.NoFocus)
        if self.cuts:
            self.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self.unsetCursor()
        self.update()

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        place, at = fitted(self._image, self.rect()), event.position()
        if self.cuts and not self.empty and place.contains(at.toPoint()):
            x, y = (at.x() - place.left()) / place.width(), (at.y() - place.top()) / place.height()
            self.pointed.emit(min(1.0, max(0.0, x)), min(1.0, max(0.0, y)))

    @override
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.cuts:
            self.centred.emit()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if self.cuts and key == Qt.Key.Key_Home:
            self.centred.emit()
        elif self.cuts and key in self._KEYS:
            x, y = self._KEYS[key]
            middle = self.kept.center()
            self.pointed.emit(
                min(1.0, max(0.0, middle.x() + x * self.STEP)),
                min(1.0, max(0.0, middle.y() + y * self.STEP)),
            )
        else:
            super().keyPressEvent(event)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.empty or not self.cuts:
            return
        place = QRectF(fitted(self._image, self.rect()))
        kept = QRectF(
            place.left() + self.kept.left() * place.width(),
            place.top() + self.kept.top() * place.height(),
            self.kept.width() * place.width(),
            self.kept.height() * place.height(),
        )
        veiled = QPainterPath()
        veiled.addRect(place)
        veiled.addRect(kept)  # twice inside is outside
        painter = QPainter(self)
        veil = QColor(theme.current().panel)
        veil.setAlphaF(0.75)
        painter.fillPath(veiled, veil)
        painter.setPen(QPen(QColor(theme.current().accent), 2 if self.hasFocus() else 1))
        painter.drawRect(kept.adjusted(0.5, 0.5, -0.5, -0.5))


class WipeView(QWidget):
    """Two pictures on one place with an edge between them that follows the mouse or arrow keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._left, self._right = QImage(), QImage()
        self._left_words, self._right_words = "", ""
        self._share = 0.5
        self.setMinimumSize(160, 96)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Before and after, compared")

    def show_pair(self, left: QImage, left_words: str, right: QImage, right_words: str) -> None:
        """Left of the edge is before, right is after."""
        self._left, self._right = left, right
        self._left_words, self._right_words = left_words, right_words
        self.update()

    @property
    def after(self) -> QImage:
        """The picture on the right, or the only one."""
        return self._right

    @override
    def sizeHint(self) -> QSize:
        return QSize(360, 360)

    @override
    def mousePressEvent(self, event) -> None:  # noqa: ANN001 - QMouseEvent
        self._move_to(event.position().x())

    @override
    def mouseMoveEvent(self, event) -> None:  # noqa: ANN001 - QMouseEvent
        self._move_to(event.position().x())

    @override
    def keyPressEvent(self, event) -> None:  # noqa: ANN001 - QKeyEvent
        step = {Qt.Key.Key_Left: -0.05, Qt.Key.Key_Right: 0.05}.get(event.key())
        if step is None:
            super().keyPressEvent(event)
            return
        self._share = min(1.0, max(0.0, self._share + step))
        self.update()

    def _move_to(self, x: float) -> None:
        place = self._place()
        if place.width():
            self._share = min(1.0, max(0.0, (x - place.left()) / place.width()))
            self.update()

    def _place(self) -> QRect:
        image = self._right if not self._right.isNull() else self._left
        return fitted(image, self.rect().adjusted(2, 2, -2, -2))

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        if self._left.isNull() and self._right.isNull():
            painter.setPen(QColor(colours.secondary))
            words = "Pictures before and after training are compared here."
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), flags, words)
            return
        place = self._place()
        edge = place.left() + round(place.width() * self._share)
        painter.drawImage(place, self._right if not self._right.isNull() else self._left)
        if not self._left.isNull():
            painter.save()
            painter.setClipRect(
                QRect(place.left(), place.top(), edge - place.left(), place.height())
            )
            painter.drawImage(place, self._left)
            painter.restore()
            painter.fillRect(edge - 1, place.top(), 2, place.height(), QColor(colours.text))
        _outline(painter, place)
        self._label(painter, place, self._left_words, Qt.AlignmentFlag.AlignLeft)
        self._label(painter, place, self._right_words, Qt.AlignmentFlag.AlignRight)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(place)

    def _label(self, painter: QPainter, place: QRect, words: str, side: Qt.AlignmentFlag) -> None:
        """Words on a plate, readable on any picture."""
        if not words:
            return
        colours = theme.current()
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(words) + 16, metrics.height() + 8
        plate = QRectF(place.left() + 8, place.bottom() - 8 - height, width, height)
        if side == Qt.AlignmentFlag.AlignRight:
            plate.moveRight(place.right() - 8)
        painter.save()
        painter.setBrush(QColor(colours.panel))
        painter.setPen(QColor(colours.line))
        painter.drawRoundedRect(plate, 6, 6)
        painter.setPen(QColor(colours.text))
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, words)
        painter.restore()
