"""The settings of a run: a preset, the few that matter, and the rest folded; each by itself."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.figures import count_of, duration
from app.models.studio import Studio
from app.views import fields
from app.views.adapter_choice import KINDS, TARGETS, StartChoice, with_kind
from app.views.base_choice import BaseChoice
from app.views.every_setting import EverySetting
from app.views.fields import Field
from app.views.preset_cards import PresetCards
from app.views.rate_panel import RatePanel, add_actions
from app.widgets import labels
from app.widgets.text import RateSpin

PLACE = "Train"
BESIDE_PX = 344  # for the words beside a setting, mostly in one line
WIDEST_PX = 900
PROMPT_LINES = 4
WIDEST_NAME = "Preview prompts"  # the fields of all panels begin at one place
STEPS = (100, 200, 300, 500, 800, 1000, 1500, 2000, 3000, 5000)
RANKS = (4, 8, 16, 32, 64, 128)


class SettingsForm(QWidget):
    """Shows the project's settings; each field sets its own."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._settings = studio, studio.settings
        add_actions(studio)
        self._fields: list[Field] = []
        self.setMaximumWidth(WIDEST_PX)
        self.presets = PresetCards(studio, self.commit)
        self.base = BaseChoice(studio, self.commit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self.presets)
        layout.addWidget(self._make_main())
        self._fold = QPushButton()
        self._fold.setObjectName("fold")
        self._fold.setCheckable(True)
        self._rest = self._make_rest()
        self._fold.toggled.connect(lambda shown: self._on_folded(shown=shown))
        self._on_folded(shown=False)
        layout.addWidget(self._fold, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._rest)
        self._unfold = QPushButton()
        self._unfold.setObjectName("fold")
        self._unfold.setCheckable(True)
        self._unfold.toggled.connect(lambda shown: self._on_unfolded(shown=shown))
        self.every: EverySetting | None = None
        self._on_unfolded(shown=False)
        layout.addWidget(self._unfold, alignment=Qt.AlignmentFlag.AlignLeft)
        actions = studio.actions
        actions.add("train.every", "Every setting", self.show_every, place=PLACE)
        self._settings.changed.connect(self._on_changed)
        studio.dataset.refreshed.connect(self._on_changed)
        studio.runs.reset.connect(self._on_changed)
        studio.runs.adapters_changed.connect(self._on_changed)
        self._on_changed()

    def commit(self) -> None:
        """Set what is typed and not yet left."""
        for field in [*self._fields, *(self.every.fields if self.every else ())]:
            field.commit()

    @Slot()
    def show_every(self) -> None:
        """Turn to all options, and to their search."""
        self._studio.actions["page.train"].trigger()
        self._studio.actions["train.form"].trigger()
        self._unfold.setChecked(True)
        if self.every is not None:
            self.every.search.setFocus()

    def _make_main(self) -> QFrame:
        panel, grid = _panel()
        grid.addWidget(_named("Base model", self.base), 0, 0)
        grid.addWidget(self.base, 0, 1, 1, 2)
        settings = self._settings
        self.steps, self._steps_words = QSlider(Qt.Orientation.Horizontal), labels.secondary()
        with_steps = lambda _: {"training.warmup_steps": 0}  # noqa: E731
        field = fields.choice(settings, "training.steps", self.steps, STEPS, with_steps)
        self._row(grid, "How long", self.steps, self._steps_words)
        self._keep("training.steps", "How long", self.steps, field)
        self.rank, self._rank_words = QSlider(Qt.Orientation.Horizontal), labels.secondary()
        with_rank = lambda rank: {"adapter.alpha": float(rank)}  # noqa: E731
        field = fields.choice(settings, "adapter.rank", self.rank, RANKS, with_rank)
        self._row(grid, "How strongly", self.rank, self._rank_words)
        self._keep("adapter.rank", "How strongly", self.rank, field)
        self.trigger = QLineEdit()
        self.trigger.setAcceptDrops(False)  # a dropped file would become its address
        self.trigger.setPlaceholderText("a rare word, such as inkstyle")
        field = fields.line(settings, "dataset.trigger", self.trigger)
        words = "Calls the style in a prompt; put before every caption."
        self._row(grid, "Trigger word", self.trigger, labels.secondary(words))
        self._keep("dataset.trigger", "Trigger word", self.trigger, field)
        return panel

    def _make_rest(self) -> QFrame:
        panel, grid = _panel()
        settings = self._settings
        self.prompts = QPlainTextEdit()
        self.prompts.setTabChangesFocus(True)
        self.prompts.document().setDocumentMargin(2)  # its words begin where those of a line do
        self.prompts.setAcceptDrops(False)
        height = PROMPT_LINES * self.prompts.fontMetrics().lineSpacing()
        self.prompts.setFixedHeight(height + 20)
        self.prompts.setPlaceholderText("One a line: a fox in the snow, inkstyle")
        field = fields.lines(settings, "preview.prompts", self.prompts)
        words = "Drawn before, during and after training. None: some of your captions."
        self._row(grid, WIDEST_NAME, self.prompts, labels.secondary(words))
        self._keep("preview.prompts", WIDEST_NAME, self.prompts, field)
        self._add_kind(grid)
        self._add_numbers(grid)
        self.text_encoder = QCheckBox("Train the text encoder, too")
        field = fields.check(settings, "adapter.text_encoder", self.text_encoder)
        self._keep("adapter.text_encoder", self.text_encoder.text(), self.text_encoder, field)
        grid.addWidget(self.text_encoder, grid.rowCount(), 1, 1, 2)
        return panel

    def _add_kind(self, grid: QGridLayout) -> None:
        """What is trained: of which kind, on which layers, from where on."""
        settings = self._settings
        self.kind, self._kind_words = QComboBox(), labels.secondary()
        self.kind.addItems([title for title, _ in KINDS.values()])
        field = fields.pick(settings, "adapter.kind", self.kind, list(KINDS), with_kind)
        self._row(grid, "Kind of adapter", self.kind, self._kind_words)
        self._keep("adapter.kind", "Kind of adapter", self.kind, field)
        self.targets, self._targets_words = QComboBox(), labels.secondary()
        self.targets.addItems([title for title, _ in TARGETS.values()])
        field = fields.pick(settings, "adapter.targets", self.targets, list(TARGETS))
        self._row(grid, "Layers", self.targets, self._targets_words)
        self._keep("adapter.targets", "Layers that learn", self.targets, field)
        self.convolutions = QSpinBox(minimum=0, maximum=512)
        self.convolutions.setSpecialValueText("none")
        self.convolutions.lineEdit().setTextMargins(8, 0, 8, 0)
        field = fields.spin(settings, "adapter.conv_rank", self.convolutions)
        words = "The rank of convolutions, which learn shapes besides."
        self._row(grid, "Convolutions", self.convolutions, labels.secondary(words))
        self._keep("adapter.conv_rank", "Convolutions", self.convolutions, field)
        self.start = StartChoice(self._studio)
        row = grid.rowCount()
        grid.addWidget(_named("Goes on from", self.start), row, 0)
        grid.addWidget(self.start, row, 1, 1, 2)

    def _add_numbers(self, grid: QGridLayout) -> None:
        """Beside each other; the first begins where all fields do."""
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
            widget.lineEdit().setTextMargins(8, 0, 8, 0)
            named = _named(words, widget)
            if widget is self.rate:
                grid.addWidget(named, grid.rowCount(), 0)
            else:
                row.addWidget(named)
            row.addWidget(widget)
            self._keep(path, words, widget, fields.spin(self._settings, path, widget))
        row.addStretch()
        grid.addLayout(row, grid.rowCount() - 1, 1, 1, 2)
        self.finding = RatePanel(self._studio)
        grid.addWidget(self.finding, grid.rowCount(), 1, 1, 2)

    def _row(self, grid: QGridLayout, words: str, widget: QWidget, beside: QLabel) -> None:
        row = grid.rowCount()
        grid.addWidget(_named(words, widget), row, 0)
        grid.addWidget(widget, row, 1)
        grid.addWidget(beside, row, 2)

    def _keep(self, path: str, words: str, widget: QWidget, field: Field) -> None:
        """Make a field known, also to Ctrl+K."""
        self._fields.append(field)
        actions = self._studio.actions

        def go() -> None:
            actions["page.train"].trigger()
            actions["train.form"].trigger()
            if self._rest.isAncestorOf(widget):
                self._fold.setChecked(True)
            widget.setFocus()

        actions.add(f"setting.{path}", words, go, place=PLACE)

    def _on_folded(self, *, shown: bool) -> None:
        self._rest.setVisible(shown)
        self._fold.setText("\u25be  More settings" if shown else "\u25b8  More settings")

    def _on_unfolded(self, *, shown: bool) -> None:
        """Made when it is first looked at: a fifth of a second that few starts need."""
        if shown and self.every is None:
            self.every = EverySetting(self._studio)
            layout = self.layout()
            if layout is not None:
                layout.addWidget(self.every)
        if self.every is not None:
            self.every.setVisible(shown)
        self._unfold.setText("\u25be  Every setting" if shown else "\u25b8  Every setting")

    @Slot()
    def _on_changed(self) -> None:
        """Show what no field shows: what a number means."""
        config = self._settings.config
        if config is None:
            return
        steps, count = config.training.steps, self._studio.dataset.rows.rowCount()
        said = [count_of(steps, "step")]
        if count:
            looks = round(steps * config.training.batch_size / count)
            said.append(f"{count_of(looks, 'look')} at each picture")
        if seconds := self._studio.runs.estimate_seconds(config):
            said.append(f"about {duration(seconds)}")
        self._steps_words.setText(", ".join(said))
        self._kind_words.setText(KINDS[config.adapter.kind][1])
        self._targets_words.setText(TARGETS[config.adapter.targets][1])
        self.convolutions.setEnabled(config.adapter.kind != "oft")
        scale = config.adapter.alpha / config.adapter.rank
        self._rank_words.setText(f"rank {config.adapter.rank}, scale {scale:g}")


def _panel() -> tuple[QFrame, QGridLayout]:
    panel = QFrame()
    panel.setObjectName("panel")
    grid = QGridLayout(panel)
    grid.setContentsMargins(16, 16, 16, 16)
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(12)
    grid.setColumnMinimumWidth(0, QLabel(WIDEST_NAME).sizeHint().width())
    grid.setColumnStretch(1, 1)
    grid.setColumnMinimumWidth(2, BESIDE_PX)
    return panel, grid


def _named(words: str, widget: QWidget) -> QLabel:
    """A label for `widget`, which it also names for screen readers."""
    label = QLabel(words)
    label.setBuddy(widget)
    widget.setAccessibleName(words)
    return label
