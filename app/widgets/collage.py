"""Some pictures in a square-ish block, cropped to fill: a thing to look at, not to press."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from app.widgets.grid import GAP_PX, paint_picture

LEAST_PX = 64


class Collage(QWidget):
    """In so many columns, squares in the middle of the room; a single picture fills it."""

    def __init__(self, columns: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = columns
        self._images: list[QImage] = []
        self._files: list[Path] = []  # not yet read
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_files(self, files: Sequence[Path]) -> None:
        """Pictures of these files, read once they can be seen: no start waits for them."""
        self._images, self._files = [], list(files)
        self.update()

    def show_images(self, images: Sequence[QImage]) -> None:
        self._images = list(images)
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(3 * LEAST_PX, 2 * LEAST_PX)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(self._columns * LEAST_PX, LEAST_PX)

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        if self._files:
            self._images, self._files = [QImage(str(file)) for file in self._files], []
        painter, columns = QPainter(self), self._columns
        if columns == 1 and len(self._images) == 1:
            paint_picture(painter, self.rect(), self._images[0])
            return
        rows = max(1, math.ceil(len(self._images) / columns))
        width = (self.width() - (columns - 1) * GAP_PX) // columns
        edge = min(width, (self.height() - (rows - 1) * GAP_PX) // rows)
        step = edge + GAP_PX
        left = (self.width() - columns * step + GAP_PX) // 2
        top = (self.height() - rows * step + GAP_PX) // 2
        for number, image in enumerate(self._images):
            row, column = divmod(number, columns)
            paint_picture(painter, QRect(left + column * step, top + row * step, edge, edge), image)
