"""A part of a page that is scrolled where it does not fit, and takes no more room than it needs."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QSizePolicy, QWidget
from typing_extensions import override

LEAST_PX = 96


class Scrolled(QScrollArea):
    """As tall as what is in it; what follows stands right below."""

    def __init__(self, inside: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._inside = inside
        self.setWidget(inside)
        self._to_show = QTimer(self, interval=0, singleShot=True)  # once all is laid out
        self._to_show.timeout.connect(self._show_focus)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._on_focus_changed)

    @override
    def sizeHint(self) -> QSize:
        inside = self._inside
        hint = inside.sizeHint()
        if inside.hasHeightForWidth():
            hint.setHeight(inside.heightForWidth(max(self.width(), hint.width())))
        return hint

    @override
    def minimumSizeHint(self) -> QSize:
        least = min(LEAST_PX, self.sizeHint().height())
        return QSize(self._inside.minimumSizeHint().width(), least)

    @override
    def resizeEvent(self, arg__1: QResizeEvent) -> None:
        super().resizeEvent(arg__1)
        self.updateGeometry()  # words are wrapped otherwise

    @override
    def eventFilter(self, arg__1: QObject, arg__2: QEvent) -> bool:
        if arg__2.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        elif arg__2.type() == QEvent.Type.Resize:
            self._to_show.start()
        return super().eventFilter(arg__1, arg__2)

    @Slot(QWidget, QWidget)
    def _on_focus_changed(self, _old: QWidget, _new: QWidget) -> None:
        self._to_show.start()

    @Slot()
    def _show_focus(self) -> None:
        """What the keys go into is in sight, however they came there."""
        focus = QApplication.focusWidget()
        if focus is not None and self._inside.isAncestorOf(focus):
            self.ensureWidgetVisible(focus)
