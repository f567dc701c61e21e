"""The dataset as a list, with an undo stack; captions are saved as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage, QUndoStack
from typing_extensions import override

from app.models.edits import Remove, SetCaption
from app.models.importer import Imported, Importer
from app.models.pictures import Thumbnails
from app.models.scanner import Scanner
from core.data import captions, scan
from core.data.scan import Dataset, Finding, Picture
from core.errors import StorageError, UserError
from core.project.layout import Project

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
SINGLE_CHANGES = 200  # more of them are shown by a reset: each costs a new index of the rows


class Role:
    """What `data` answers beside Qt's own roles."""

    PATH = Qt.ItemDataRole.UserRole + 1
    CAPTION = Qt.ItemDataRole.UserRole + 2
    FINDING = Qt.ItemDataRole.UserRole + 3


class DatasetModel(QAbstractListModel):
    """Usable pictures in the order of their names. Copying, scanning and decoding are threads'."""

    refreshed = Signal()  # pictures or findings are new
    busy_changed = Signal()  # see `busy`
    imported = Signal(object)  # an Imported
    noted = Signal(str)  # something worth knowing, in words
    failed = Signal(str)  # something could not be written; in words

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self.undo_stack = QUndoStack(self)
        self.thumbnails = Thumbnails(self)
        self.large = Thumbnails(self, edge_px=1024, kept_bytes=64 * 2**20)
        self.busy = ""  # what goes on in the background, in words
        self._pictures: list[Picture] = []
        self._rows: dict[str, int] = {}
        self._findings: tuple[Finding, ...] = ()
        self._written: dict[Path, str] = {}  # captions since the scan began, which it may not know
        self._removed: set[Path] = set()  # pictures, likewise
        self.edited: Path | None = None  # whose caption was last written, also by an undo
        self._imports = 0  # that have not ended
        self._scanner = Scanner(self)
        self._importer = Importer(self)
        self._scanner.started.connect(self._on_scan_started)
        self._scanner.progressed.connect(self._on_scan_progressed)
        self._scanner.found.connect(self._on_found)
        self._scanner.scanned.connect(self._on_scanned)
        self._scanner.rested.connect(self._on_scan_rested)
        self._importer.progressed.connect(self._on_import_progressed)
        self._importer.imported.connect(self._on_imported)
        self.thumbnails.ready.connect(self._on_thumbnail_ready)

    @property
    def importing(self) -> bool:
        """Whether pictures are being copied."""
        return self._imports > 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self._findings

    @property
    def pictures(self) -> Sequence[Picture]:
        return self._pictures

    def open(self, project: Project | None) -> None:
        """Show another project."""
        self._scanner.stop()
        self.project = project
        self.undo_stack.clear()
        self.thumbnails.forget_wishes()
        self._show(Dataset((), ()))
        self.rescan()

    def rescan(self) -> None:
        """Look at the folders again, in the background."""
        if self.project is None:
            return
        try:
            folders = self.project.folders(self.project.config())
        except UserError as error:
            self.failed.emit(str(error))
            return
        self._scanner.start(folders)

    def finish(self) -> None:
        """Wait for the threads; before the program ends."""
        self._importer.finish()
        self._scanner.finish()
        self.thumbnails.finish()
        self.large.finish()

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Copy dropped pictures, and folders of them, with their captions into the project.

        Nothing is overwritten: a taken name gets a number. `imported` tells how it went.
        """
        if self.project is not None:
            self._imports += 1
            self._importer.start(paths, self.project.images)

    @Slot()
    def stop_importing(self) -> None:
        """End after the picture in hand."""
        self._importer.stop()

    def set_caption(self, path: Path, text: str, based_on: str) -> bool:
        """Write a caption; can be undone. False if it could not be written.

        Where another program has changed it from `based_on` meanwhile, a copy of that goes to the
        project's bin.
        """
        self._written.pop(path, None)
        self.undo_stack.push(SetCaption(self._write_caption, path, based_on, text))
        return self._written.get(path) == text

    def remove(self, paths: Sequence[Path]) -> None:
        """Move pictures and their captions to the project's bin; can be undone."""
        if self.project is not None and paths:
            self.undo_stack.push(Remove(paths, self.project.bin, self._on_moved))

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

    def _write_caption(self, path: Path, text: str, expected: str) -> bool:
        """What set_caption, its undo and its redo do."""
        self.edited = path
        try:
            if not path.exists():
                return False  # removed: its caption lies in the bin
            bin_folder = None if self.project is None else self.project.bin
            kept = captions.write(path, text, based_on=expected, bin_folder=bin_folder)
        except StorageError as error:
            self.failed.emit(str(error))
            return False
        except OSError as error:
            self.failed.emit(str(StorageError.writing(captions.caption_file(path), error)))
            return False
        if kept is not None:
            self.noted.emit(
                f"Another program changed the caption of {path.name} while you wrote. Yours is "
                f"saved; the other is in {kept}."
            )
        self._written[path] = text
        row = self._rows.get(str(path))
        if row is not None:
            self._pictures[row] = replace(self._pictures[row], caption=text, guessed=False)
            others = [f for f in self._findings if f.path != path or not f.usable]
            own = scan.findings_of(self._pictures[row])
            self._findings = scan.in_order([*others, *own])
            self.dataChanged.emit(self.index(row), self.index(row))
            self.refreshed.emit()
        return True

    def _on_moved(self, gone: Sequence[Path], problem: str) -> None:
        """Pictures went to the bin, or (with none gone) came back from it."""
        if problem:
            self.failed.emit(problem)
        self._removed = self._removed | set(gone) if gone else set()
        pictures = [p for p in self._pictures if p.path not in self._removed]
        findings = [f for f in self._findings if f.path not in self._removed]
        self._show(Dataset(tuple(pictures), tuple(findings)))
        self.rescan()

    def _show(self, dataset: Dataset) -> None:
        """Take over what is there now, so that selection and scrolling stay where they can."""
        old, new = [p.path for p in self._pictures], [p.path for p in dataset.pictures]
        before, staying = set(old), set(new)
        self._findings = dataset.findings
        same_order = [p for p in old if p in staying] == [p for p in new if p in before]
        changes = len(before - staying) + len(staying - before)
        if old and same_order and (changes <= SINGLE_CHANGES or new[: len(old)] == old):
            self._drop_rows(staying)
            self._add_rows(dataset.pictures)
        else:
            self.beginResetModel()
            self._pictures = list(dataset.pictures)
            self._index_rows()
            self.endResetModel()
        self.refreshed.emit()

    def _drop_rows(self, staying: set[Path]) -> None:
        for row in reversed(range(len(self._pictures))):
            if self._pictures[row].path not in staying:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._pictures[row]
                self._index_rows()
                self.endRemoveRows()

    def _add_rows(self, pictures: Sequence[Picture]) -> None:
        """Insert what is new, in runs, and update the rest."""
        row = 0
        while row < len(pictures):
            here = self._pictures[row].path if row < len(self._pictures) else None
            last = row
            while last < len(pictures) and pictures[last].path != here:
                last += 1
            if last > row:
                self.beginInsertRows(QModelIndex(), row, last - 1)
                self._pictures[row:row] = pictures[row:last]
                self._index_rows()
                self.endInsertRows()
            elif self._pictures[row] != pictures[row]:
                self._pictures[row] = pictures[row]
                self.dataChanged.emit(self.index(row), self.index(row))
            row = max(last, row + 1)

    def _index_rows(self) -> None:
        self._rows = {str(p.path): row for row, p in enumerate(self._pictures)}

    def _become(self, busy: str) -> None:
        self.busy = busy
        self.busy_changed.emit()

    @Slot()
    def _on_scan_started(self) -> None:
        self._written.clear()
        self._removed.clear()
        self._become(self.tr("Looking at your pictures"))

    @Slot(int, int)
    def _on_scan_progressed(self, done: int, total: int) -> None:
        self._become(f"Looking at your pictures, {done:,} of {total:,}")

    @Slot(object)
    def _on_found(self, dataset: Dataset) -> None:
        """A first look. What it finds amiss is told once it is sure."""
        self._show(self._with_edits(replace(dataset, findings=self._findings)))

    @Slot(object)
    def _on_scanned(self, dataset: Dataset) -> None:
        self._show(self._with_edits(dataset))

    @Slot()
    def _on_scan_rested(self) -> None:
        self._become("")

    def _with_edits(self, dataset: Dataset) -> Dataset:
        """A scan's result, with what the person has done since it began."""
        if not self._written and not self._removed:
            return dataset
        found = [
            replace(p, caption=self._written[p.path], guessed=False)
            if p.path in self._written
            else p
            for p in dataset.pictures
            if p.path not in self._removed
        ]
        shown = {p.path for p in dataset.pictures} | self._removed
        others = [f for f in dataset.findings if f.path not in shown]
        return scan.dataset_of(found, others)

    @Slot(int, int)
    def _on_import_progressed(self, done: int, total: int) -> None:
        self._become(f"Copying your pictures, {done:,} of {total:,}")

    @Slot(object)
    def _on_imported(self, imported: Imported) -> None:
        self._imports -= 1
        self._become("")
        self.imported.emit(imported)
        self.rescan()

    @Slot(str)
    def _on_thumbnail_ready(self, name: str) -> None:
        row = self._rows.get(name)
        if row is not None:
            index = self.index(row)
            self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])
