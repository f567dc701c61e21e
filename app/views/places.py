"""Where the window and its parts were, brought back at the next start."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QSlider, QSplitter, QWidget

ZOOM = "zoom"  # the object names of what is remembered
AS_TAGS = "captions_as_tags"
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
    """Put the window where it was; returns the page, 0 at first."""
    if geometry := store.value("geometry"):
        window.restoreGeometry(geometry)
    return int(str(store.value("page", 0)))


def restore_part(store: QSettings, part: QSplitter | QSlider) -> None:
    """Put a part of a page, which knows its name, where it was."""
    value = store.value(part.objectName())
    if value and isinstance(part, QSplitter):
        part.restoreState(value)
    elif value and isinstance(part, QSlider):
        part.setValue(int(str(value)))


def remember_chosen(store: QSettings, project: Path, picture: Path | None) -> None:
    """Which picture of a project was looked at last."""
    store.setValue(_chosen(project), str(picture) if picture else "")


def chosen(store: QSettings, project: Path) -> Path | None:
    """The one that `remember_chosen` was told, if any."""
    name = str(store.value(_chosen(project), ""))
    return Path(name) if name else None


def captions_as_tags(store: QSettings) -> bool:
    """Whether captions were written as tags the last time."""
    return str(store.value(AS_TAGS, "")) == "yes"


def remember_captions(store: QSettings, *, as_tags: bool) -> None:
    """How captions are written, as text or as tags."""
    if captions_as_tags(store) != as_tags:
        store.setValue(AS_TAGS, "yes" if as_tags else "no")


def _chosen(project: Path) -> str:
    return f"chosen/{hashlib.sha256(str(project).encode(errors='replace')).hexdigest()[:16]}"
