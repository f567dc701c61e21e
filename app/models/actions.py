"""Everything that can be done, by name: keys, buttons, menus and Ctrl+K share one QAction each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence


class Actions(QObject):
    """What an action says, whether it can be done now, and its keys stand in the action alone."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._by_name: dict[str, QAction] = {}

    def add(
        self,
        name: str,
        words: str,
        do: Callable[[], object],
        *,
        keys: tuple[str | QKeySequence.StandardKey, ...] = (),
        place: str = "",
    ) -> QAction:
        """Declare an action; `place` is where it belongs, for Ctrl+K.

        Its keys work in what it is added to (`QWidget.addAction`) and below.
        """
        if name in self._by_name:
            raise ValueError(f"there are two actions {name!r}")
        action = QAction(words, self)
        action.setObjectName(name)
        action.setData(place)
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.setAutoRepeat(False)
        action.triggered.connect(lambda _checked=False: do())
        self._by_name[name] = action
        return action

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def possible(self) -> Iterator[QAction]:
        """What can be done now."""
        return (a for a in self._by_name.values() if a.isEnabled() and a.isVisible())


def whole_words(action: QAction) -> str:
    """An action's words with the place it belongs to."""
    place, words = action.data(), action.text().rstrip(".")
    return f"{place}: {words}" if place else words
