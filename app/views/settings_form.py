"""The main settings of a run: a preset, or each of them by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace
from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.models.runs import Runs
from app.process.session import duration
from app.widgets import labels
from core.base import facts_of
from core.config import presets
from core.config.options import DEMO_BASE, RunConfig

SAVE_AFTER_MS = 400  # of no typing
DEMO_WORDS = "Stylewright demo base, Stable Diffusion 1 shape"
BESIDE_PX = 192  # at least, for the words beside a setting
STEPS = (100, 200, 300, 500, 800, 1000, 1500, 2000, 3000, 5000)
RANKS = (4, 8, 16, 32, 64, 128)


class SettingsForm(QWidget):
    """Shows the project's settings; every change is a wish to save them."""

    changed = Signal(object)  # a RunConfig

    def __init__(self, runs: Runs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs = runs  # they tell how long a step takes
        self._config: RunConfig | None = None
        self._filling = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(16)
        layout.addLayout(self._make_presets())
        layout.addWidget(self._make_settings())
        runs.reset.connect(self._show_time)
        runs.adapters_changed.connect(self._show_time)

    def _make_presets(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self._presets = QButtonGroup(self)
        self._presets.setExclusive(True)
        for number, preset in enumerate(presets.PRESETS):
            button = QPushButton(preset.title)
            button.setObjectName("preset")
            button.setCheckable(True)
            button.setToolTip(preset.sentence)
            button.setAccessibleDescription(preset.sentence)
            self._presets.addButton(button, number)
            row.addWidget(button)
        row.addStretch()
        self._presets.idClicked.connect(self._on_preset_clicked)
        return row

    def _make_settings(self) -> QFrame:
        panel = QFrame()
        panel.setObjectName("panel")
        self._form = QGridLayout(panel)
        self._form.setContentsMargins(16, 16, 16, 16)
        self._form.setHorizontalSpacing(16)
        self._form.setVerticalSpacing(12)
        self._form.setColumnStretch(1, 1)
        self._form.setColumnMinimumWidth(2, BESIDE_PX)
        self._base = QLineEdit(readOnly=True)
        self._change_base = QPushButton(self.tr("Change"))
        bases = QMenu(self._change_base)
        bases.addAction(self.tr("Choose a model folder..."), self._on_folder_wished)
        bases.addAction(DEMO_WORDS, lambda: self._use_base(DEMO_BASE))
        self._change_base.setMenu(bases)
        self._row(self.tr("Base model"), self._base, self._change_base)
        self._steps = _choice_slider(STEPS, self._on_steps_moved)
        self._steps_words = labels.secondary()
        self._row(self.tr("How long"), self._steps, self._steps_words)
        self._rank = _choice_slider(RANKS, self._on_rank_moved)
        for slider in (self._steps, self._rank):
            slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            slider.installEventFilter(self)
        self._rank_words = labels.secondary()
        self._row(self.tr("How strongly it may change"), self._rank, self._rank_words)
        self._trigger = QLineEdit()
        self._trigger.setPlaceholderText(self.tr("a rare word, such as inkstyle"))
        self._trigger.editingFinished.connect(self.read)
        hint = self.tr("Put before every caption; write it in a prompt to call the style.")
        self._row(self.tr("Trigger word"), self._trigger, labels.secondary(hint))
        self._prompts = QPlainTextEdit()
        self._prompts.setTabChangesFocus(True)
        self._prompts.setAcceptDrops(False)
        self._prompts.setFixedHeight(64)
        self._prompts.setPlaceholderText(self.tr("One a line: a fox in the snow, inkstyle"))
        self._prompts_timer = QTimer(self, interval=SAVE_AFTER_MS, singleShot=True)
        self._prompts_timer.timeout.connect(self.read)
        self._prompts.textChanged.connect(self._prompts_timer.start)
        hint = self.tr("Drawn before, during and after training. None: some of your captions.")
        self._row(self.tr("Preview prompts"), self._prompts, labels.secondary(hint))
        row = self._form.rowCount()
        self._form.addLayout(self._make_numbers(), row, 0, 1, 2)
        self._text_encoder = QCheckBox(self.tr("Train the text encoder, too"))
        self._text_encoder.toggled.connect(self.read)
        self._form.addWidget(self._text_encoder, row, 2)
        return panel

    def _make_numbers(self) -> QHBoxLayout:
        self._rate = QDoubleSpinBox(decimals=6, minimum=0.0, maximum=10.0, singleStep=1e-5)
        self._batch = QSpinBox(minimum=1, maximum=256)
        self._edge = QSpinBox(minimum=64, maximum=4096, singleStep=64, suffix=" px")
        for spin in (self._rate, self._batch, self._edge):
            spin.setKeyboardTracking(False)
            spin.setFixedWidth(88)
            spin.lineEdit().setTextMargins(6, 0, 6, 0)
            spin.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            spin.installEventFilter(self)
            spin.valueChanged.connect(self.read)
        row = QHBoxLayout()
        row.setSpacing(12)
        for words, widget in (
            (self.tr("Learning rate"), self._rate),
            (self.tr("Batch size"), self._batch),
            (self.tr("Resolution"), self._edge),
        ):
            row.addWidget(_named(words, widget))
            row.addWidget(widget)
        row.addStretch()
        return row

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The wheel scrolls the page; it changes only what was clicked before."""
        wheel = event.type() == QEvent.Type.Wheel
        if wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _row(self, words: str, widget: QWidget, beside: QWidget) -> None:
        row = self._form.rowCount()
        self._form.addWidget(_named(words, widget), row, 0)
        self._form.addWidget(widget, row, 1)
        self._form.addWidget(beside, row, 2)

    def show_config(self, config: RunConfig | None) -> None:
        """Show a project's settings."""
        self._config = config
        if config is None:
            return
        self._filling = True
        self._base.setText(DEMO_WORDS if config.base == DEMO_BASE else config.base)
        self._check_preset(presets.matching(config, facts_of(config.base, Path())))
        if prompts_of(self._prompts) != config.preview.prompts:
            self._prompts.setPlainText("\n".join(config.preview.prompts))
            self._prompts_timer.stop()
        self._steps.setValue(_nearest(STEPS, config.training.steps))
        self._rank.setValue(_nearest(RANKS, config.adapter.rank))
        self._trigger.setText(config.dataset.trigger)
        self._rate.setValue(config.training.learning_rate)
        self._batch.setValue(config.training.batch_size)
        self._edge.setValue(config.dataset.resolution_px)
        self._text_encoder.setChecked(config.adapter.text_encoder)
        self._show_time()
        scale = config.adapter.alpha / config.adapter.rank
        self._rank_words.setText(f"rank {config.adapter.rank}, scale {scale:g}")
        self._filling = False

    @Slot()
    def read(self) -> None:
        """Take what is written now, also what the person has not left yet."""
        config = self._config
        if config is None or self._filling:
            return
        for spin in (self._rate, self._batch, self._edge):
            spin.interpretText()
        self._change(
            replace(
                config,
                dataset=replace(
                    config.dataset,
                    trigger=self._trigger.text().strip(),
                    resolution_px=self._edge.value(),
                ),
                adapter=replace(config.adapter, text_encoder=self._text_encoder.isChecked()),
                training=replace(
                    config.training,
                    learning_rate=self._rate_of(config),
                    batch_size=self._batch.value(),
                ),
                preview=replace(config.preview, prompts=prompts_of(self._prompts)),
            )
        )

    @Slot()
    def _show_time(self) -> None:
        """Steps, and how long they take, where a run like this one has told."""
        if self._config is None:
            return
        steps = self._config.training.steps
        pace = self._runs.pace_seconds(self._config)
        time = f", about {duration(steps * pace)}" if pace else ""
        self._steps_words.setText(f"{steps:,} steps{time}")

    def _check_preset(self, preset: presets.Preset | None) -> None:
        self._presets.setExclusive(False)  # no preset at all is a choice, too
        for number, button in enumerate(self._presets.buttons()):
            button.setChecked(presets.PRESETS[number] is preset)
        self._presets.setExclusive(True)

    def _change(self, config: RunConfig) -> None:
        if config != self._config:
            self.show_config(config)
            self.changed.emit(config)

    @Slot(int)
    def _on_preset_clicked(self, number: int) -> None:
        if self._config:
            self._change(
                presets.apply(
                    presets.PRESETS[number], self._config, facts_of(self._config.base, Path())
                )
            )

    @Slot(int)
    def _on_steps_moved(self, place: int) -> None:
        if self._config and not self._filling:
            training = replace(self._config.training, steps=STEPS[place], warmup_steps=0)
            self._change(replace(self._config, training=training))

    @Slot(int)
    def _on_rank_moved(self, place: int) -> None:
        if self._config and not self._filling:
            adapter = replace(self._config.adapter, rank=RANKS[place], alpha=float(RANKS[place]))
            self._change(replace(self._config, adapter=adapter))

    def _rate_of(self, config: RunConfig) -> float:
        """The spin box's rate; one that it cannot show stays as it is until it is changed."""
        shown = round(config.training.learning_rate, self._rate.decimals())
        typed = self._rate.value()
        return config.training.learning_rate if typed == shown else typed

    @Slot()
    def _on_folder_wished(self) -> None:
        words = self.tr("Choose a Stable Diffusion 1 model folder")
        if folder := QFileDialog.getExistingDirectory(self, words):
            self._use_base(str(Path(folder)))

    def _use_base(self, base: str) -> None:
        if self._config:
            before, after = (facts_of(b, Path()) for b in (self._config.base, base))
            self._change(presets.on_base(self._config, base, before, after))


def prompts_of(text: QPlainTextEdit) -> tuple[str, ...]:
    """One prompt a line."""
    return tuple(line.strip() for line in text.toPlainText().splitlines() if line.strip())


def _named(words: str, widget: QWidget) -> QLabel:
    """A label for `widget`, which it also names for screen readers."""
    label = QLabel(words)
    label.setBuddy(widget)
    widget.setAccessibleName(words)
    return label


def _choice_slider(choices: tuple[int, ...], on_moved: Callable[[int], None]) -> QSlider:
    """A slider whose places are `choices`."""
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, len(choices) - 1)
    slider.setPageStep(1)
    slider.valueChanged.connect(on_moved)
    return slider


def _nearest(choices: tuple[int, ...], value: int) -> int:
    return min(range(len(choices)), key=lambda place: abs(choices[place] - value))
