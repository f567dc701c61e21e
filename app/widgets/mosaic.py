"""Pictures in rows, as many as there is room for: to look at, where a form leaves room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from app.widgets.grid import GAP_PX, paint_picture
from app.widgets.justified import rows, sums_of

HEIGHT_PX = 176
MOST = 200


class Mosaic(QWidget):
    """Asks for what it shows when it is painted."""

    def __init__(
        self,
        aspects: Callable[[], Sequence[float]],
        image: Callable[[int], QImage | None],
        parent: QWidget | None = None,
    ) -> None:
        """`aspects` are width / height of each picture, `image` is one by its number."""
        super().__init__(parent)
        self._aspects, self._image = aspects, image
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @override
    def sizeHint(self) -> QSize:
        return QSize(2 * HEIGHT_PX, HEIGHT_PX)

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        painter, sums, room = QPainter(self), sums_of(self._aspects()[:MOST]), self.contentsRect()
        there = rows(sums, room.width() - 1, HEIGHT_PX, GAP_PX, GAP_PX)
        for number in range(there.count):
            place = there.place(number).translated(room.topLeft())
            if room.contains(place.bottomLeft()):
                paint_picture(painter, place, self._image(number) or QImage())
