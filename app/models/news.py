"""What the person should hear: every page and model tells it here, the window shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from core.protocol.events import Failed


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A sentence, and perhaps the next thing to do as a button."""

    text: str
    failure: bool = False  # stays until it is closed
    lasting: bool = False  # so does a note that would be missed
    details: str = ""  # for a report
    action: str = ""
    on_action: Callable[[], object] | None = None


class News(QObject):
    """Passes messages on; from any thread."""

    told = Signal(object)  # a Message
    withdrawn = Signal(object)  # a Message that holds no longer
    cleared = Signal()  # all of them: something new begins

    def note(
        self,
        text: str,
        *,
        action: str = "",
        on_action: Callable[[], object] | None = None,
        lasting: bool = False,
    ) -> Message:
        """Something that is worth knowing."""
        return self._tell(Message(text, lasting=lasting, action=action, on_action=on_action))

    def failure(
        self,
        text: str,
        *,
        details: str = "",
        action: str = "",
        on_action: Callable[[], object] | None = None,
    ) -> Message:
        """Something went wrong; `action` is the button's word."""
        message = Message(text, failure=True, details=details, action=action, on_action=on_action)
        return self._tell(message)

    def failed(
        self, failure: Failed, *, action: str = "", on_action: Callable[[], object] | None = None
    ) -> Message:
        """A worker's failure, in its own words."""
        text = f"{failure.message} {failure.hint}".strip()
        return self.failure(text, details=failure.traceback, action=action, on_action=on_action)

    def _tell(self, message: Message) -> Message:
        self.told.emit(message)
        return message
