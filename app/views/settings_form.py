"""The main settings of a run: a preset, or each of them by itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
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

from app.models.studio import Studio
from app.process.session import duration
from app.views import fields
from app.views.base_words import DEMO_WORDS, PREDICTIONS, base_words
from app.views.fields import Field
from app.widgets import labels
from app.widgets.text import RateSpin
from core.base.words import in_words
from core.config import presets
from core.config.options import DEMO_BASE
from core.errors import BaseModelError

PLACE = "Train"
BESIDE_PX = 192  # at least, for the words beside a setting
WIDEST_PX = 900
PROMPT_LINES = 3
STEPS = (100, 200, 300, 500, 800, 1000, 1500, 2000, 3000, 5000)
RANKS = (4, 8, 16, 32, 64, 128)


class SettingsForm(QWidget):
    """Shows the project's settings; each field sets its own."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._settings = studio, studio.settings
        self._fields: list[Field] = []
        self.setMaximumWidth(WIDEST_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(16)
        layout.addLayout(self._make_presets())
        layout.addWidget(self._make_settings())
        self._settings.changed.connect(self._on_changed)
        studio.runs.reset.connect(self._on_changed)
        studio.runs.adapters_changed.connect(self._on_changed)
        self._on_changed()

    def commit(self) -> None:
        """Set what is typed and not yet left."""
        for field in self._fields:
            field.commit()

    def _make_presets(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.presets = QButtonGroup(self)
        self.presets.setExclusive(True)
        for number, preset in enumerate(presets.PRESETS):
            button = QPushButton(preset.title)
            button.setObjectName("preset")
            button.setCheckable(True)
            button.setToolTip(preset.sentence)
            button.setAccessibleDescription(preset.sentence)
            self.presets.addButton(button, number)
            row.addWidget(button)
            self._studio.actions.add(
                f"preset.{preset.id}",
                f"Preset {preset.title}",
                lambda number=number: self._on_preset_clicked(number),
                place=PLACE,
            )
        row.addStretch()
        self.presets.idClicked.connect(self._on_preset_clicked)
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
        settings = self._settings
        self._base = QLineEdit(readOnly=True)
        self._row("Base model", self._base, self._make_base_menu())
        self.steps, self._steps_words = QSlider(Qt.Orientation.Horizontal), labels.secondary()
        self._bind(
            "training.steps",
            "How long",
            self.steps,
            fields.choice(
                settings,
                "training.steps",
                self.steps,
                STEPS,
                lambda _: {"training.warmup_steps": 0},
            ),
            self._steps_words,
        )
        self.rank, self._rank_words = QSlider(Qt.Orientation.Horizontal), labels.secondary()
        self._bind(
            "adapter.rank",
            "How strongly it may change",
            self.rank,
            fields.choice(
                settings,
                "adapter.rank",
                self.rank,
                RANKS,
                lambda rank: {"adapter.alpha": float(rank)},
            ),
            self._rank_words,
        )
        self.trigger = QLineEdit()
        self.trigger.setPlaceholderText("a rare word, such as inkstyle")
        self._bind(
            "dataset.trigger",
            "Trigger word",
            self.trigger,
            fields.line(settings, "dataset.trigger", self.trigger),
            labels.secondary("Put before every caption; write it in a prompt to call the style."),
        )
        self.prompts = QPlainTextEdit()
        self.prompts.setTabChangesFocus(True)
        self.prompts.setAcceptDrops(False)
        height = PROMPT_LINES * self.prompts.fontMetrics().lineSpacing()
        self.prompts.setFixedHeight(height + 20)
        self.prompts.setPlaceholderText("One a line: a fox in the snow, inkstyle")
        self._bind(
            "preview.prompts",
            "Preview prompts",
            self.prompts,
            fields.lines(settings, "preview.prompts", self.prompts),
            labels.secondary(
                "Drawn before, during and after training. None: some of your captions."
            ),
        )
        row = self._form.rowCount()
        self._form.addLayout(self._make_numbers(), row, 0, 1, 3)
        self.text_encoder = QCheckBox("Train the text encoder, too")
        self._keep(
            "adapter.text_encoder",
            self.text_encoder.text(),
            self.text_encoder,
            fields.check(settings, "adapter.text_encoder", self.text_encoder),
        )
        self._form.addWidget(self.text_encoder, row + 1, 0, 1, 3)
        return panel

    def _make_base_menu(self) -> QPushButton:
        change = QPushButton("Change")
        change.setAccessibleName("Change the base model")
        menu = QMenu(change)
        add = self._studio.actions.add
        menu.addAction(
            add("base.folder", "Choose a model folder...", self._on_folder_wished, place=PLACE)
        )
        menu.addAction(
            add("base.file", "Choose a model file...", self._on_file_wished, place=PLACE)
        )
        menu.addAction(add("base.demo", DEMO_WORDS, lambda: self.use_base(DEMO_BASE), place=PLACE))
        menu.addSeparator()
        menu.addAction(add("base.vae", "Choose another VAE...", self._on_vae_wished, place=PLACE))
        menu.addAction(
            add(
                "base.own_vae", "Use the model's own VAE", lambda: self._set("vae", ""), place=PLACE
            )
        )
        predicts = menu.addMenu("What the model predicts")
        for told, words in PREDICTIONS.items():
            choose = partial(self._set, "prediction", told)
            predicts.addAction(add(f"base.predicts.{told}", words, choose))
        change.setMenu(menu)
        return change

    def _make_numbers(self) -> QHBoxLayout:
        self.rate = RateSpin()
        self.batch = QSpinBox(minimum=1, maximum=256)
        self.edge = QSpinBox(minimum=64, maximum=4096, singleStep=64, suffix=" px")
        row = QHBoxLayout()
        row.setSpacing(12)
        for words, path, widget in (
            ("Learning rate", "training.learning_rate", self.rate),
            ("Batch size", "training.batch_size", self.batch),
            ("Resolution", "dataset.resolution_px", self.edge),
        ):
            widget.setFixedWidth(self.fontMetrics().horizontalAdvance("0.000123") + 40)
            widget.lineEdit().setTextMargins(6, 0, 6, 0)
            row.addWidget(_named(words, widget))
            row.addWidget(widget)
            self._keep(path, words, widget, fields.spin(self._settings, path, widget))
        row.addStretch()
        return row

    def _bind(self, path: str, words: str, widget: QWidget, field: Field, beside: QWidget) -> None:
        self._row(words, widget, beside)
        self._keep(path, words, widget, field)

    def _keep(self, path: str, words: str, widget: QWidget, field: Field) -> None:
        """Make a field known, also to Ctrl+K."""
        self._fields.append(field)
        actions = self._studio.actions

        def go() -> None:
            actions["page.train"].trigger()
            actions["train.form"].trigger()
            widget.setFocus()

        actions.add(f"setting.{path}", words, go, place=PLACE)

    def _row(self, words: str, widget: QWidget, beside: QWidget) -> None:
        row = self._form.rowCount()
        self._form.addWidget(_named(words, widget), row, 0)
        self._form.addWidget(widget, row, 1)
        self._form.addWidget(beside, row, 2)

    @Slot()
    def _on_changed(self) -> None:
        """Show what no field shows: the preset, the base, and what a number means."""
        config = self._settings.config
        if config is None:
            return
        preset = self._settings.preset()
        self.presets.setExclusive(False)  # no preset at all is a choice, too
        for number, button in enumerate(self.presets.buttons()):
            button.setChecked(presets.PRESETS[number] is preset)
        self.presets.setExclusive(True)
        self._base.setText(base_words(config))
        self._base.setToolTip("" if config.base == DEMO_BASE else config.base)
        pace = self._studio.runs.pace_seconds(config)
        time = f", about {duration(config.training.steps * pace)}" if pace else ""
        self._steps_words.setText(f"{config.training.steps:,} steps{time}")
        scale = config.adapter.alpha / config.adapter.rank
        self._rank_words.setText(f"rank {config.adapter.rank}, scale {scale:g}")

    @Slot(int)
    def _on_preset_clicked(self, number: int) -> None:
        self.commit()
        if self._settings.config:
            self._settings.use_preset(presets.PRESETS[number])
            self._on_changed()

    @Slot()
    def _on_folder_wished(self) -> None:
        words = "Choose a model folder as diffusers saves it"
        if folder := QFileDialog.getExistingDirectory(self, words):
            self.use_base(str(Path(folder)))

    @Slot()
    def _on_file_wished(self) -> None:
        file, _ = QFileDialog.getOpenFileName(
            self, "Choose a model file", "", "Models (*.safetensors *.ckpt)"
        )
        if file:
            self.use_base(str(Path(file)))

    @Slot()
    def _on_vae_wished(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, "Choose a VAE", "", "VAEs (*.safetensors)")
        if file:
            self._set("vae", str(Path(file)))

    def use_base(self, base: str) -> None:
        """Train on another base, and say what it is; one that is none changes nothing."""
        self.commit()
        try:
            there = self._settings.use_base(base)
            words = in_words(there) if there else ""
        except BaseModelError as error:
            self._studio.news.failure(str(error))
            return
        if there:
            self._studio.news.note(" ".join([f"Base model: {words}.", *there.notes]))

    def _set(self, path: str, value: str) -> None:
        self.commit()
        self._settings.set(path, value)


def _named(words: str, widget: QWidget) -> QLabel:
    """A label for `widget`, which it also names for screen readers."""
    label = QLabel(words)
    label.setBuddy(widget)
    widget.setAccessibleName(words)
    return label
