"""What is chosen, in words, beside a button whose menu has what else there is."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from app.widgets import labels


class Choice(QWidget):
    """A line of a form; the keys go to its button."""

    def __init__(self, change: str, parent: QWidget | None = None) -> None:
        """`change` says what the button does, to those who do not see what is beside it."""
        super().__init__(parent)
        self.words = labels.secondary()
        self.change = QPushButton()
        self.change.setAccessibleName(change)
        self.menu = QMenu(self)
        self.change.setMenu(self.menu)
        self.setFocusProxy(self.change)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        row.addWidget(self.words, stretch=1)
        row.addWidget(self.change)

    def show_chosen(self, words: str, tip: str, *, anything: bool) -> None:
        """`words` say what is chosen, `tip` where it lies; `anything` is whether there is one."""
        self.words.setText(words)
        self.words.setToolTip(tip)
        self.change.setText("Change" if anything else "Choose")

    def offer(self) -> None:
        """Open the menu where the button is."""
        self.change.setFocus()
        self.menu.popup(self.change.mapToGlobal(self.change.rect().bottomLeft()))
