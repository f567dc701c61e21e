"""One large picture, fitted, on a neutral surround."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QResizeEvent
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
