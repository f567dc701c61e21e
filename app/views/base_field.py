"""A base model that something is done with: chosen, and seen what it is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from app.models.studio import Studio
from app.widgets.choice import Choice
from core.base.value import Base
from core.base.words import in_words
from core.config.options import DEMO_BASE
from core.errors import BaseModelError, RestMissingError
from core.project.layout import named_nets


class BaseField(Choice):
    """The line says what was chosen, or why it cannot be used."""

    chosen = Signal()

    def __init__(self, studio: Studio, what: str, parent: QWidget | None = None) -> None:
        """`what` it is, as in "the base model"."""
        super().__init__(f"Choose {what}", parent)
        self._studio, self._what = studio, what
        self.path, self.rest = "", ""  # as a job wants them
        self.texts: tuple[str, ...] = ()
        self.base: Base | None = None  # where it can be used
        self.menu.addAction("A model file...", self._on_file_wished)
        self.menu.addAction("A model folder...", self._on_folder_wished)
        config = studio.settings.config
        if config and config.base and config.base != DEMO_BASE:
            self.menu.addAction("The project's base model", self.use_project)
        self.menu.addAction("The demo base", lambda: self.use(DEMO_BASE))
        self.show_chosen("None yet", "", anything=False)

    @property
    def lack(self) -> str:
        """What is missing, in words; "" is nothing."""
        if self.base is not None:
            return ""
        return f"Choose {self._what}." if not self.path else self.words.text()

    @Slot()
    def use_project(self) -> None:
        """The one that the project is trained on."""
        config, project = self._studio.settings.config, self._studio.workspace.project
        if config and config.base and project:
            base = config.base if config.base == DEMO_BASE else _absolute(config.base, project.root)
            rest = _absolute(config.rest, project.root) if config.rest else ""
            self.use(base, rest, tuple(_absolute(path, project.root) for path in config.texts))

    def use(self, path: str, rest: str = "", texts: tuple[str, ...] = ()) -> None:
        """Look at one; of a transformer of unusual size the person is asked for a folder of it."""
        self.path, self.rest, self.texts, self.base = path, rest, texts, None
        try:
            self.base = named_nets(path, Path.cwd(), rest, texts)
            name = "" if path == DEMO_BASE else f"{Path(path).name}: "
            words = f"{name}{in_words(self.base)}"
        except RestMissingError as error:
            asked = f"{Path(path).name} is of unusual size. Choose a model folder of that size"
            if folder := QFileDialog.getExistingDirectory(self, asked):
                self.use(path, folder)
                return
            words = str(error)
        except BaseModelError as error:
            words = str(error)
        self.show_chosen(words, "" if path == DEMO_BASE else path, anything=True)
        self.chosen.emit()

    @Slot()
    def _on_file_wished(self) -> None:
        file, _ = QFileDialog.getOpenFileName(
            self, f"Choose {self._what}", "", "Models (*.safetensors)"
        )
        if file:
            self.use(str(Path(file)))

    @Slot()
    def _on_folder_wished(self) -> None:
        words = f"Choose {self._what}, a folder as diffusers saves it"
        if folder := QFileDialog.getExistingDirectory(self, words):
            self.use(str(Path(folder)))


def _absolute(path: str, root: Path) -> str:
    return str(root / Path(path).expanduser())
