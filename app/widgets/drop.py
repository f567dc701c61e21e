"""Taking dropped files, and inviting to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, Signal
from PySide6.QtGui import QAction, QDropEvent, QImage
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget
from typing_extensions import override

from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.empty import Empty
from app.widgets.symbol import Symbol

NO_FILE = "picture.png"  # what a picture that is no file is promised as
EDGE_PX = 8  # between a window and the frame over it
INVITATION = "Drop 15 to 100 pictures of one style here"


def dropped_paths(data: QMimeData) -> list[Path]:
    """The local files and folders of a drag."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def dropped_picture(data: QMimeData) -> QImage:
    """The picture itself that a browser or a drawing program hands over; null if there is none."""
    image = data.imageData() if data.hasImage() else None
    return image if isinstance(image, QImage) else QImage()


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


class Drops(QFrame):
    """Makes a widget take files, anywhere on it; its frame covers the widget while it would.

    The frame says what becomes of them. Of files that are not taken nothing is shown.
    """

    dropped = Signal(list)  # of Paths
    pictured = Signal(QImage)  # a picture that is no file: out of a web page

    def __init__(self, target: QWidget, promise: Callable[[list[Path]], str]) -> None:
        """`promise` says what becomes of such files, "" if they are not taken.

        A picture that is no file is promised as one of that name.
        """
        super().__init__(target)
        self._target, self._promise = target, promise
        self.setObjectName("drops")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)  # of a drag, too
        self.words = labels.heading()
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.addWidget(self.words, alignment=Qt.AlignmentFlag.AlignCenter)
        self.hide()
        target.setAcceptDrops(True)
        target.installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DragLeave:
            self.hide()
        if not isinstance(event, QDropEvent):  # a drag that enters, moves or lets go
            return False
        data = event.mimeData()
        paths = dropped_paths(data)
        if event.type() == QEvent.Type.DragEnter:
            offered = paths or ([Path(NO_FILE)] if data.hasImage() else [])
            self._show(self._promise(offered) if offered else "")
        if self.isHidden():
            return False
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if event.type() == QEvent.Type.Drop:
            self.hide()
            if paths:
                self.dropped.emit(paths)
            elif not (image := dropped_picture(data)).isNull():
                self.pictured.emit(image)
        return True

    def _show(self, words: str) -> None:
        self.words.setText(words)
        edge = EDGE_PX
        self.setGeometry(self._target.rect().adjusted(edge, edge, -edge, -edge))
        self.setVisible(bool(words))
        self.raise_()
