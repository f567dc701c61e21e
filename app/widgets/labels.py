"""Labels by their rank on a page; their sizes stand in the style sheet."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

SELECTABLE = Qt.TextInteractionFlag.TextSelectableByMouse
HEADING_PX = 34  # as high as the buttons that may stand beside it


def title(text: str, parent: QWidget | None = None) -> QLabel:
    """Of a part."""
    return _label(text, "title", parent)


def heading(text: str = "") -> QLabel:
    """A page's title: one line, at the same place on every page."""
    label = title(text)
    label.setWordWrap(False)
    label.setMinimumHeight(HEADING_PX)
    return label


def huge(text: str, parent: QWidget | None = None) -> QLabel:
    """What the program is for."""
    return _label(text, "huge", parent)


def secondary(text: str = "", parent: QWidget | None = None) -> QLabel:
    """An explanation, quiet."""
    return _label(text, "secondary", parent)


def small(text: str = "", parent: QWidget | None = None) -> QLabel:
    """A figure or a hint."""
    return _label(text, "small", parent)


def warning(text: str = "", parent: QWidget | None = None) -> QLabel:
    """A line about what is amiss; its words say so without the colour, too."""
    label = _label(text, "warning", parent)
    label.setWordWrap(False)
    return label


def _label(text: str, name: str, parent: QWidget | None) -> QLabel:
    label = QLabel(text, parent)
    label.setTextFormat(Qt.TextFormat.PlainText)  # names of files stand in them
    label.setObjectName(name)
    label.setWordWrap(True)
    return label
