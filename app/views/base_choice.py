"""The base model of the next run: which it is, and how another is chosen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from app import settings
from app.models.studio import Studio
from app.views.base_texts import asked_folder, asked_texts, asked_vae, wants_files
from app.views.base_words import PREDICTIONS, base_words
from app.views.fetch_dialog import FetchDialog
from app.widgets.choice import Choice
from core.base.words import in_words
from core.config.options import DEMO_BASE
from core.errors import BaseModelError, RestMissingError, TextsMissingError, VaeMissingError
from core.protocol.events import Fetched

PLACE = "Train"


class Beside(NamedTuple):
    """What is chosen beside a base."""

    rest: str
    texts: tuple[str, ...]
    vae: str


class BaseChoice(Choice):
    """Files, folders, the demo base, and what goes with them."""

    def __init__(
        self, studio: Studio, commit: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        """`commit` sets what is typed on the page and not yet left."""
        super().__init__("Change the base model", parent)
        self._studio, self._settings, self._commit = studio, studio.settings, commit
        self.dialog: FetchDialog | None = None  # the last that was opened
        self._fill_menu()
        studio.fetcher.fetched.connect(self._on_fetched)
        self._settings.changed.connect(self._on_changed)
        self._on_changed()

    def _fill_menu(self) -> None:
        menu, add = self.menu, self._studio.actions.add
        add("base.menu", "Choose a base model", self._on_menu_wished, place=PLACE)
        menu.addAction(
            add("base.file", "Choose a model file...", self._on_file_wished, place=PLACE)
        )
        menu.addAction(
            add("base.folder", "Choose a model folder...", self._on_folder_wished, place=PLACE)
        )
        fetch = "Get a model from the hub..."
        menu.addAction(add("base.fetch", fetch, self.offer_fetching, place=PLACE))
        demo = "The demo base, only to try"
        menu.addAction(add("base.demo", demo, lambda: self.use(DEMO_BASE), place=PLACE))
        menu.addSeparator()
        menu.addAction(add("base.vae", "Choose another VAE...", self._on_vae_wished, place=PLACE))
        own = "Use the model's own VAE"
        menu.addAction(add("base.own_vae", own, lambda: self.set("vae", ""), place=PLACE))
        texts = "Choose text encoder files..."
        menu.addAction(add("base.texts", texts, self._on_texts_wished, place=PLACE))
        own = "Use the model's own text encoders"
        menu.addAction(add("base.own_texts", own, lambda: self.set("texts", ()), place=PLACE))
        predicts = menu.addMenu("What the model predicts")
        for told, words in PREDICTIONS.items():
            choose = partial(self.set, "prediction", told)
            predicts.addAction(add(f"base.predicts.{told}", words, choose))

    def use(self, base: str, rest: str = "", texts: tuple[str, ...] = (), vae: str = "") -> None:
        """Train on another base, and say what it is; one that is none changes nothing.

        The person is asked for what it lacks: text encoders and a VAE, as files or as a folder.
        """
        self._commit()
        try:
            there = self._settings.use_base(base, rest, texts, vae)
            words = in_words(there) if there else ""
        except BaseModelError as error:
            if chosen := self._asked(error, base, Beside(rest, texts, vae)):
                self.use(base, *chosen)
            else:
                self._studio.news.failure(str(error))
            return
        if there:
            self._studio.news.note(" ".join([f"Base model: {words}.", *there.notes]))

    def _asked(self, error: BaseModelError, base: str, beside: Beside) -> Beside | None:
        """What the person chooses besides, of what is missing; None is nothing."""
        name = Path(base).name
        match error:
            case RestMissingError():
                title = f"{name} is of unusual size. Choose a model folder of that size"
                folder = asked_folder(self, title)
                return beside._replace(rest=folder) if folder else None
            case TextsMissingError():
                files = bool(beside.rest or Path(base).is_dir()) or wants_files(self, error)
                if files:
                    chosen = asked_texts(self, error)
                    return beside._replace(texts=(*beside.texts, *chosen)) if chosen else None
                title = f"{name} has no text encoders and VAE. Choose a model folder with them"
                folder = "" if files is None else asked_folder(self, title)
                return beside._replace(rest=folder) if folder else None
            case VaeMissingError():
                vae = asked_vae(self, f"{name} has no VAE. Choose a file of it")
                return beside._replace(vae=vae) if vae else None
            case _:
                return None

    def set(self, path: str, value: str | tuple[str, ...]) -> None:
        """Set what is chosen beside the base."""
        self._commit()
        self._settings.set(path, value)

    @Slot()
    def _on_changed(self) -> None:
        config = self._settings.config
        if config is None:
            return
        words = base_words(config, self._settings.facts())
        where = "" if config.base == DEMO_BASE else config.base
        self.show_chosen(words, where, anything=bool(config.base))

    @Slot()
    def offer_fetching(self) -> None:
        """Choose a model that is fetched; it is used once it is there."""
        dialog = self.dialog = FetchDialog(self._studio.fetcher, settings.models_folder(), self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(object)
    def _on_fetched(self, fetched: Fetched) -> None:
        """In a project it is used; what was chosen meanwhile can be had back by undo."""
        if fetched.captioner:
            return  # the Dataset page's
        if self._settings.config is not None:
            self.use(fetched.path)
        else:
            self._studio.news.note(f"{fetched.path}: {fetched.words}.", lasting=True)

    def _on_menu_wished(self) -> None:
        """Show the choices where they are."""
        for name in ("page.train", "train.form"):
            self._studio.actions[name].trigger()
        self.offer()

    @Slot()
    def _on_folder_wished(self) -> None:
        if folder := asked_folder(self, "Choose a model folder as diffusers saves it"):
            self.use(folder)

    @Slot()
    def _on_file_wished(self) -> None:
        file, _ = QFileDialog.getOpenFileName(
            self, "Choose a model file", "", "Models (*.safetensors *.ckpt)"
        )
        if file:
            self.use(str(Path(file)))

    @Slot()
    def _on_vae_wished(self) -> None:
        if file := asked_vae(self):
            self.set("vae", file)

    @Slot()
    def _on_texts_wished(self) -> None:
        """Files that the base cannot read change nothing, and say why."""
        config = self._settings.config
        files = asked_texts(self)
        if config is None or not files:
            return
        try:
            self._settings.check_texts(files)
        except BaseModelError as error:
            self._studio.news.failure(str(error))
            return
        self.set("texts", files)
