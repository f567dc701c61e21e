"""A button that is an action: its words, its keys, whether it can be pressed and is to be seen."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QPushButton, QWidget


class ActionButton(QPushButton):
    """Shows what its action says; `primary` is the next thing to do."""

    def __init__(
        self, action: QAction, parent: QWidget | None = None, *, primary: bool = False
    ) -> None:
        super().__init__(parent)
        self._action = action
        self._seen = True
        self.setObjectName("primary" if primary else "")
        action.changed.connect(self._on_changed)
        self.clicked.connect(action.trigger)
        self._on_changed()

    def set_primary(self, *, primary: bool) -> None:
        """Whether it is the next thing to do now."""
        name = "primary" if primary else ""
        if name != self.objectName():
            self.setObjectName(name)
            self.style().unpolish(self)
            self.style().polish(self)

    @Slot()
    def _on_changed(self) -> None:
        action = self._action
        if self.hasFocus() and not (action.isEnabled() and action.isVisible()):
            self._hand_focus_up()
        self.setText(action.text())
        self.setEnabled(action.isEnabled())
        if action.isVisible() != self._seen:
            self._seen = action.isVisible()
            self.setVisible(self._seen)
        keys = action.shortcut().toString()
        tip = action.toolTip() if action.toolTip() != action.text() else ""
        self.setToolTip(" ".join(word for word in (tip, f"({keys})" if keys else "") if word))

    def _hand_focus_up(self) -> None:
        """Qt would give it to the next button, which Space might then press unmeant."""
        above = self.parentWidget()
        while above is not None and above.focusPolicy() == Qt.FocusPolicy.NoFocus:
            above = above.parentWidget()
        if above is not None:
            above.setFocus()
        else:
            self.clearFocus()
