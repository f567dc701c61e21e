"""Masks on the Dataset page: painting one, and changing those of the chosen pictures."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoGroup
from PySide6.QtWidgets import QWidget

from app.figures import count_of
from app.models.background import Background, Work
from app.models.studio import Studio
from core.data.history import Notes

if TYPE_CHECKING:
    from app.views.dataset_page import DatasetPage
    from app.views.mask_panel import MaskPanel

MASKS = ("mask", "masks_alpha", "masks_invert", "masks_remove")  # the actions' names
PLACE = "Dataset"


class Masks(QObject):
    """While one is painted its panel has the page's room, and Undo takes back its strokes."""

    begun = Signal(QWidget)  # the panel wants to be seen
    left = Signal()  # and no longer
    done = Signal(str)  # something that can be undone, in words

    def __init__(self, studio: Studio, page: DatasetPage) -> None:
        super().__init__(page)
        self._studio, self._dataset, self._page = studio, studio.dataset, page
        self.panel: MaskPanel | None = None  # once it was opened
        self.painting = False
        self.undo = QUndoGroup(self)
        self.undo.addStack(self._dataset.undo_stack)
        self.undo.setActiveStack(self._dataset.undo_stack)
        self._loading = Background(self)
        add, keys = studio.actions.add, ("M", "Ctrl+M")
        page.addAction(add("dataset.mask", "Paint a mask", self.paint, keys=keys, place=PLACE))
        for name, words, said in (
            ("masks_alpha", "Masks from transparency", "made"),
            ("masks_invert", "Invert masks", "inverted"),
            ("masks_remove", "Remove masks", "removed"),
        ):
            change = lambda name=name, said=said: self.change(name, said)  # noqa: E731
            add(f"dataset.{name}", words, change, place=PLACE)

    def paint(self) -> None:
        """Paint on the editor's picture; numpy, which that takes, is loaded in a thread."""
        self._studio.actions["page.dataset"].trigger()
        if self.panel is not None:
            self._open()
        elif not self._loading.busy:
            self._loading.start(
                "Opening the picture",
                lambda _work: importlib.import_module("numpy"),
                lambda _module, _problem: self._open(),
            )

    def _open(self) -> None:
        path = self._page.editor.path
        if path is None or self.painting or not self._page.isVisible():
            return
        if self.panel is None:
            from app.views.mask_panel import MaskPanel  # no start has need of it

            self.panel = MaskPanel(self._studio)
            self.panel.left.connect(self._on_left)
            self.panel.written.connect(self.done)
            self.undo.addStack(self.panel.model.stack)
        self._become(painting=True)
        self.begun.emit(self.panel)
        self.undo.setActiveStack(self.panel.model.stack)
        self.panel.show_picture(path)

    def _become(self, *, painting: bool) -> None:
        """The page's own keys wait: what they change is not seen while one is painted."""
        self.painting = painting
        for action in self._page.actions():
            action.setEnabled(not painting)

    def end_stroke(self) -> None:
        """What is drawn just now is a step."""
        if self.panel is not None:
            self.panel.model.end_stroke()

    def leave(self) -> None:
        """Back to the pictures, if one is being painted; it is written."""
        if self.painting and self.panel is not None:
            self.panel.settle()

    def settle(self) -> None:
        """The same, and wait for the threads."""
        self.leave()
        self._loading.finish()
        if self.panel is not None:
            self.panel.model.finish()

    @Slot()
    def _on_left(self) -> None:
        self._become(painting=False)
        self.undo.setActiveStack(self._dataset.undo_stack)
        self.left.emit()

    def change(self, name: str, said: str) -> None:
        """Those of the chosen pictures, in the thread; can be undone."""
        self.leave()
        paths = self._page.chosen_paths()
        project = self._dataset.project
        if project is None or not paths:
            return
        words = f"masks of {count_of(len(paths), 'picture')} {said}"

        def do(notes: Notes, work: Work) -> str:
            from app.models import mask_files  # with numpy, which no start has need of

            return mask_files.CHANGES[name](paths, project.bin, notes, work)

        if self._dataset.change("Writing masks", words, do, paths[0]):
            self.done.emit(f"{words[:1].upper()}{words[1:]}.")
