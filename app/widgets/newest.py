"""The newest previews of a run, four at most, beside its loss."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from app.widgets.grid import GAP_PX, paint_picture

SHOWN = 4
COLUMNS = 2


class NewestPreviews(QWidget):
    """Tiles in two rows; a click asks to see them all."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: list[QImage] = []
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Expanding)
        self.setMinimumWidth(160)
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
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        width = (self.width() - GAP_PX) // COLUMNS
        edge = min(width, (self.height() - GAP_PX) // COLUMNS)
        for number, image in enumerate(self._images):
            row, column = divmod(number, COLUMNS)
            place = QRect(column * (edge + GAP_PX), row * (edge + GAP_PX), edge, edge)
            paint_picture(painter, place, image)
