"""The newest previews of a run, four at most, beside its loss."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from app import theme
from app.widgets.grid import CORNER_PX, GAP_PX, paint_picture

SHOWN = 4
COLUMNS = 2


class NewestPreviews(QAbstractButton):
    """Tiles in two rows; pressed, it asks to see them all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: list[QImage] = []
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Expanding)
        self.setMinimumWidth(160)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_images(self, images: Sequence[QImage]) -> None:
        """Replace what is shown."""
        self._images = list(images[:SHOWN])
        self.setVisible(bool(self._images))
        self.updateGeometry()
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(280, 200)

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        painter = QPainter(self)
        width = (self.width() - GAP_PX) // COLUMNS
        edge = min(width, (self.height() - GAP_PX) // COLUMNS)
        for number, image in enumerate(self._images):
            row, column = divmod(number, COLUMNS)
            place = QRect(column * (edge + GAP_PX), row * (edge + GAP_PX), edge, edge)
            paint_picture(painter, place, image)
        if self.hasFocus():
            whole = QRectF(0, 0, COLUMNS * (edge + GAP_PX) - GAP_PX, self.height())
            painter.setPen(QPen(QColor(theme.current().accent), 2))
            painter.drawRoundedRect(whole.adjusted(1, 1, -1, -1), CORNER_PX, CORNER_PX)
