"""A frame that takes dropped pictures and folders, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, Signal
from PySide6.QtGui import QAction, QDropEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget
from typing_extensions import override

from app.widgets.button import ActionButton
from app.widgets.empty import Empty
from app.widgets.symbol import Symbol

INVITATION = "Drop 15 to 100 pictures of one style here"


def dropped_paths(data: QMimeData) -> list[Path]:
    """The local files and folders of a drag."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


class DropFrame(QFrame):
    """The empty Dataset page of a project: drop, or choose a folder."""

    def __init__(self, actions: Sequence[QAction], parent: QWidget | None = None) -> None:
        """`actions`: other ways to add pictures; the first is the one to begin with."""
        super().__init__(parent)
        self.setObjectName("drop")
        self._inside = Empty(
            Symbol("image-plus-outline"),
            INVITATION,
            "Pictures or whole folders. They are copied; yours stay as they are.",
            [ActionButton(one, primary=one is actions[0]) for one in actions],
        )
        layout = QVBoxLayout(self)
        layout.addWidget(self._inside)

    def show_busy(self, words: str) -> None:
        """What goes on before there is a picture to show; "" is nothing."""
        self._inside.heading.setText(words or INVITATION)

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
