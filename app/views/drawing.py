"""Pictures made by hand: an adapter, a prompt, a strength, a seed, and what was made before."""

from __future__ import annotations

import shutil
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.models import pictures
from app.models.demo_words import unknown_in_words, unknown_words
from app.models.drawn import TILE_PX, Drawn, free_file
from app.models.studio import Studio
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.grid import GAP_PX, Grid
from app.widgets.text import pass_undo
from core.config import files
from core.errors import StorageError, UserError
from core.project.layout import Run, base_path
from core.protocol.commands import Draw, SampleJob
from core.protocol.events import PictureDrawn

DRAW_AFTER_MS = 250  # of no change to the slider
WEIGHT_STEPS = 20  # of the slider, per 1.0
SCROLL_PX = 12  # the bar below the pictures
WIDEST_PX = 900
PLACE = "Preview"


class Drawing(QWidget):
    """Wishes go to the sampler; what comes is kept beside the run."""

    shown = Signal(object)  # a PictureDrawn, new or chosen from the history

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._runs, self._sampler = studio, studio.runs, studio.sampler
        self.setMaximumWidth(WIDEST_PX)
        self.history = Drawn(studio.runs, studio.tiles, self)
        self._add_actions()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._make_history())
        layout.addLayout(self._make_fields())
        self._timer = QTimer(self, interval=DRAW_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self._draw)
        self._runs.chosen.connect(self._on_chosen)
        self._runs.reset.connect(self._on_run_changed)
        self._runs.adapters_changed.connect(self._on_run_changed)
        self._sampler.drawn.connect(self._on_drawn)
        self._sampler.phase.connect(self._on_phase)
        self._sampler.failed.connect(studio.news.failed)
        studio.session.changed.connect(self._on_session_changed)
        self._on_run_changed()
        self._on_history_changed()

    def _add_actions(self) -> None:
        add = self._studio.actions.add
        self._make = add("draw", "Make a picture", self._draw, place=PLACE)
        self._save = add("drawn.save", "Save this picture...", self._on_save, place=PLACE)
        self._copy = add("drawn.copy", "Copy this picture", self._on_copy, place=PLACE)
        self._save.setToolTip("Save the chosen picture elsewhere")

    def _make_history(self) -> QWidget:
        self.strip = Grid(Qt.ItemDataRole.DisplayRole)
        self.strip.setModel(self.history)
        self.strip.setAccessibleName("Pictures made by hand, newest first")
        self.strip.set_edge(TILE_PX)
        self.strip.setWrapping(False)
        self.strip.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.strip.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.strip.setFixedHeight(TILE_PX + 2 * GAP_PX + self.fontMetrics().height() + SCROLL_PX)
        self.strip.selectionModel().currentChanged.connect(self._on_history_chosen)
        self.history.modelReset.connect(self._on_history_changed)
        self.history.rowsInserted.connect(self._on_history_changed)
        buttons = QVBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(ActionButton(self._save))
        buttons.addWidget(ActionButton(self._copy))
        buttons.addStretch()
        self._past = QWidget()
        row = QHBoxLayout(self._past)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.strip, stretch=1)
        row.addLayout(buttons)
        return self._past

    def _make_fields(self) -> QGridLayout:
        self.weight = QSlider(Qt.Orientation.Horizontal)
        self.weight.setRange(0, 2 * WEIGHT_STEPS)
        self.weight.setValue(WEIGHT_STEPS)
        self.weight.setMinimumWidth(80)
        self.weight.setAccessibleName("Strength of the adapter")
        self.weight.valueChanged.connect(self._on_weight_moved)
        self.weight_words = labels.secondary("1.00")
        self.weight_words.setFixedWidth(self.fontMetrics().horizontalAdvance("0.00") + 16)
        self.adapter = QComboBox()
        self.adapter.setAccessibleName("Adapter")
        self.adapter.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.adapter.activated.connect(self._on_adapter_picked)
        self.prompt = QLineEdit()
        self.prompt.setAcceptDrops(False)  # a dropped file would become its address
        self.prompt.setAccessibleName("Prompt")
        self.prompt.setPlaceholderText("What to draw")
        self.prompt.returnPressed.connect(self._draw)
        pass_undo(self.prompt)
        self.seed = QSpinBox(maximum=2**31 - 1, value=1)
        self.seed.setAccessibleName("Seed")
        self.seed.setFixedWidth(self.fontMetrics().horizontalAdvance("2147483647") + 40)
        self.seed.lineEdit().setTextMargins(8, 0, 8, 0)
        self.phase = labels.small()
        self.hint = labels.warning()
        self.hint.setWordWrap(True)
        self.prompt.textChanged.connect(self._on_prompt_changed)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for row, (words, field) in enumerate(
            (("Adapter", self.adapter), ("Strength", self.weight), ("Prompt", self.prompt))
        ):
            grid.addWidget(QLabel(words), row, 0)
            grid.addWidget(field, row, 1, 1, 1 if field is self.weight else 2)
            self._offer_field(words, field)
        grid.addWidget(self.weight_words, 1, 2)
        last = QHBoxLayout()
        last.setSpacing(8)
        last.addWidget(self.seed)
        last.addWidget(self.phase, stretch=1)
        last.addWidget(ActionButton(self._make, primary=True))
        grid.addWidget(self.hint, 3, 1, 1, 2)
        grid.addWidget(QLabel("Seed"), 4, 0)
        grid.addLayout(last, 4, 1, 1, 2)
        self._offer_field("Seed", self.seed)
        return grid

    def _offer_field(self, words: str, field: QWidget) -> None:
        """For Ctrl+K."""
        actions = self._studio.actions

        def go() -> None:
            actions["page.preview"].trigger()
            field.setFocus()

        actions.add(f"draw.{words.lower()}", words, go, place=PLACE)

    def offer(self, prompt: str, seed: int) -> None:
        """A preview is looked at: it was drawn at full strength. What was typed stays."""
        if not self.prompt.isModified():
            self.prompt.setText(prompt)
            self.seed.setValue(seed)
        self.strip.choose_none()
        self._show_weight(1.0)
        self._on_history_changed()

    def forget_typed(self) -> None:
        """The next `offer` counts."""
        self.prompt.setModified(False)

    def _show_weight(self, weight: float) -> None:
        """The strength of the picture that is shown; it draws nothing."""
        self.weight.blockSignals(True)
        self.weight.setValue(round(weight * WEIGHT_STEPS))
        self.weight.blockSignals(False)
        self.weight_words.setText(f"{weight:.2f}")
        self._timer.stop()

    @Slot()
    def _on_session_changed(self) -> None:
        """Not beside a run: it has the device."""
        words = "Drawing waits until the run has ended."
        if self._studio.session.busy:
            self.phase.setText(words)
        elif self.phase.text() == words:
            self.phase.setText("")
        self._enable()

    def _enable(self) -> None:
        possible = not self._studio.session.busy and self.adapter.count() > 0
        self._make.setEnabled(possible)
        self.weight.setEnabled(possible)

    @Slot()
    def _on_chosen(self) -> None:
        """What was wished for another run is forgotten."""
        self.prompt.setText("")  # and not modified
        self._timer.stop()

    @Slot()
    def _on_run_changed(self) -> None:
        """The adapter that was chosen stays; else it is the newest of the run that is shown."""
        run = self._runs.shown.name if self._runs.shown else ""
        cards = self._runs.adapters()
        self.adapter.clear()
        for card in cards:
            self.adapter.addItem(card.words, str(card.path))
        newest = next((place for place, card in enumerate(cards) if card.run == run), 0)
        picked = self.adapter.findData(str(self._runs.picked)) if self._runs.picked else -1
        self.adapter.setCurrentIndex(picked if picked >= 0 else newest if cards else -1)
        self._on_prompt_changed()
        self._enable()

    @Slot(int)
    def _on_adapter_picked(self, place: int) -> None:
        self._runs.picked = Path(self.adapter.itemData(place))
        self._on_prompt_changed()

    @Slot()
    def _on_prompt_changed(self) -> None:
        """The demo base knows few words, and draws something for any other."""
        there = self.adapter.currentData()
        card = next((card for card in self._runs.adapters() if str(card.path) == there), None)
        words = ""
        if card and card.only_here:
            words = unknown_in_words(unknown_words(self.prompt.text(), card.trigger))
        self.hint.setText(f"{words[:1].upper()}{words[1:]}." if words else "")
        self.hint.setVisible(bool(words))

    @Slot(int)
    def _on_weight_moved(self, place: int) -> None:
        self.weight_words.setText(f"{place / WEIGHT_STEPS:.2f}")
        self._timer.start()

    @Slot()
    def _draw(self) -> None:
        """Draw the prompt at the slider's strength, as the adapter's own run drew its previews."""
        self._timer.stop()
        adapter, prompt = self.adapter.currentData(), self.prompt.text().strip()
        if not self._make.isEnabled() or not adapter or not prompt:
            return
        run = Run(Path(adapter).parent.parent)
        try:
            config = files.load(run.config_file)
            out = free_file(run)
        except UserError as error:
            self._studio.news.failure(str(error))
            return
        except OSError as error:
            self._studio.news.failure(str(StorageError.writing(run.root, error)))
            return
        root = run.root.parent.parent
        job = SampleJob(
            base=str(base_path(config.base, root)),
            vae=str(base_path(config.vae, root)) if config.vae else "",
            rest=str(base_path(config.rest, root)) if config.rest else "",
            prediction=config.prediction,
            inference_steps=config.preview.inference_steps,
            guidance=config.preview.guidance,
            guidance_rescale=config.preview.guidance_rescale,
        )
        edge = config.dataset.resolution_px
        self._sampler.draw(
            job,
            Draw(
                prompt=prompt,
                seed=self.seed.value(),
                adapters={adapter: self.weight.value() / WEIGHT_STEPS},
                out=str(out),
                width_px=edge,
                height_px=edge,
            ),
        )

    @Slot(object)
    def _on_drawn(self, drawn: PictureDrawn) -> None:
        self.history.add(drawn)
        if self.history.pictures[:1] == [drawn]:
            self.strip.choose(0)
        else:  # of a run that is not shown any more
            self.shown.emit(drawn)

    @Slot(QModelIndex, QModelIndex)
    def _on_history_chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self._on_history_changed()
        if current.isValid():
            drawn = self.history.pictures[current.row()]
            self._show_weight(drawn.weight)
            self.shown.emit(drawn)

    @Slot()
    def _on_history_changed(self) -> None:
        self._past.setVisible(bool(self.history.pictures))
        for action in (self._save, self._copy):
            action.setEnabled(self.strip.currentIndex().isValid())

    def _chosen_file(self) -> Path | None:
        index = self.strip.currentIndex()
        return self.history.file(self.history.pictures[index.row()]) if index.isValid() else None

    @Slot()
    def _on_save(self) -> None:
        source = self._chosen_file()
        if source is None:
            return
        dialog = QFileDialog(self, "Save the picture", str(Path.home()), "*.png")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.selectFile(source.name)
        if not dialog.exec():
            return
        target = Path(dialog.selectedFiles()[0])
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            self._studio.news.failure(str(StorageError.writing(target, error)))
        else:
            self._studio.news.note(f"Saved {target}")

    @Slot()
    def _on_copy(self) -> None:
        if source := self._chosen_file():
            QApplication.clipboard().setImage(pictures.load(source))

    @Slot(str)
    def _on_phase(self, phase: str) -> None:
        if not self._studio.session.busy:
            self.phase.setText(phase)
