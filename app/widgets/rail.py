"""The rail at the window's left: one button a page, by click or by key."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton, QVBoxLayout, QWidget
from typing_extensions import override

from app import theme

ICON_PX = 24


class Rail(QFrame):
    """Offers pages, each an action and an icon's name."""

    def __init__(
        self, pages: Sequence[tuple[QAction, str, str]], parent: QWidget | None = None
    ) -> None:
        """`pages`: what turns to it, its name, its icon's name."""
        super().__init__(parent)
        self.setObjectName("rail")
        self._painted: theme.Theme | None = None
        self._icons = [icon for _, _, icon in pages]
        self._buttons = [_button(action, name) for action, name, _ in pages]
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 16, 8, 16)
        column.setSpacing(8)
        for button in self._buttons:
            column.addWidget(button)
        column.addStretch()
        self._paint_icons()

    def show_chosen(self, number: int) -> None:
        """Mark a page as the one on screen."""
        for place, button in enumerate(self._buttons):
            button.setChecked(place == number)

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_buttons"):
            self._paint_icons()
        super().changeEvent(event)

    def _paint_icons(self) -> None:
        if self._painted is theme.current():
            return
        self._painted = theme.current()
        for button, icon in zip(self._buttons, self._icons, strict=True):
            button.setIcon(theme.icon(icon, ICON_PX))


def _button(action: QAction, name: str) -> QToolButton:
    button = QToolButton()
    button.setText(name)
    button.setIconSize(QSize(ICON_PX, ICON_PX))
    button.setCheckable(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    button.setMinimumWidth(72)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    button.setAccessibleName(name)
    button.setToolTip(f"{name} ({action.shortcut().toString()})")
    button.clicked.connect(action.trigger)
    return button
