"""A choice as a card: small pictures, its title, a sentence, and a figure."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from app import theme
from app.widgets.grid import CORNER_PX, paint_picture, small_font

PADDING_PX = 12
GAP_PX = 4
PICTURE_PX = 56  # of a small picture's edge
SENTENCE_LINES = 2
LEAST_PX = 168


class Card(QAbstractButton):
    """One of several; the chosen one has a frame."""

    def __init__(
        self, title: str, sentence: str, pictures: Sequence[QImage], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setText(title)
        self.setCheckable(True)
        self.setAccessibleDescription(sentence)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._sentence, self._figure, self._pictures = sentence, "", list(pictures)

    def show_figure(self, words: str) -> None:
        """What it means in numbers."""
        if words != self._figure:
            self._figure = words
            self.setAccessibleDescription(f"{self._sentence} {words}")
            self.update()

    @override
    def sizeHint(self) -> QSize:
        line = QFontMetrics(small_font(self.font())).lineSpacing()
        words = self.fontMetrics().lineSpacing() + (SENTENCE_LINES + 1) * line + 5 * GAP_PX
        return QSize(LEAST_PX, 2 * PADDING_PX + PICTURE_PX + GAP_PX + words)

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        colours, painter = theme.current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        strong = 2 if self.isChecked() or self.hasFocus() else 1
        painter.setPen(QPen(QColor(self._frame_colour()), strong))
        painter.setBrush(QColor(colours.panel))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), CORNER_PX, CORNER_PX)
        inside = self.rect().adjusted(PADDING_PX, PADDING_PX, -PADDING_PX, -PADDING_PX)
        self._paint_pictures(painter, inside)
        inside.setTop(inside.top() + PICTURE_PX + 2 * GAP_PX)
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(QColor(colours.text))
        painter.drawText(inside, Qt.AlignmentFlag.AlignTop, self.text())
        top = inside.top() + painter.fontMetrics().lineSpacing() + GAP_PX
        painter.setFont(small_font(self.font()))
        painter.setPen(QColor(colours.secondary))
        below = QRect(inside.left(), top, inside.width(), inside.bottom() - top)
        wrapped = Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(below, wrapped, self._sentence)
        painter.setPen(QColor(colours.text))
        painter.drawText(inside, Qt.AlignmentFlag.AlignBottom, self._figure)

    def _frame_colour(self) -> str:
        colours = theme.current()
        if self.hasFocus():
            return colours.accent
        if self.isChecked():
            return colours.text
        return colours.secondary if self.underMouse() else colours.line

    def _paint_pictures(self, painter: QPainter, inside: QRect) -> None:
        """Beside each other; smaller where there is little room."""
        count = len(self._pictures)
        edge = min(PICTURE_PX, (inside.width() - (count - 1) * GAP_PX) // max(1, count))
        for number, picture in enumerate(self._pictures):
            left = inside.left() + number * (edge + GAP_PX)
            paint_picture(painter, QRect(left, inside.top(), edge, edge), picture)
