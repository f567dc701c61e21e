"""Finds by typing what the window can do: a line, and below it what fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QLineEdit, QListWidget, QVBoxLayout, QWidget
from typing_extensions import override

SIZE_PX = (480, 360)
TOP_PX = 72  # below the window's upper edge
IN_THE_LIST = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that can be done, or a setting that can be gone to."""

    words: str
    do: Callable[[], object]


def fitting(entries: Sequence[Entry], typed: str) -> list[Entry]:
    """Entries that hold every typed word, in their order."""
    wanted = typed.casefold().split()
    return [e for e in entries if all(word in e.words.casefold() for word in wanted)]


class Palette(QFrame):
    """Lies over its window; Return does what is marked, Esc or a click beside it closes it."""

    def __init__(self, entries: Sequence[Entry], window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("palette")
        self.setFixedSize(*SIZE_PX)
        self.move((window.width() - self.width()) // 2, TOP_PX)
        self._entries = list(entries)
        self._shown: list[Entry] = []
        self._before = window.focusWidget()
        self._field = QLineEdit()
        self._field.setPlaceholderText(self.tr("Find an action or a setting"))
        self._field.setAccessibleName(self._field.placeholderText())
        self._list = QListWidget()
        self._list.setAccessibleName(self.tr("What fits"))
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
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
        self._shown = fitting(self._entries, typed)
        self._list.clear()
        self._list.addItems([entry.words for entry in self._shown])
        self._list.setCurrentRow(0)

    @Slot()
    def _on_chosen(self) -> None:
        row = self._list.currentRow()
        if 0 <= row < len(self._shown):
            self._leave()
            self._shown[row].do()
