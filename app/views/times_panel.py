"""How often a run would draw which time, as a small plot, by the formula that training uses."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.models.studio import Studio
from app.widgets import labels
from app.widgets.curve import Curve, CurveChart
from core.config.facts import FLOW
from core.diffusion.times import Times, how_often, of_flow

HEIGHT_PX = 104
SPANS = 50
WORDS = "How often which time is drawn, from the clean picture (0) to nothing but noise (1)."


class TimesPanel(QWidget):
    """Follows the settings; the base is looked at again when another is chosen."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = studio.settings
        self._of: tuple[object, ...] = ()  # the settings that the base's own times come from
        self._drawn: tuple[object, ...] = ()
        self._own, self._multiple_px = Times(), 8
        self.said = labels.secondary(WORDS)
        self.chart = CurveChart("How often each time is drawn", HEIGHT_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.said)
        column.addWidget(self.chart)
        self._settings.changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        config = self._settings.config
        if config is None:
            return
        of = (config.base, config.vae, config.rest, config.prediction)
        if of != self._of:
            self._of = of
            self._look_at_base()
        key = (of, config.noise, config.dataset.resolution_px)
        if key == self._drawn:
            return
        self._drawn = key
        places = max(1, config.dataset.resolution_px // self._multiple_px) ** 2
        often = how_often(self._own.wished(config.noise), places, SPANS)
        middles = [(span + 0.5) / SPANS for span in range(SPANS)]
        self.chart.show_curve(Curve(middles, often, filled=True))

    def _look_at_base(self) -> None:
        """Even times, unless it is a flow, whose scheduler's settings say how far it is shifted."""
        base = self._settings.base()
        self._own = Times()
        if base is not None:
            self._multiple_px = base.multiple_px
            if base.facts.predicts == FLOW:  # a place of the transformer is what counts
                self._own = of_flow(base.configs["scheduler"], 1)
