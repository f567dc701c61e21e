"""The dataset as a list, with an undo stack; captions are saved as they are written."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRunnable,
    Qt,
    QThreadPool,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage, QUndoCommand, QUndoStack
from typing_extensions import override

from app.models.pictures import Thumbnails
from core.data import captions, scan
from core.data.scan import Dataset, Finding, Picture
from core.errors import StorageError
from core.project.layout import Project

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class Role:
    """What `data` answers beside Qt's own roles."""

    PATH = Qt.ItemDataRole.UserRole + 1
    CAPTION = Qt.ItemDataRole.UserRole + 2
    FINDING = Qt.ItemDataRole.UserRole + 3


class _Scan(QRunnable):
    def __init__(self, model: DatasetModel, number: int, folders: Sequence[Path]) -> None:
        super().__init__()
        self._model, self._number, self._folders = model, number, folders

    def run(self) -> None:
        dataset = scan.scan(self._folders)
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._model.scanned.emit(self._number, dataset)


class DatasetModel(QAbstractListModel):
    """Usable pictures in the order of their names. Decoding and scanning happen in threads."""

    scanned = Signal(int, object)  # from a thread
    refreshed = Signal()  # pictures or findings are new
    failed = Signal(str)  # something could not be written; in words

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self.undo_stack = QUndoStack(self)
        self.thumbnails = Thumbnails(self)
        self._pictures: list[Picture] = []
        self._rows: dict[str, int] = {}
        self._findings: tuple[Finding, ...] = ()
        self._number = 0
        self.scanning = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self.scanned.connect(self._on_scanned)
        self.thumbnails.ready.connect(self._on_thumbnail_ready)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self._findings

    @property
    def pictures(self) -> Sequence[Picture]:
        return self._pictures

    def open(self, project: Project | None) -> None:
        """Show another project."""
        self.project = project
        self.undo_stack.clear()
        self._show(Dataset((), ()))
        self.rescan()

    def rescan(self) -> None:
        """Look at the folders again, in the background."""
        if self.project is None:
            return
        self._number += 1
        self.scanning = True
        self._pool.start(_Scan(self, self._number, self.project.folders(self.project.config())))

    def finish(self) -> None:
        """Wait for the threads; before the program ends."""
        self._pool.waitForDone()
        self.thumbnails.finish()

    def import_paths(self, paths: Iterable[Path]) -> int:
        """Copy dropped pictures, and folders of them, with their captions into the project.

        Nothing is overwritten: a taken name gets a number. Returns how many were copied.
        """
        if self.project is None:
            return 0
        sources: list[Path] = []
        for path in paths:
            inside = scan.picture_files([path]) if path.is_dir() else [path]
            sources += [p for p in inside if p.suffix.lower() in scan.SUFFIXES]
        try:
            copied = [copy_beside(p, self.project.images) for p in sources]
        except OSError as error:
            self.failed.emit(str(StorageError.writing(self.project.images, error)))
            copied = []
        self.rescan()
        return len(copied)

    def set_caption(self, path: Path, text: str) -> None:
        """Write a caption; can be undone."""
        old = captions.read(path).text
        if old != text:
            self.undo_stack.push(_SetCaption(self, path, old, text))

    def remove(self, paths: Sequence[Path]) -> None:
        """Move pictures and their captions to the project's bin; can be undone."""
        if self.project is not None and paths:
            self.undo_stack.push(_Remove(self, self.project.bin, paths))

    def write_caption(self, path: Path, text: str) -> None:
        """What set_caption and its undo do."""
        try:
            captions.write(path, text)
        except StorageError as error:
            self.failed.emit(str(error))
            return
        row = self._rows.get(str(path))
        if row is not None:
            old = self._pictures[row]
            self._pictures[row] = Picture(path, old.width_px, old.height_px, text)
            kept = [f for f in self._findings if f.path != path or not f.usable]
            self._findings = tuple(kept) if text.strip() else (*kept, no_caption(path))
            index = self.index(row)
            self.dataChanged.emit(index, index)
            self.refreshed.emit()

    def row_of(self, path: Path) -> int:
        """-1 where it is not shown."""
        return self._rows.get(str(path), -1)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._pictures)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        picture = self._pictures[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.AccessibleTextRole:
                return picture.path.name
            case Qt.ItemDataRole.DecorationRole:
                return self.thumbnails.get(picture.path) or QImage()
            case Qt.ItemDataRole.ToolTipRole:
                size = f"{picture.width_px} x {picture.height_px} px"
                return f"{picture.path.name}, {size}\n{picture.caption}"
            case Role.PATH:
                return picture.path
            case Role.CAPTION:
                return picture.caption
            case Role.FINDING:
                return "" if picture.caption.strip() else self.tr("no caption")
            case _:
                return None

    def _show(self, dataset: Dataset) -> None:
        self.beginResetModel()
        self._pictures = list(dataset.pictures)
        self._rows = {str(p.path): row for row, p in enumerate(self._pictures)}
        self._findings = dataset.findings
        self.endResetModel()
        self.refreshed.emit()

    @Slot(int, object)
    def _on_scanned(self, number: int, dataset: Dataset) -> None:
        if number != self._number:
            return  # a newer scan is on its way
        self.scanning = False
        if (dataset.pictures, dataset.findings) != (tuple(self._pictures), self._findings):
            self._show(dataset)
        else:
            self.refreshed.emit()

    @Slot(str)
    def _on_thumbnail_ready(self, name: str) -> None:
        row = self._rows.get(name)
        if row is not None:
            index = self.index(row)
            self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])


