"""One of the icons, large, in the theme's quiet colour."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
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
        self._draw()

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._draw()
        super().changeEvent(event)

    def _draw(self) -> None:
        icon, edge_px = theme.icon(self._icon, self._edge_px), self._edge_px
        self.setPixmap(icon.pixmap(QSize(edge_px, edge_px), self.devicePixelRatio()))
