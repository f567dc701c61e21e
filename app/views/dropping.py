"""What may be dropped on the window, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QWidget

from app.models.studio import Studio
from app.views.dataset_page import add_picture, add_pictures
from app.widgets.drop import Drops, dropped_paths, dropped_picture
from core.data.walk import ARCHIVES, SUFFIXES
from core.project.layout import is_project

TAKEN = SUFFIXES | ARCHIVES


class Dropping(QObject):
    """Pictures are copied into the project; a project is opened, and so are adapters."""

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(window)
        self._studio = studio
        self.drops = Drops(window, self._promise)
        self.drops.dropped.connect(self._on_dropped)
        self.drops.pictured.connect(self._on_pictured)
        words = "Paste pictures"
        paste = studio.actions.add("dataset.paste", words, self.paste, keys=("Ctrl+V",))
        window.addAction(paste)

    def _promise(self, paths: list[Path]) -> str:
        if _a_project(paths):
            return f"Let go to open {paths[0].name}"
        if adapters := _adapters(paths):
            return f"Let go to look at {', '.join(path.name for path in adapters[:2])}"
        if not any(path.suffix.lower() in TAKEN or path.is_dir() for path in paths):
            return ""
        if name := self._studio.workspace.name:
            return f"Let go to copy into {name}"
        return "Let go to begin a project"

    @Slot(list)
    def _on_dropped(self, paths: list[Path]) -> None:
        if _a_project(paths):
            self._studio.workspace.open(paths[0])
            return
        if adapters := _adapters(paths):
            self._studio.actions["page.adapters"].trigger()
            for path in adapters:
                self._studio.shelf.open(path)
            return
        self._studio.actions["page.dataset"].trigger()
        add_pictures(self._studio, paths)

    @Slot(QImage)
    def _on_pictured(self, image: QImage) -> None:
        self._studio.actions["page.dataset"].trigger()
        add_picture(self._studio, image)

    @Slot()
    def paste(self) -> None:
        """Take what is in the clipboard as if it had been dropped.

        A field that is typed in has taken the keys before.
        """
        data = QGuiApplication.clipboard().mimeData()
        paths, image = dropped_paths(data), dropped_picture(data)
        if paths and self._promise(paths):
            self._on_dropped(paths)
        elif not image.isNull():
            self._on_pictured(image)
        else:
            self._studio.news.note("There is no picture in the clipboard.")


def _a_project(paths: list[Path]) -> bool:
    return len(paths) == 1 and is_project(paths[0])


def _adapters(paths: list[Path]) -> list[Path]:
    """All of them, where they may be adapters of any program."""
    return paths if all(path.suffix.lower() == ".safetensors" for path in paths) else []