def no_caption(path: Path) -> Finding:
    """The finding that a scan would make."""
    hint = "Write down what it shows, so that the style is learnt apart from it."
    return Finding(path, "It has no caption.", hint, usable=True)


def free_name(folder: Path, name: str) -> Path:
    """`name` in `folder`, numbered if it or its caption's name is taken."""
    target, number = folder / name, 1
    while target.exists() or captions.caption_file(target).exists():
        number += 1
        target = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return target


def copy_beside(source: Path, folder: Path) -> Path:
    """Copy a picture and its caption into `folder` under a free name.

    Raises:
        OSError: It cannot be read or written.
    """
    if source.parent == folder:
        return source
    folder.mkdir(parents=True, exist_ok=True)
    target = free_name(folder, source.name)
    shutil.copyfile(source, target)
    if captions.caption_file(source).exists():
        shutil.copyfile(captions.caption_file(source), captions.caption_file(target))
    return target


class _SetCaption(QUndoCommand):
    ID = 1

    def __init__(self, model: DatasetModel, path: Path, old: str, new: str) -> None:
        super().__init__(f"Caption of {path.name}")
        self._model, self._path, self._old, self._new = model, path, old, new

    @override
    def id(self) -> int:
        return self.ID

    @override
    def mergeWith(self, other: QUndoCommand) -> bool:
        """Writing on in the same caption is one step back."""
        if not isinstance(other, _SetCaption) or other._path != self._path:
            return False
        self._new = other._new
        return True

    @override
    def redo(self) -> None:
        self._model.write_caption(self._path, self._new)

    @override
    def undo(self) -> None:
        self._model.write_caption(self._path, self._old)


class _Remove(QUndoCommand):
    def __init__(self, model: DatasetModel, bin_folder: Path, paths: Sequence[Path]) -> None:
        super().__init__(f"Remove {len(paths)} pictures")
        self._model, self._bin, self._paths = model, bin_folder, list(paths)
        self._moves: list[tuple[Path, Path]] = []

    @override
    def redo(self) -> None:
        self._moves = []
        try:
            self._bin.mkdir(parents=True, exist_ok=True)
            for path in self._paths:
                target = free_name(self._bin, path.name)
                sidecar = captions.caption_file(path)
                self._move(path, target)
                if sidecar.exists():
                    self._move(sidecar, captions.caption_file(target))
        except OSError as error:
            self._model.failed.emit(str(StorageError.writing(self._bin, error)))
        self._model.rescan()

    def _move(self, source: Path, target: Path) -> None:
        shutil.move(source, target)
        self._moves.append((source, target))

    @override
    def undo(self) -> None:
        try:
            for source, target in reversed(self._moves):
                if not source.exists():
                    shutil.move(target, source)
        except OSError as error:
            self._model.failed.emit(str(StorageError.writing(self._bin, error)))
        self._model.rescan()
