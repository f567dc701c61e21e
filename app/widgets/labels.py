"""Labels by their rank on a page."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QWidget


def title(text: str, parent: QWidget | None = None) -> QLabel:
    """A page's title, 18 px."""
    return _label(text, "title", parent)


def secondary(text: str = "", parent: QWidget | None = None) -> QLabel:
    """An explanation, 13 px, quiet."""
    return _label(text, "secondary", parent)


def small(text: str = "", parent: QWidget | None = None) -> QLabel:
    """A figure or a hint, 11 px."""
    return _label(text, "small", parent)


def _label(text: str, name: str, parent: QWidget | None) -> QLabel:
    label = QLabel(text, parent)
    label.setObjectName(name)
    label.setWordWrap(True)
    return label
