"""The rail at the window's left: one button a page, by click or by key."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QToolButton, QVBoxLayout, QWidget
from typing_extensions import override

from app import theme

ICON_PX = 24


class Rail(QFrame):
    """Offers pages, each a name and an icon's name."""

    chosen = Signal(int)  # a page's number, from 0

    def __init__(self, pages: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setFixedWidth(88)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 16, 8, 16)
        column.setSpacing(8)
        self._icons = [icon for _, icon in pages]
        self._painted: theme.Theme | None = None
        self._buttons = QButtonGroup(self)
        for number, (name, _) in enumerate(pages):
            self._buttons.addButton(_button(name, f"{name} ({number + 1})"), number)
            column.addWidget(self._buttons.button(number))
            for keys in (f"{number + 1}", f"Ctrl+{number + 1}"):  # the latter while writing, too
                QShortcut(QKeySequence(keys), self, lambda n=number: self.chosen.emit(n))
        column.addStretch()
        self._buttons.idClicked.connect(self.chosen)
        self._paint_icons()

    def show_chosen(self, number: int) -> None:
        """Mark a page as the one on screen."""
        self._buttons.button(number).setChecked(True)

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_buttons"):
            self._paint_icons()
        super().changeEvent(event)

    def _paint_icons(self) -> None:
        if self._painted is theme.current():
            return
        self._painted = theme.current()
        for number, icon in enumerate(self._icons):
            self._buttons.button(number).setIcon(theme.icon(icon, ICON_PX))


def _button(name: str, hint: str) -> QToolButton:
    button = QToolButton()
    button.setText(name)
    button.setIconSize(QSize(ICON_PX, ICON_PX))
    button.setCheckable(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    button.setFixedWidth(72)
    button.setAccessibleName(name)
    button.setToolTip(hint)
    return button
