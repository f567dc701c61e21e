"""What is taught, as four cards: each sets several settings at once."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from app.figures import count_of, duration
from app.models.studio import Studio
from app.views.preset_pictures import pictures
from app.widgets.card import Card
from core.config import presets

PLACE = "Train"


class PresetCards(QWidget):
    """The one that the settings follow is marked; none is, too, where they follow none."""

    def __init__(
        self, studio: Studio, commit: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        """`commit` sets what is typed on the page and not yet left."""
        super().__init__(parent)
        self._studio, self._settings, self._commit = studio, studio.settings, commit
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.group = QButtonGroup(self)
        for number, preset in enumerate(presets.PRESETS):
            card = Card(preset.title, preset.sentence, pictures(preset.id))
            self.group.addButton(card, number)
            row.addWidget(card)
            use = lambda number=number: self._on_clicked(number)  # noqa: E731
            words = f"Preset {preset.title}"
            studio.actions.add(f"preset.{preset.id}", words, use, place=PLACE)
        self.group.idClicked.connect(self._on_clicked)
        self._settings.changed.connect(self._on_changed)
        studio.runs.reset.connect(self._on_changed)
        studio.runs.adapters_changed.connect(self._on_changed)
        self._on_changed()

    @Slot()
    def _on_changed(self) -> None:
        config = self._settings.config
        if config is None:
            return
        followed = self._settings.preset()
        self.group.setExclusive(False)  # no preset at all is a choice, too
        for preset, card in zip(presets.PRESETS, self.group.buttons(), strict=True):
            card.setChecked(preset is followed)
            if isinstance(card, Card):
                training = replace(config.training, steps=preset.steps)
                seconds = self._studio.runs.estimate_seconds(replace(config, training=training))
                time = f", about {duration(seconds)}" if seconds else ""
                card.show_figure(count_of(preset.steps, "step") + time)
        self.group.setExclusive(True)

    @Slot(int)
    def _on_clicked(self, number: int) -> None:
        self._commit()
        if self._settings.config:
            self._settings.use_preset(presets.PRESETS[number])
            self._on_changed()
