"""A line that says that a run does not heed the masks, with the button that changes it."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.figures import count_of
from app.models.studio import Studio
from app.widgets import labels
from app.widgets.button import ActionButton

OPTION = "dataset.masks"


class UnheededMasks(QWidget):
    """Not seen where there is nothing to say."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio = studio
        self._action = studio.actions.add(
            "dataset.heed_masks", "Heed masks", self._heed, place="Dataset"
        )
        self._words = labels.warning()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self._words)
        row.addWidget(ActionButton(self._action))
        row.addStretch()
        studio.settings.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say how it is now."""
        config, count = self._studio.settings.config, self._studio.dataset.rows.masked
        unheeded = count > 0 and config is not None and config.dataset.masks != "files"
        have = "has a mask" if count == 1 else "have masks"
        self._words.setText(f"{count_of(count, 'picture')} {have} that a run does not heed.")
        self._action.setVisible(unheeded)
        self.setVisible(unheeded)

    def _heed(self) -> None:
        settings = self._studio.settings
        settings.set(OPTION, "files")
        self._studio.news.note(
            "Runs learn only where masks are white.",
            action="Undo",
            on_action=settings.undo_stack.undo,
        )
