"""How much memory the next run will need, and a button that makes it fit."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.figures import count_of
from app.models.studio import Studio
from app.widgets import labels
from app.widgets.button import ActionButton
from core.config import files
from core.config.words import GROUPS
from core.protocol.events import MemoryForeseen, Proposed

GB = 2**30
PLACE = "Train"


class MemoryLine(QWidget):
    """Counted when it is asked for: it takes a processor some seconds to a minute."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._foreseer = studio, studio.foreseer
        add = studio.actions.add
        self._ask = add("train.memory", "How much memory?", self.ask, place=PLACE)
        self._fit = add("train.fit", "Make it fit", self.fit, place=PLACE)
        self.said = labels.secondary()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        row.addWidget(ActionButton(self._ask))
        row.addWidget(self.said, stretch=1)
        row.addWidget(ActionButton(self._fit))
        self._foreseer.changed.connect(self._show)
        studio.settings.changed.connect(self._foreseer.forget)
        studio.dataset.undo_stack.indexChanged.connect(self._foreseer.forget)
        self._show()

    @Slot()
    def ask(self) -> None:
        """Count, or give it up."""
        if self._foreseer.busy:
            self._foreseer.forget()
            return
        self._studio.settings.save()
        if (project := self._studio.workspace.project) and self._studio.settings.saved:
            self._foreseer.ask(project.root)

    @Slot()
    def fit(self) -> None:
        """Take the proposal over; one step back undoes it."""
        found, config = self._foreseer.found, self._studio.settings.config
        if found is not None and config is not None:
            changes = [f"{one.option}={one.value}" for one in found.proposed if one.option]
            self._studio.settings.replace(files.with_changes(config, changes))

    @Slot()
    def _show(self) -> None:
        busy, found = self._foreseer.busy, self._foreseer.found
        self._ask.setText("Stop counting" if busy else "How much memory?")
        changes = [one for one in found.proposed if one.option] if found and found.fits else []
        self._fit.setVisible(bool(changes))
        if self._foreseer.failure:
            self.said.setText(self._foreseer.failure.message)
        elif busy:
            self.said.setText("Counting, up to a minute for a large model.")
        else:
            self.said.setText(in_words(found) if found else "")


def in_words(found: MemoryForeseen) -> str:
    """What is needed, what there is, and what would fit."""
    there = f"{found.device} has {_gb(found.total)}"
    if found.free < found.total:
        there += f", {_gb(found.free)} of it free"
    said = f"About {_gb(found.needed)}. {there}"
    if not found.proposed:
        return f"{said}: it fits."
    if not found.fits:
        return f"{said}: too little for this base, whatever is changed. Choose a smaller one."
    with_ = ", ".join(map(_change_in_words, found.proposed))
    return f"{said}. It fits with: {with_} ({_gb(found.then)})."


def _change_in_words(one: Proposed) -> str:
    if not one.option:
        return f"{count_of(int(one.value), 'picture')} at a time"
    titles = {path: words.title for group in GROUPS.values() for path, words in group.items()}
    value = "" if one.value == "true" else f" {one.value}"
    return titles[one.option].lower() + value


def _gb(size: int) -> str:
    return f"{size / GB:.1f} GB"
