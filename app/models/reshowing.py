"""Shows captions that were written: at once, but thousands of them one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.models.findings import Findings
from app.models.gradual import Gradual, Steps
from app.models.picture_rows import PictureRows
from core.data import health, scan
from core.data.scan import Finding, Picture


class Reshowing(QObject):
    """In the list of pictures, and in what is amiss with them."""

    done = Signal()

    def __init__(
        self, rows: PictureRows, findings: Findings, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._rows, self._findings = rows, findings
        self._texts: dict[Path, str] = {}  # captions that the rows do not show yet
        self._shown: dict[Path, Picture] = {}  # of which the findings do not know yet
        self._gradual = Gradual(self)

    @property
    def busy(self) -> bool:
        return self._gradual.busy

    def show(self, texts: Mapping[Path, str]) -> None:
        """The newest come first."""
        self._texts |= texts
        self._gradual.start(self._showing(), self._on_shown)

    def stop(self) -> None:
        """Show nothing more."""
        self._gradual.stop()
        self._texts.clear()
        self._shown.clear()

    def _showing(self) -> Steps[list[Finding]]:
        while self._texts:
            path, text = self._texts.popitem()
            if picture := self._rows.set_caption(path, text):
                self._shown[path] = picture
            yield
        own: list[Finding] = []
        for picture in self._shown.values():
            own += scan.findings_of(picture)
            yield
        return own

    def _on_shown(self, own: list[Finding]) -> None:
        self._findings.show_usable(self._shown.keys(), own, health.OF_PIXELS)
        self._shown.clear()
        self.done.emit()
