"""What each program would load of an adapter, a row each."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from app.widgets import labels


class Proof(QWidget):
    """Empty, it is not seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[tuple[str, str, bool]] = []
        self._labels: list[QLabel] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._grid.addWidget(labels.small("Layers that others load"), 0, 0, 1, 2)
        self.hide()

    def show_readers(self, readers: Sequence[tuple[str, str, bool]]) -> None:
        """Replace them: a program, in words what it loads, and whether that is all."""
        if list(readers) == self._shown:
            return
        self._shown = list(readers)
        for label in self._labels:
            self._grid.removeWidget(label)
            label.hide()
            label.deleteLater()
        self._labels = []
        for row, (program, words, whole) in enumerate(readers, 1):
            said = QLabel(words)
            said.setObjectName("" if whole else "secondary")
            said.setTextFormat(Qt.TextFormat.PlainText)
            said.setWordWrap(True)
            for column, label in enumerate((QLabel(program), said)):
                self._grid.addWidget(label, row, column, Qt.AlignmentFlag.AlignTop)
                self._labels.append(label)
                label.show()
        self.setVisible(bool(readers))

    @property
    def text(self) -> str:
        """All of it, a line each."""
        return "\n".join(f"{program}: {words}" for program, words, _ in self._shown)
