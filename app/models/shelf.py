"""All adapters at hand: the project's, and files opened from elsewhere."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal, Slot

from app.models.runs import AdapterCard, Runs, file_card
from app.process.maker import Maker
from core.protocol.commands import ExtractJob, JoinJob, ResizeJob
from core.protocol.events import FileMade

KEY, MOST = "adapters", 40  # opened files that are remembered


class Shelf(QObject):
    """The project's come first, newest first; what is opened is remembered for every project."""

    changed = Signal()
    opened = Signal(object)  # a Path: it should be looked at

    def __init__(
        self, runs: Runs, store: QSettings, maker: Maker, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._runs, self._store, self._maker = runs, store, maker
        runs.adapters_changed.connect(self.changed)
        maker.made.connect(self._on_made)

    def cards(self) -> list[AdapterCard]:
        """All of them; files that are gone are not shown."""
        own = self._runs.adapters()
        there = {card.path for card in own}
        others = [path for path in self._remembered() if path not in there and _is_file(path)]
        return own + [file_card(path) for path in others]

    def open(self, path: Path) -> None:
        """Put a file on the shelf, in front of the others that were opened."""
        path = path.absolute()
        if path not in [card.path for card in self._runs.adapters()]:
            others = [one for one in self._remembered() if one != path]
            self._store.setValue(KEY, [str(one) for one in [path, *others][:MOST]])
        self.changed.emit()
        self.opened.emit(path)

    def close(self, path: Path) -> None:
        """Take an opened file off the shelf; it stays where it is."""
        left = [str(one) for one in self._remembered() if one != path]
        self._store.setValue(KEY, left)
        self.changed.emit()

    def was_opened(self, path: Path) -> bool:
        """Whether it can be closed; the project's own cannot."""
        return path in self._remembered()

    def folder(self, beside: Path | None = None) -> Path:
        """Where what is made of adapters goes: into the project, else beside a file, else home."""
        if self._runs.project:
            return self._runs.project.adapters
        return beside.parent if beside else Path.home()

    def _remembered(self) -> list[Path]:
        value = self._store.value(KEY)
        names: list[object] = value if isinstance(value, list) else [value]  # one is a string
        return [Path(name) for name in names if isinstance(name, str) and name]

    @Slot(object)
    def _on_made(self, made: FileMade) -> None:
        """What is made of adapters is at hand; what is saved for other programs is theirs."""
        if isinstance(self._maker.job, ResizeJob | JoinJob | ExtractJob):
            self.open(Path(made.path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a network drive that is gone
        return False
