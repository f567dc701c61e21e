"""What is drawn now, large, beside what it is to become like; the other prompts small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from app import theme
from app.widgets.grid import CORNER_PX, paint_picture, small_font

GAP_PX = 16
SMALL_GAP_PX = 8
SMALL_PX = (
    72,
    144,
)  # a small picture's edge: two columns below the first, never more than the last
ENLARGED = 6  # a drawn picture at most
LEAST_PX = 112  # of a large picture's edge
WORDS_PX = 4  # between a picture and its words


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture and what is said of it."""

    image: QImage
    words: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything lies."""

    now: QRect
    target: QRect
    small: tuple[QRect, ...]


class Comparison(QAbstractButton):
    """Arrow keys or a press choose the prompt that is large; pressed there, it asks for more."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.drawn: list[Shown] = []
        self.target = Shown(QImage(), "")
        self.chosen = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_pictures(self, drawn: Sequence[Shown], target: Shown) -> None:
        """Replace them; the same prompt stays large."""
        self.drawn, self.target = list(drawn), target
        self.setAccessibleDescription("\n".join(one.words for one in (*drawn, target)))
        self.update()

    def choose(self, number: int) -> None:
        """Make a prompt's picture the large one."""
        self.chosen = max(0, min(number, len(self.drawn) - 1))
        self.update()

    @property
    def now(self) -> Shown:
        """The large one; an empty one before the first."""
        if not self.drawn:
            return Shown(QImage(), "The first picture comes with the first steps.")
        return self.drawn[min(self.chosen, len(self.drawn) - 1)]

    def places(self) -> Places:
        """For the room there is."""
        line = WORDS_PX + self.fontMetrics().height()
        image = self.now.image
        largest = ENLARGED * max(image.width(), image.height()) or self.width()
        return laid_out(self.size(), len(self.drawn), line, largest)

    @override
    def sizeHint(self) -> QSize:
        return QSize(3 * LEAST_PX, LEAST_PX)

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def mouseReleaseEvent(self, e: QMouseEvent) -> None:
        place = e.position().toPoint()
        for number, small in enumerate(self.places().small):
            if small.contains(place):
                self.setDown(False)
                self.choose(number)
                return
        super().mouseReleaseEvent(e)

    @override
    def keyPressEvent(self, e: QKeyEvent) -> None:
        back, on = (Qt.Key.Key_Left, Qt.Key.Key_Up), (Qt.Key.Key_Right, Qt.Key.Key_Down)
        if e.key() in (*back, *on):
            self.choose(self.chosen + (1 if e.key() in on else -1))
        else:
            super().keyPressEvent(e)

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        painter, places = QPainter(self), self.places()
        painter.setFont(small_font(self.font()))
        for number, place in enumerate(places.small):
            paint_picture(painter, place, self.drawn[number].image)
            if self.drawn[number] is self.now:
                _frame(painter, place)
        for place, shown in ((places.now, self.now), (places.target, self.target)):
            paint_picture(painter, place, shown.image)
            painter.setPen(QColor(theme.current().secondary))
            below = QRect(place.left(), place.bottom() + WORDS_PX, place.width(), place.height())
            shorten = painter.fontMetrics().elidedText
            words = shorten(shown.words, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft, words)
        if self.hasFocus():
            _frame(painter, places.now)


def _frame(painter: QPainter, place: QRect) -> None:
    painter.setPen(QPen(QColor(theme.current().accent), 2))
    painter.drawRoundedRect(QRectF(place).adjusted(1, 1, -1, -1), CORNER_PX, CORNER_PX)


def laid_out(room: QSize, count: int, line_px: int, largest_px: int) -> Places:
    """Small ones in a column or two at the left, the two large ones in the middle.

    Args:
        room: For all of it.
        count: Of prompts; a single one is only large.
        line_px: The height of the words below a large picture.
        largest_px: What a large picture's edge may be.
    """
    height = room.height() - line_px
    columns = 0 if count < 2 else 1 if _edge(height, count) >= SMALL_PX[0] else 2  # noqa: PLR2004
    edge = min(SMALL_PX[1], _edge(height, -(-count // columns))) if columns else 0
    aside = columns * (edge + SMALL_GAP_PX) + (SMALL_GAP_PX if columns else 0)
    large = max(1, min(height, (room.width() - aside - GAP_PX) // 2, largest_px))
    left = max(0, (room.width() - aside - GAP_PX - 2 * large) // 2)
    top = max(0, (height - large) // 2)
    if columns:
        edge = min(edge, _edge(large, -(-count // columns)))  # no taller than the large ones
    step = edge + SMALL_GAP_PX
    corners = [divmod(number, columns) for number in range(count if columns else 0)]
    small = [QRect(left + column * step, top + row * step, edge, edge) for row, column in corners]
    now = QRect(QPoint(left + aside, top), QSize(large, large))
    return Places(now, now.translated(large + GAP_PX, 0), tuple(small))


def _edge(height_px: int, rows: int) -> int:
    return (height_px - (rows - 1) * SMALL_GAP_PX) // rows
