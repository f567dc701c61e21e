"""Pictures made by hand: adapters, a prompt, a seed, and what was made before."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.models.demo_words import unknown_in_words, unknown_words
from app.models.drawn import free_file
from app.models.runs import AdapterCard
from app.models.studio import Studio
from app.views.drawn_strip import DrawnStrip
from app.views.worn import Worn
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.scrolled import Scrolled
from app.widgets.text import pass_undo
from core.config import files
from core.errors import StorageError, UserError
from core.project.layout import Run, base_path
from core.protocol.commands import Draw, SampleJob
from core.protocol.events import AdaptersCompared, PictureDrawn

DRAW_AFTER_MS = 250  # of no change to a slider
WIDEST_PX = 900
PLACE = "Preview"


class Drawing(QWidget):
    """Wishes go to the sampler; what comes is kept beside the run."""

    shown = Signal(object)  # a PictureDrawn, new or chosen from the history

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._runs, self._sampler = studio, studio.runs, studio.sampler
        self.setMaximumWidth(WIDEST_PX)
        self.past = DrawnStrip(studio)
        self.history, self.strip = self.past.history, self.past.grid
        self._add_actions()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.past)
        layout.addLayout(self._make_fields())
        self._timer = QTimer(self, interval=DRAW_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self._draw)
        self._runs.chosen.connect(self._on_chosen)
        self._runs.reset.connect(self._on_run_changed)
        self._runs.adapters_changed.connect(self._on_run_changed)
        self.worn.moved.connect(self._timer.start)
        self.worn.picked.connect(self._on_picked)
        self.worn.changed.connect(self._on_worn_changed)
        self._sampler.compared.connect(self._on_compared)
        self._sampler.refused.connect(self._on_refused)
        self._sampler.drawn.connect(self._on_drawn)
        self._sampler.phase.connect(self._on_phase)
        self._sampler.failed.connect(studio.news.failed)
        studio.session.changed.connect(self._on_session_changed)
        self.past.chosen.connect(self._on_history_chosen)
        self._on_run_changed()

    def _add_actions(self) -> None:
        add = self._studio.actions.add
        self._make = add("draw", "Make a picture", self._on_draw, place=PLACE)
        row = "Compare one by one"
        self._row = add("draw.row", row, self._on_row_wished, place=PLACE)
        self._row.setToolTip("Without any adapter, with the first, with the first two ...")
        self._left: list[dict[str, float]] = []  # what is still to be drawn of such a row

    def _make_fields(self) -> QGridLayout:
        self.worn = Worn(self._studio.shelf)
        self.conflict = labels.warning()
        self.conflict.setWordWrap(True)
        self.prompt = QLineEdit()
        self.prompt.setAcceptDrops(False)  # a dropped file would become its address
        self.prompt.setAccessibleName("Prompt")
        self.prompt.setPlaceholderText("What to draw")
        self.prompt.returnPressed.connect(self._on_draw)
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
        worn = Scrolled(self.worn)
        for row, (words, field, shown) in enumerate(
            (("Adapters", self.worn, worn), ("Prompt", self.prompt, self.prompt))
        ):
            grid.addWidget(QLabel(words), 2 * row, 0)
            grid.addWidget(shown, 2 * row, 1)
            self._offer_field(words, field)
        grid.addWidget(self.conflict, 1, 1)
        last = QHBoxLayout()
        last.setSpacing(8)
        last.addWidget(self.seed)
        last.addWidget(self.phase, stretch=1)
        last.addWidget(ActionButton(self._row, words="Compare"))
        last.addWidget(ActionButton(self._make, primary=True))
        grid.addWidget(self.hint, 3, 1)
        grid.addWidget(QLabel("Seed"), 4, 0)
        grid.addLayout(last, 4, 1)
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
        """A preview is looked at: it was drawn at full strength. What was typed stays.

        So do the strengths of several adapters, which are of no preview.
        """
        if not self.prompt.isModified():
            self.prompt.setText(prompt)
            self.seed.setValue(seed)
        self.strip.choose_none()
        if len(self.worn.rows) == 1:
            self.worn.first.show_strength(1.0)
        self._timer.stop()

    def forget_typed(self) -> None:
        """The next `offer` counts."""
        self.prompt.setModified(False)

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
        possible = not self._studio.session.busy and bool(self.worn.weights)
        self._make.setEnabled(possible)
        self._row.setEnabled(possible)
        self._row.setVisible(len(self.worn.weights) > 1)
        for row in self.worn.rows:
            row.weight.setEnabled(possible)

    @Slot()
    def _on_chosen(self) -> None:
        """What was wished for another run is forgotten."""
        self.prompt.setText("")  # and not modified
        self._timer.stop()
        self._left = []

    @Slot()
    def _on_run_changed(self) -> None:
        """The adapter that was picked comes first; else the newest of the run that is shown."""
        run = self._runs.shown.name if self._runs.shown else ""
        newest = next((card.path for card in self._runs.adapters() if card.run == run), None)
        self.worn.choose(self._runs.picked, newest, self.worn.first.path)
        self._on_worn_changed()

    @Slot()
    def _on_picked(self) -> None:
        self._runs.picked = self.worn.first.path

    @Slot()
    def _on_worn_changed(self) -> None:
        """How they stand to each other is not known until the next picture."""
        self._show_conflict([])
        self._on_prompt_changed()
        self._enable()

    @Slot(object)
    def _on_compared(self, compared: AdaptersCompared) -> None:
        acting = [path for path, weight in self.worn.weights.items() if weight]
        self._show_conflict(compared.warnings if compared.paths == acting else [])

    def _show_conflict(self, warnings: list[str]) -> None:
        self.conflict.setText("\n".join(warnings))
        self.conflict.setVisible(bool(warnings))

    @Slot()
    def _on_prompt_changed(self) -> None:
        """The demo base knows few words, and draws something for any other."""
        card, words = self._of_project(), ""
        if card and card.only_here:
            words = unknown_in_words(unknown_words(self.prompt.text(), card.trigger))
        self.hint.setText(f"{words[:1].upper()}{words[1:]}." if words else "")
        self.hint.setVisible(bool(words))

    def _of_project(self) -> AdapterCard | None:
        """The first that a run has made."""
        cards = {str(card.path): card for card in self._runs.adapters() if card.run}
        return next((cards[path] for path in self.worn.weights if path in cards), None)

    def _run(self) -> Run | None:
        """Whose base is drawn with, and which keeps the pictures."""
        if card := self._of_project():
            return Run(card.path.parent.parent)
        return self._runs.shown.run if self._runs.shown else None

    @Slot()
    def _on_draw(self) -> None:
        self._left = []
        self._draw()

    @Slot()
    def _on_row_wished(self) -> None:
        """One picture without any adapter, then one more adapter in each."""
        worn = self.worn.weights
        places = range(len(worn) + 1)
        acting = [{p: w * (n < count) for n, (p, w) in enumerate(worn.items())} for count in places]
        self._left = acting[1:]
        self._draw(acting[0])

    @Slot()
    def _draw(self, weights: dict[str, float] | None = None) -> None:
        """Draw the prompt with these, or as the sliders say; else as the run drew its previews."""
        self._timer.stop()
        weights, prompt = weights or self.worn.weights, self.prompt.text().strip()
        if not self._make.isEnabled() or not weights or not prompt:
            return
        run = self._run()
        if run is None:
            return
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
            texts=tuple(str(base_path(path, root)) for path in config.texts),
            prediction=config.prediction,
        )
        edge = config.dataset.resolution_px
        self._sampler.draw(
            job,
            Draw(
                prompt=prompt,
                seed=self.seed.value(),
                adapters=weights,
                out=str(out),
                width_px=edge,
                height_px=edge,
                inference_steps=config.preview.inference_steps,
                guidance=config.preview.guidance,
                guidance_rescale=config.preview.guidance_rescale,
            ),
        )

    @Slot(object)
    def _on_drawn(self, drawn: PictureDrawn) -> None:
        self.history.add(drawn)
        self._go_on()
        if self.history.pictures[:1] == [drawn]:
            self.strip.choose(0)
        else:  # of a run that is not shown any more
            self.shown.emit(drawn)

    @Slot(str)
    def _on_refused(self, words: str) -> None:
        self._left = []
        self._studio.news.failure(words)

    def _go_on(self) -> None:
        """The next picture of a row."""
        if self._left:
            self._draw(self._left.pop(0))

    @Slot(object)
    def _on_history_chosen(self, drawn: PictureDrawn) -> None:
        self._show_weights(drawn)
        self.shown.emit(drawn)

    def _show_weights(self, drawn: PictureDrawn) -> None:
        """Those of the picture that is shown, unless others are just being set; draws nothing."""
        if self._left or self._timer.isActive():
            return
        if drawn.adapters:
            self.worn.wear(drawn.adapters)
        else:  # of an older log
            self.worn.first.show_strength(drawn.weight)
        self._on_prompt_changed()
        self._enable()

    @Slot(str)
    def _on_phase(self, phase: str) -> None:
        if not self._studio.session.busy:
            self.phase.setText(phase)
