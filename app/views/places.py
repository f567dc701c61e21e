"""Where the window and its parts were, brought back at the next start."""

from __future__ import annotations

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QSlider, QSplitter, QWidget

ZOOM = "zoom"  # the object names of what is remembered
SPLITTERS = ("dataset_splitter", "preview_splitter")


def remember(store: QSettings, window: QWidget, page: int) -> None:
    """Write down the window's geometry, its page, splitters and zoom."""
    store.setValue("geometry", window.saveGeometry())
    store.setValue("page", page)
    for name in SPLITTERS:
        if splitter := window.findChild(QSplitter, name):
            store.setValue(name, splitter.saveState())
    if zoom := window.findChild(QSlider, ZOOM):
        store.setValue(ZOOM, zoom.value())


def restore(store: QSettings, window: QWidget) -> int:
    """Put the window and its parts where they were; returns the page, 0 at first."""
    if geometry := store.value("geometry"):
        window.restoreGeometry(geometry)
    for name in SPLITTERS:
        splitter, state = window.findChild(QSplitter, name), store.value(name)
        if splitter and state:
            splitter.restoreState(state)
    zoom, value = window.findChild(QSlider, ZOOM), store.value(ZOOM)
    if zoom and value:
        zoom.setValue(int(str(value)))
    return int(str(store.value("page", 0)))
