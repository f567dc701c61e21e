"""What stands where there is nothing yet: a picture, what will be there, and where to begin."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.widgets import labels

PICTURE_PX = 144  # the height of its picture, at most
GAP_PX = 12


class Empty(QWidget):
    """In the middle of the room it is given."""

    def __init__(
        self,
        picture: QWidget,
        heading: str,
        words: str,
        buttons: Sequence[QPushButton],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        picture.setMaximumHeight(PICTURE_PX)
        self.heading, hint = labels.title(heading), labels.secondary(words)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(GAP_PX)
        column.addStretch()
        column.addWidget(picture, stretch=2)
        column.addSpacing(GAP_PX)
        for label in (self.heading, hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addSpacing(GAP_PX)
        row = QHBoxLayout()
        row.setSpacing(GAP_PX)
        row.addStretch()
        for button in buttons:
            row.addWidget(button)
        row.addStretch()
        column.addLayout(row)
        column.addStretch()
