"""A page as the window knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtGui import QUndoGroup, QUndoStack
from PySide6.QtWidgets import QWidget


def _nothing() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown, and what is asked of it. It is made when it is first turned to."""

    widget: QWidget
    focus: QWidget  # gets the keys when the page is turned to: nothing that can be pressed
    save: Callable[[], int] = _nothing  # what was typed; how much of it could not be written
    undo_stack: QUndoStack | QUndoGroup | None = None  # of what is done on it
    settle: Callable[[], object] = _nothing  # ends what is half done; before it is saved for good
