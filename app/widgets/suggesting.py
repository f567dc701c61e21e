"""A line that offers how what is typed may go on; Down goes into the list, Return takes one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QCompleter, QLineEdit, QListView, QWidget
from typing_extensions import override

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
TAKES = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What may stand from `begin` to `end` of the line, and a quiet word about each."""

    begin: int
    end: int
    words: Sequence[tuple[str, str]]  # what is put there; what is said of it


Suggest = Callable[[str, int], Suggestions]  # of the line, and where in it one types


class SuggestingLine(QLineEdit):
    """Asks `suggest` whenever something is typed."""

    taken = Signal(str)  # a suggestion was put in
    before = Signal()  # the keys want to go on before an empty line

    def __init__(self, suggest: Suggest, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._suggest = suggest
        self._offered = Suggestions(0, 0, ())
        self._model = _Words(self)
        self.setAcceptDrops(False)
        self._completer = QCompleter(self._model, self)
        self._completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        self._completer.setWidget(self)
        self.list = QListView()
        self._completer.setPopup(self.list)
        self.list.setObjectName("suggestions")
        self.list.setAccessibleName("Suggestions")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        by_index = self._completer.activated[QModelIndex]  # pyright: ignore[reportIndexIssue] - Qt's
        by_index.connect(self._on_activated)
        self.textEdited.connect(self._on_edited)

    @property
    def offering(self) -> bool:
        """Whether suggestions are shown."""
        return self.list.isVisible()

    def offer(self) -> None:
        """Show how it may go on from here."""
        self._offered = self._suggest(self.text(), self.cursorPosition())
        words = self._offered.words
        typed = self.text()[self._offered.begin : self._offered.end]
        if not words or [word for word, _ in words] == [typed]:
            self.list.hide()
            return
        self._model.show_words(words)
        self._completer.complete()
        self.list.setCurrentIndex(QModelIndex())

    @Slot()
    def _on_edited(self) -> None:
        self.offer()

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        row = index.row()
        if 0 <= row < len(self._offered.words):
            word, text = self._offered.words[row][0], self.text()
            self.setText(text[: self._offered.begin] + word + text[self._offered.end :])
            self.setCursorPosition(self._offered.begin + len(word))
            # the list closes first: whoever hears may clear the line
            QTimer.singleShot(0, self, lambda: self.taken.emit(word))

    @override
    def keyPressEvent(self, arg__1: QKeyEvent) -> None:
        """While a suggestion is marked, the keys that take it are the list's."""
        if self.offering and self.list.currentIndex().isValid() and arg__1.key() in TAKES:
            arg__1.ignore()
            return
        if arg__1.key() in (Qt.Key.Key_Left, Qt.Key.Key_Backspace) and not self.text():
            self.before.emit()
            return
        if arg__1.key() == Qt.Key.Key_Down and not self.offering:
            self.offer()
        super().keyPressEvent(arg__1)

    @override
    def event(self, arg__1: QEvent) -> bool:
        """Esc closes the list, not the dialog that the line is in."""
        closes = (
            arg__1.type() == QEvent.Type.ShortcutOverride
            and isinstance(arg__1, QKeyEvent)
            and arg__1.key() == Qt.Key.Key_Escape
            and self.offering
        )
        if closes:
            arg__1.accept()
            return True
        return super().event(arg__1)

    @override
    def focusOutEvent(self, arg__1: QFocusEvent) -> None:
        super().focusOutEvent(arg__1)
        if arg__1.reason() != Qt.FocusReason.PopupFocusReason:
            self.list.hide()


class _Words(QAbstractListModel):
    """A line a suggestion."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._words: Sequence[tuple[str, str]] = ()

    def show_words(self, words: Sequence[tuple[str, str]]) -> None:
        self.beginResetModel()
        self._words = words
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._words)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._words):
            return None
        word, said = self._words[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{word}   {said}" if said else word
        return word if role == Qt.ItemDataRole.EditRole else None
