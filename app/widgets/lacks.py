"""A short list of what is missing, each with the button that leads to it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from app.widgets import labels

BESIDE = 2  # each other
COLUMNS = 3  # of each: its words, its button, a gap
GAP_PX = 20


class Lacks(QWidget):
    """Empty, it is not seen."""

    pressed = Signal(int)  # the button of an entry

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[tuple[str, str, bool]] = []
        self._parts: list[QWidget] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        for number in range(BESIDE):
            self._grid.setColumnMinimumWidth(COLUMNS * (number + 1) - 1, GAP_PX)
        self._grid.setColumnStretch(COLUMNS * BESIDE, 1)
        self._grid.addWidget(labels.small("Not ready"), 0, 0, 1, COLUMNS * BESIDE)
        self.hide()

    def show_lacks(self, lacks: Sequence[tuple[str, str, bool]]) -> None:
        """Replace them: words, the button's, and whether no run goes without it; those first."""
        if list(lacks) == self._shown:
            return
        self._shown = list(lacks)
        for part in self._parts:
            self._grid.removeWidget(part)
            part.hide()
            part.deleteLater()
        self._parts = []
        for number, (words, button, needed) in enumerate(lacks):
            said = words[:1].upper() + words[1:]
            label = labels.warning(said) if needed else labels.secondary(said)
            label.setWordWrap(False)
            press = QPushButton(button)
            press.setObjectName("primary" if needed and number == 0 else "")  # the next to do
            press.setAccessibleName(f"{button}: {words}")
            press.clicked.connect(lambda _, number=number: self.pressed.emit(number))
            for place, part in enumerate((label, press)):
                column = COLUMNS * (number % BESIDE) + place
                left = Qt.AlignmentFlag.AlignLeft
                self._grid.addWidget(part, 1 + number // BESIDE, column, left)
                self._parts.append(part)
                part.show()
        self.setVisible(bool(lacks))
