"""The pictures made by hand with a run's adapters: kept beside the run, newest first."""

from __future__ import annotations

import contextlib
import logging
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QImage
from typing_extensions import override

from app.models.pictures import Thumbnails
from app.models.runs import Runs
from core.project.layout import Run
from core.protocol import wire
from core.protocol.events import PictureDrawn

log = logging.getLogger(__name__)
Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
FOLDER, LOG = "drawn", "drawn.jsonl"
TILE_PX = 72


class Drawn(QAbstractListModel):
    """Those of the run that is shown."""

    def __init__(self, runs: Runs, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs, self._thumbnails = runs, thumbnails
        self._run: Run | None = None
        self.pictures: list[PictureDrawn] = []
        thumbnails.ready.connect(self._on_thumbnail_ready)
        runs.reset.connect(self._on_reset)
        self._on_reset()

    def file(self, drawn: PictureDrawn) -> Path:
        """Where it lies, also after the project was moved."""
        name = drawn.path.replace("\\", "/").rpartition("/")[2]
        return folder_of(self._run) / name if self._run else Path(drawn.path)

    def add(self, drawn: PictureDrawn) -> None:
        """A picture was made; it is written down, and shown if its run is."""
        path = Path(drawn.path)
        try:
            with (path.parent / LOG).open("ab") as file:
                file.write(wire.to_line(drawn))
        except OSError as error:  # the picture itself is there
            log.warning("could not write %s: %s", path.parent / LOG, error)
        if self._run and path.parent == folder_of(self._run):
            self.beginInsertRows(QModelIndex(), 0, 0)
            self.pictures.insert(0, drawn)
            self.endInsertRows()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.pictures)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        drawn = self.pictures[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return " + ".join(f"{weight:.2f}" for weight in weights_of(drawn).values())
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return f"{drawn.prompt}\n{strengths(drawn)}, seed {drawn.seed}"
            case Qt.ItemDataRole.DecorationRole:
                return self._thumbnails.get(self.file(drawn), TILE_PX) or QImage()
            case _:
                return None

    @Slot()
    def _on_reset(self) -> None:
        record = self._runs.shown
        run = record.run if record else None
        if run == self._run:
            return
        self.beginResetModel()
        self._run = run
        self.pictures = _read(run) if run else []
        self.endResetModel()

    @Slot(str)
    def _on_thumbnail_ready(self, name: str) -> None:
        if self.pictures and (not name or FOLDER in name):
            last = self.index(len(self.pictures) - 1)
            self.dataChanged.emit(self.index(0), last, [Qt.ItemDataRole.DecorationRole])


def weights_of(drawn: PictureDrawn) -> dict[str, float]:
    """The adapters that a picture was drawn with; of older logs only how strong the one was."""
    return drawn.adapters or {"": drawn.weight}


def strengths(drawn: PictureDrawn) -> str:
    """The same in words: `strength 0.80`, `ink 0.80 + lines 0.40`, `without any adapter`."""
    weights = weights_of(drawn)
    acting = {path: weight for path, weight in weights.items() if weight}
    if len(weights) > 1 and not acting:
        return "without any adapter"
    if len(weights) == 1:
        return f"strength {drawn.weight:.2f}"
    return " + ".join(f"{_stem(path)} {weight:.2f}" for path, weight in acting.items())


def _stem(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")


def folder_of(run: Run) -> Path:
    """Where the pictures made with a run's adapters lie."""
    return run.root / FOLDER


def free_file(run: Run) -> Path:
    """A name for the next one, by the time, since several may be wished before one is there."""
    folder = folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{datetime.now():%Y-%m-%d %H-%M-%S.%f}.png"


def _read(run: Run) -> list[PictureDrawn]:
    try:
        lines = (folder_of(run) / LOG).read_bytes().splitlines()
    except OSError:
        return []
    there: list[PictureDrawn] = []
    for line in reversed(lines):
        with contextlib.suppress(ValueError, RecursionError):  # a WireError is a ValueError
            event = wire.event_from(line)
            if isinstance(event, PictureDrawn):
                there.append(event)
    return there
