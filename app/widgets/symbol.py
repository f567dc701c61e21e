"""One of the icons, large, in the theme's quiet colour."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QWidget
from typing_extensions import override

from app import theme

EDGE_PX = 64


class Symbol(QLabel):
    """Follows the theme."""

    def __init__(self, icon: str, edge_px: int = EDGE_PX, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon, self._edge_px = icon, edge_px
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumHeight(edge_px)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        self._draw()
        super().showEvent(event)

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and self.isVisible():
            self._draw()
        super().changeEvent(event)

    def _draw(self) -> None:
        self.setPixmap(theme.drawing(self._icon, self._edge_px, self.devicePixelRatio()))
