"""Light, dark, or as the system: chosen here, kept in the program's settings."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app import settings, theme
from app.models.studio import Studio

PLACE = "Look"
WORDS = {"system": "As the system", "light": "Light", "dark": "Dark"}


class LookMenu(QMenu):
    """One of three."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(PLACE, parent)
        self._store = studio.store
        group = QActionGroup(self)
        chosen = settings.look(studio.store)
        for look in settings.LOOKS:
            do = partial(self._on_chosen, look)
            action = studio.actions.add(f"look.{look}", WORDS[look], do, place=PLACE)
            action.setCheckable(True)
            action.setChecked(look == chosen)
            group.addAction(action)
            self.addAction(action)

    def _on_chosen(self, look: str) -> None:
        self._store.setValue("look", look)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.dress(app, look)
