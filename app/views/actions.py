"""Everything that the window offers now, gathered from its own controls.

What can be pressed or filled in has an accessible name, and so it can be found by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QSlider,
    QWidget,
)

from app.widgets.palette import Entry

FIELDS = (QLineEdit, QPlainTextEdit, QAbstractSpinBox, QSlider, QComboBox)


def of_menu(menu: QMenu, place: str) -> Iterator[Entry]:
    """A menu's actions."""
    for action in menu.actions():
        if action.isEnabled() and not action.isSeparator():
            yield Entry(f"{place}: {action.text().rstrip('.')}", action.trigger)


def of_pages(pages: Mapping[str, QWidget], show: Callable[[str], None]) -> Iterator[Entry]:
    """The pages, by name, and what each offers; `show` turns to a page."""
    for name in pages:
        yield Entry(f"Go to {name}", lambda name=name: show(name))
    for name, page in pages.items():
        for control in page.findChildren(QWidget):
            if not control.isVisibleTo(page) or not control.isEnabledTo(page):
                continue
            if isinstance(control, QAbstractButton) and (words := _words(control)):
                yield Entry(f"{name}: {words}", lambda c=control, n=name: (show(n), c.click()))
            elif isinstance(control, FIELDS) and (words := control.accessibleName()):
                yield Entry(f"{name}: {words}", lambda c=control, n=name: (show(n), c.setFocus()))


def _words(button: QAbstractButton) -> str:
    return button.accessibleName() or button.text()
