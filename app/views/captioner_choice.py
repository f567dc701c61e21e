"""The model that captions pictures: which it is, and how another is chosen or fetched."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from app import settings
from app.models.studio import Studio
from app.views.fetch_dialog import FetchDialog
from app.widgets.choice import Choice
from core.base.captioners import WELL_KNOWN, Captioner, open_captioner
from core.errors import UserError
from core.protocol.events import Fetched

REMEMBERED = "captioner"  # the folder, in the program's own settings


class CaptionerChoice(Choice):
    """Chosen once, it is there the next time."""

    chosen = Signal()  # `captioner` is another
    refused = Signal(str)  # why a folder holds none, in words

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__("Choose the model that captions", parent)
        self._studio = studio
        self.captioner: Captioner | None = None
        self.dialog: FetchDialog | None = None  # the last that was opened
        self.menu.addAction("Choose a model's folder...", self._on_folder_wished)
        self.menu.addAction("Get a model from the hub...", self.offer_fetching)
        studio.fetcher.fetched.connect(self._on_fetched)
        self._remember()

    def use(self, folder: Path) -> None:
        """Caption with another one; a folder that holds none changes nothing."""
        try:
            self.captioner = open_captioner(folder)
        except UserError as error:
            self.refused.emit(str(error))
            return
        self._studio.store.setValue(REMEMBERED, str(folder))
        self._show()
        self.chosen.emit()

    @Slot()
    def offer_fetching(self) -> None:
        """Choose a model that is fetched; it is used once it is there."""
        folder = settings.models_folder()
        title = "Get a model that captions"
        self.dialog = FetchDialog(self._studio.fetcher, folder, self, WELL_KNOWN, title)
        self.dialog.finished.connect(self.dialog.deleteLater)
        self.dialog.open()

    def _remember(self) -> None:
        """What was chosen the last time, if it is still there."""
        folder = str(self._studio.store.value(REMEMBERED, "") or "")
        if folder:
            try:
                self.captioner = open_captioner(Path(folder))
            except UserError:
                self.captioner = None
        self._show()

    def _show(self) -> None:
        found = self.captioner
        words = f"{found.path.name} ({found.words})" if found else "None yet"
        self.show_chosen(words, str(found.path) if found else "", anything=found is not None)

    @Slot()
    def _on_folder_wished(self) -> None:
        words = "Choose the folder of a model that captions"
        if folder := QFileDialog.getExistingDirectory(self, words):
            self.use(Path(folder))

    @Slot(object)
    def _on_fetched(self, fetched: Fetched) -> None:
        if fetched.captioner:
            self.use(Path(fetched.path))
