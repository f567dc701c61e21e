"""A choice as a card: its title, a sentence, and a figure."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from app import theme
from app.widgets.grid import CORNER_PX, small_font

PADDING_PX = 12
SENTENCE_LINES = 2
LEAST_PX = 168


class Card(QAbstractButton):
    """One of several; the chosen one has a frame."""

    def __init__(self, title: str, sentence: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(title)
        self.setCheckable(True)
        self.setAccessibleDescription(sentence)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._sentence, self._figure = sentence, ""

    def show_figure(self, words: str) -> None:
        """What it means in numbers."""
        if words != self._figure:
            self._figure = words
            self.setAccessibleDescription(f"{self._sentence} {words}")
            self.update()

    @override
    def sizeHint(self) -> QSize:
        line = QFontMetrics(small_font(self.font())).lineSpacing()
        height = 2 * PADDING_PX + self.fontMetrics().lineSpacing() + (SENTENCE_LINES + 1) * line + 8
        return QSize(LEAST_PX, height)

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        colours, painter = theme.current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        marked = self.isChecked() or self.hasFocus() or self.underMouse()
        strong = 2 if self.isChecked() or self.hasFocus() else 1
        painter.setPen(QPen(QColor(colours.accent if marked else colours.line), strong))
        painter.setBrush(QColor(colours.panel))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), CORNER_PX, CORNER_PX)
        inside = self.rect().adjusted(PADDING_PX, PADDING_PX, -PADDING_PX, -PADDING_PX)
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(QColor(colours.text))
        painter.drawText(inside, Qt.AlignmentFlag.AlignTop, self.text())
        top = inside.top() + painter.fontMetrics().lineSpacing() + 4
        painter.setFont(small_font(self.font()))
        painter.setPen(QColor(colours.secondary))
        below = QRect(inside.left(), top, inside.width(), inside.bottom() - top)
        wrapped = Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(below, wrapped, self._sentence)
        painter.setPen(QColor(colours.text))
        painter.drawText(inside, Qt.AlignmentFlag.AlignBottom, self._figure)
