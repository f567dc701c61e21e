"""A frame that takes dropped pictures and folders, and says so."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, Signal
from PySide6.QtGui import QAction, QDropEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget
from typing_extensions import override

from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.symbol import Symbol


def dropped_paths(data: QMimeData) -> list[Path]:
    """The local files and folders of a drag."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


class DropFrame(QFrame):
    """The empty Dataset page of a project: drop, or choose a folder."""

    def __init__(self, add: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("drop")
        self._heading = labels.title("")
        self._heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.show_busy("")
        hint = labels.secondary(
            "Pictures or whole folders. They are copied; yours stay as they are."
        )
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        buttons = QHBoxLayout()
        buttons.setSpacing(16)
        buttons.addStretch()
        buttons.addWidget(ActionButton(add, primary=True))
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setSpacing(16)
        layout.addStretch()
        for widget in (Symbol("image-plus-outline"), self._heading, hint):
            layout.addWidget(widget)
        layout.addSpacing(8)
        layout.addLayout(buttons)
        layout.addStretch()

    def show_busy(self, words: str) -> None:
        """What goes on before there is a picture to show; "" is nothing."""
        invitation = "Drop 15 to 100 pictures of one style here"
        self._heading.setText(words or invitation)

    def set_over(self, *, over: bool) -> None:
        """Show that a drag would be taken."""
        self.setProperty("over", over)
        self.style().unpolish(self)
        self.style().polish(self)


class Drops(QObject):
    """Makes a widget take files, anywhere on it."""

    dropped = Signal(list)  # of Paths
    hovered = Signal(bool)

    def __init__(self, target: QWidget) -> None:
        super().__init__(target)
        target.setAcceptDrops(True)
        target.installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDropEvent):  # its kinds are a drag that enters, moves and lets go
            if not dropped_paths(event.mimeData()):
                return False
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            let_go = event.type() == QEvent.Type.Drop
            self.hovered.emit(not let_go)
            if let_go:
                self.dropped.emit(dropped_paths(event.mimeData()))
            return True
        if event.type() == QEvent.Type.DragLeave:
            self.hovered.emit(False)
        return False
