"""What went wrong, in a sentence, with the next thing to do as a button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from app import theme


class Banner(QFrame):
    """Hidden until something is shown; the newest message replaces the last."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._text = QLabel(wordWrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._action = QPushButton()
        self._action.setObjectName("action")
        self._details = QPushButton(self.tr("Copy details"))
        self._close = QPushButton(self.tr("Close"))
        self._on_action: Callable[[], None] | None = None
        self.details = ""
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 8, 8)
        layout.addWidget(self._text, stretch=1)
        for button in (self._action, self._details, self._close):
            layout.addWidget(button)
        self._action.clicked.connect(self._on_action_clicked)
        self._details.clicked.connect(self._on_details_clicked)
        self._close.clicked.connect(self.hide)
        self.hide()

    @property
    def text(self) -> str:
        return self._text.text()

    def show_failure(
        self,
        text: str,
        *,
        details: str = "",
        action: str = "",
        on_action: Callable[[], None] | None = None,
    ) -> None:
        """Say what failed; `action` is the button's word."""
        self._show("failure", text, details, action, on_action)

    def show_note(
        self, text: str, *, action: str = "", on_action: Callable[[], None] | None = None
    ) -> None:
        """Say something that is worth knowing."""
        self._show("note", text, "", action, on_action)

    def _show(
        self,
        kind: str,
        text: str,
        details: str,
        action: str,
        on_action: Callable[[], None] | None,
    ) -> None:
        self.setProperty("kind", kind)
        self.style().unpolish(self)
        self.style().polish(self)
        self._text.setText(text)
        self.details = details
        self._details.setVisible(bool(details))
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self._action.setIcon(theme.icon("play", self._action.iconSize().width()))
        self._on_action = on_action
        self.show()

    @Slot()
    def _on_action_clicked(self) -> None:
        self.hide()
        if self._on_action:
            self._on_action()

    @Slot()
    def _on_details_clicked(self) -> None:
        from PySide6.QtWidgets import QApplication

        QApplication.clipboard().setText(self.details)
