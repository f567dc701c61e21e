"""Find a rate: a button beside the learning rate, the sweep's curve, what it says, and Use it."""

from __future__ import annotations

from msgspec.structs import replace
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.figures import duration
from app.models.studio import Studio
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.curve import Curve, CurveChart
from core.config.optimizers import OPTIMIZERS
from core.config.options import RunConfig

PLACE = "Train"
HEIGHT_PX = 148
LEAST_POINTS = 2  # that make a line


def add_actions(studio: Studio) -> None:
    """What the panels share."""
    finder, settings = studio.rate_finder, studio.settings
    asked: list[RunConfig] = []  # for what a rate was looked for

    def ask() -> None:
        """Look for one, or give it up."""
        if finder.busy:
            finder.forget()
            return
        settings.save()
        project, config = studio.workspace.project, settings.config
        if project and config and settings.saved:
            asked[:] = [_without_rates(config)]
            finder.ask(project.root)

    def use() -> None:
        """Take it over; one step back undoes it."""
        if (found := finder.found) and found.rate:
            values = {"training.learning_rate": found.rate}
            if settings.config and settings.config.training.text_encoder_learning_rate:
                values["training.text_encoder_learning_rate"] = found.text_encoder_rate
            settings.change(values)

    finding = studio.actions.add("train.rate", "Find a rate", ask, place=PLACE)
    using = studio.actions.add("train.use_rate", "Use it", use, place=PLACE)

    def on_changed() -> None:
        config, found = settings.config, finder.found
        finding.setText("Stop looking" if finder.busy else "Find a rate")
        why = "" if config is None else nothing_to_find(config.training.optimizer)
        finding.setEnabled(not why or finder.busy)
        finding.setToolTip(why or "A short run whose rate rises, on your pictures; takes minutes")
        using.setText(f"Use {found.rate:g}" if found and found.rate else "Use it")
        rate = config.training.learning_rate if config else 0.0
        using.setVisible(bool(found and found.rate and found.rate != rate))

    def on_settings_changed() -> None:
        """What was found holds for these settings; the rates alone make no difference to it."""
        config = settings.config
        if config is None or asked != [_without_rates(config)]:
            finder.forget()
        on_changed()

    finder.changed.connect(on_changed)
    settings.changed.connect(on_settings_changed)
    on_changed()


def _without_rates(config: RunConfig) -> RunConfig:
    """What a sweep depends on: of the rates their proportion, which stays when one is used."""
    training = replace(config.training, learning_rate=1.0, text_encoder_learning_rate=0.0)
    return replace(config, training=training)


def nothing_to_find(optimizer: str) -> str:
    """Why an optimizer has no rate to find; "" where it has."""
    row = OPTIMIZERS[optimizer]
    if row.finds_rate:
        return f"There is nothing to find: {row.title} finds its rate by itself."
    if row.averages:
        return f"There is nothing to find: {row.title} averages its steps. Its usual rate will do."
    return ""


class RatePanel(QWidget):
    """There may be several: what they show is the finder's."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._finder, self._settings = studio.rate_finder, studio.settings
        self.said = labels.secondary()
        self.chart = CurveChart("Loss by learning rate", HEIGHT_PX)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(ActionButton(studio.actions["train.rate"]))
        row.addWidget(self.said, stretch=1)
        row.addWidget(ActionButton(studio.actions["train.use_rate"]))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self.chart)
        self._finder.changed.connect(self._show)
        self._settings.changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        finder = self._finder
        self.said.setText(self._words())
        points, found = finder.tried, finder.found
        self.chart.setVisible(len(points) >= LEAST_POINTS)
        if len(points) < LEAST_POINTS:
            return
        rates, losses = [one.rate for one in points], [one.loss for one in points]
        smooth = found.smoothed if found and len(found.smoothed) == len(points) else losses
        proposed = found if found and found.rate else None
        self.chart.show_curve(
            Curve(
                rates,
                smooth,
                points=losses if found else (),
                meant=(proposed.least, proposed.most) if proposed else None,
                at=proposed.rate if proposed else None,
                by_factors=True,
            )
        )

    def _words(self) -> str:
        finder, config = self._finder, self._settings.config
        if finder.failure:
            return finder.failure.message
        if found := finder.found:
            if not found.rate:
                return found.words
            much = f" From {found.least:g} to {found.most:g} would be much the same."
            return found.words + (much if found.least < found.most else "")
        if finder.waits:
            return "Waits for the device."
        if finder.busy:
            now = finder.progress
            left = f", about {duration(now.seconds_left)} left" if now and now.seconds_left else ""
            return f"{now.phase if now else 'Starting'}{left}. Nothing of it is kept."
        return nothing_to_find(config.training.optimizer) if config else ""
