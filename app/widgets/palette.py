"""Finds by typing what the window can do: a line, and below it the actions that fit."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QLineEdit, QListWidget, QVBoxLayout, QWidget
from typing_extensions import override

from app.models.actions import whole_words

SIZE_PX = (480, 360)
TOP_PX = 72  # below the window's upper edge
IN_THE_LIST = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


def fitting(actions: Sequence[QAction], typed: str) -> list[QAction]:
    """Actions whose words hold every typed word, in their order."""
    wanted = typed.casefold().split()
    return [a for a in actions if all(word in whole_words(a).casefold() for word in wanted)]


class Palette(QFrame):
    """Lies over its window; Return does what is marked, Esc or a click beside it closes it."""

    def __init__(self, actions: Sequence[QAction], window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("palette")
        self.setFixedSize(*SIZE_PX)
        self.move((window.width() - self.width()) // 2, TOP_PX)
        self._actions = list(actions)
        self._shown: list[QAction] = []
        self._before = window.focusWidget()
        self._field = QLineEdit()
        self._field.setPlaceholderText("Find an action or a setting")
        self._field.setAccessibleName(self._field.placeholderText())
        self._list = QListWidget()
        self._list.setAccessibleName("What fits")
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._field)
        layout.addWidget(self._list)
        self._field.textChanged.connect(self._on_typed)
        self._field.returnPressed.connect(self._on_chosen)
        self._field.installEventFilter(self)
        self._list.itemClicked.connect(self._on_chosen)
        self._on_typed("")
        self.show()
        self.raise_()
        self._field.setFocus()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows move in the list while the line keeps the focus."""
        if event.type() == QEvent.Type.FocusOut:
            self.close()
        elif event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in IN_THE_LIST:
                return QApplication.sendEvent(self._list, event)
            if event.key() == Qt.Key.Key_Escape:
                self._leave()
                return True
        return super().eventFilter(watched, event)

    def _leave(self) -> None:
        if self._before:
            self._before.setFocus()
        self.close()

    @Slot(str)
    def _on_typed(self, typed: str) -> None:
        self._shown = fitting(self._actions, typed)
        self._list.clear()
        self._list.addItems([whole_words(action) for action in self._shown])
        self._list.setCurrentRow(0)

    @Slot()
    def _on_chosen(self) -> None:
        row = self._list.currentRow()
        if 0 <= row < len(self._shown):
            action = self._shown[row]
            self._leave()
            QTimer.singleShot(0, action, action.trigger)  # once the focus has come back
