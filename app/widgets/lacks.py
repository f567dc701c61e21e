"""A short list of what is missing, each with the button that leads to it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QWidget

from app.widgets import labels

BESIDE = 3  # each other


class Lacks(QWidget):
    """Empty, it is not seen."""

    pressed = Signal(int)  # the button of an entry

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[tuple[str, str, bool]] = []
        self._parts: list[QWidget] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(32)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(BESIDE, 1)
        self._grid.addWidget(labels.small("Not ready"), 0, 0, 1, BESIDE)
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
        self._parts = [self._make_part(number, *one) for number, one in enumerate(lacks)]
        for number, part in enumerate(self._parts):
            self._grid.addWidget(part, 1 + number // BESIDE, number % BESIDE)
            part.show()
        self.setVisible(bool(lacks))

    def _make_part(self, number: int, words: str, button: str, needed: bool) -> QWidget:  # noqa: FBT001
        part = QWidget()
        inside = QHBoxLayout(part)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(12)
        press = QPushButton(button)
        press.setObjectName("primary" if needed and number == 0 else "")  # the next thing to do
        press.setAccessibleName(f"{button}: {words}")
        press.clicked.connect(lambda: self.pressed.emit(number))
        said = words[:1].upper() + words[1:]
        if needed:
            label = labels.warning(said)
        else:
            label = labels.secondary(said)
            label.setWordWrap(False)
        inside.addWidget(label)
        inside.addWidget(press)
        inside.addStretch()
        return part
