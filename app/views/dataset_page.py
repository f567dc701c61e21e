"""The Dataset page: thumbnails, and the caption of the chosen picture beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSlider,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.dataset import DatasetModel, Role
from app.views.places import ZOOM
from app.widgets import labels
from app.widgets.drop import DropFrame, DropPage
from app.widgets.grid import TILE_PX, Grid
from app.widgets.picture import PictureView
from core.data.scan import Finding

SAVE_AFTER_MS = 400  # of no typing
LARGE_AFTER_MS = 80  # of no further choice
FINDINGS_HEIGHT_PX = 140
NAMED = 4  # files in one line of findings


class CaptionEditor(QFrame):
    """A large picture and its caption, saved shortly after the last key.

    Only what was typed here is ever written.
    """

    def __init__(self, model: DatasetModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._model = model
        self._path: Path | None = None
        self._based_on = ""  # the caption that the person began to change
        self._unsaved: dict[Path, tuple[str, str]] = {}  # what could not be written, its base
        self._picture = PictureView(self.tr("Choose a picture to see and caption it."))
        self._name = labels.small()
        heading = QLabel(self.tr("Caption"))
        self._text = QPlainTextEdit()
        self._text.setAccessibleName("Caption")
        self._text.setPlaceholderText(self.tr("What the picture shows, without its style"))
        self._text.setTabChangesFocus(True)
        self._text.setAcceptDrops(False)  # a dropped file would become its address
        self._text.setFixedHeight(112)
        heading.setBuddy(self._text)
        self._count = labels.small()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self._picture, stretch=1)
        for widget in (self._name, heading, self._text, self._count):
            layout.addWidget(widget)
        self._timer = QTimer(self, interval=SAVE_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self.save)
        self._settled = QTimer(self, interval=LARGE_AFTER_MS, singleShot=True)
        self._settled.timeout.connect(self._show_large)
        self._text.textChanged.connect(self._on_text_changed)
        model.large.ready.connect(self._on_large_ready)
        self.show_picture(None)

    def show_picture(self, path: Path | None) -> None:
        """Save what was written, then show another picture."""
        self.save()
        self._path = path
        self._text.setEnabled(path is not None)
        small = self._model.thumbnails.get(path) if path else None
        self._picture.show_image(small or QImage())
        self._settled.start()
        self._based_on = ""
        self._set_text("")
        if path in self._unsaved:
            text, self._based_on = self._unsaved[path]
            self._set_text(text)
            self._modified = True
        self.refresh()

    def refresh(self) -> None:
        """Show the caption as the model has it, unless the person is writing it."""
        row = self._model.row_of(self._path) if self._path else -1
        if row < 0:
            self._name.setText("")
            self._set_text("")
            return
        picture = self._model.pictures[row]
        size = f"{picture.width_px} x {picture.height_px} px"
        self._name.setText(f"{picture.path.name}   {size}")
        if not self._modified and self._based_on != picture.caption:
            self._based_on = picture.caption
            self._set_text(picture.caption)
        self._show_count()

    @property
    def unsaved(self) -> int:
        """How many captions could not be written."""
        return len(self._unsaved)

    def save_all(self) -> None:
        """Write this caption, and try those again that could not be written."""
        self.save()
        for path, (text, based_on) in list(self._unsaved.items()):
            shown = path == self._path and self._model.row_of(path) >= 0  # was tried just now
            gone = self._model.row_of(path) < 0 and _is_gone(path)
            if gone or (not shown and self._model.set_caption(path, text, based_on)):
                del self._unsaved[path]

    @Slot()
    def save(self) -> None:
        """Write the caption now, if it was changed here."""
        self._timer.stop()
        if self._path is None or not self._modified or self._model.row_of(self._path) < 0:
            return
        # A file's last line end is its own affair; the model and the disk know no other here.
        text, path = self._text.toPlainText().rstrip("\n"), self._path
        if self._model.set_caption(path, text, self._based_on):
            self._based_on = text
            self._modified = False
            self._unsaved.pop(path, None)
        else:
            self._unsaved[path] = (text, self._based_on)
        self._show_count()

    @property
    def _modified(self) -> bool:
        return self._text.document().isModified()

    @_modified.setter
    def _modified(self, modified: bool) -> None:
        self._text.document().setModified(modified)

    def _set_text(self, text: str) -> None:
        self._text.blockSignals(True)
        self._text.setPlainText(text)
        self._text.blockSignals(False)
        self._show_count()

    def _show_count(self) -> None:
        words = len(self._text.toPlainText().split())
        state = "not saved" if self._path in self._unsaved else "saved as you write"
        self._count.setText(f"{words} word{'s' if words != 1 else ''}, {state}" if words else "")

    @Slot()
    def _show_large(self) -> None:
        """Once the selection rests: decoding takes a while."""
        image = self._model.large.get(self._path) if self._path else None
        if image is not None:
            self._picture.show_image(image)

    @Slot(str)
    def _on_large_ready(self, name: str) -> None:
        if self._path is not None and name == str(self._path):
            self._show_large()

    @Slot()
    def _on_text_changed(self) -> None:
        self._show_count()
        if self._path is not None:
            self._timer.start()


class DatasetPage(DropPage):
    """Drop pictures anywhere on it."""

    folder_wished = Signal()
    demo_wished = Signal()
    removed = Signal(int)  # how many pictures

    def __init__(self, model: DatasetModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._grid = Grid(Role.CAPTION, Role.FINDING)
        self._grid.setModel(model)
        self._grid.setAccessibleName("Pictures")
        self._editor = CaptionEditor(model)
        splitter = QSplitter()
        splitter.setObjectName("dataset_splitter")
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._grid)
        splitter.addWidget(self._editor)
        splitter.setSizes([720, 400])
        splitter.setStretchFactor(0, 1)
        full = QWidget()
        inside = QVBoxLayout(full)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addLayout(self._make_bar())
        inside.addWidget(self._make_findings())
        inside.addWidget(splitter, stretch=1)
        self._drop = DropFrame()
        self._drop.folder_wished.connect(self.folder_wished)
        self._drop.demo_wished.connect(self.demo_wished)
        self.hovered.connect(lambda over: self._drop.set_over(over=over))
        self._stack = QStackedWidget()
        self._stack.addWidget(self._drop)
        self._stack.addWidget(full)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.addWidget(self._stack)
        model.refreshed.connect(self._on_refreshed)
        model.modelReset.connect(self._on_refreshed)
        model.busy_changed.connect(self._on_busy_changed)
        self._grid.selectionModel().currentChanged.connect(self._on_current_changed)
        self._grid.removal_wished.connect(self._on_removal_wished)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Undo), self, self.undo)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Redo), self, self._on_redo)
        self._on_refreshed()

    def _make_bar(self) -> QHBoxLayout:
        self._count = labels.title("")
        self._findings = QPushButton()
        self._findings.setCheckable(True)
        self._findings.setAccessibleName("Show findings")
        self._findings.toggled.connect(self._on_findings_toggled)
        zoom = QSlider(Qt.Orientation.Horizontal)
        zoom.setRange(96, 288)
        zoom.setValue(TILE_PX)
        zoom.setFixedWidth(144)
        zoom.setObjectName(ZOOM)
        zoom.setAccessibleName("Zoom")
        self._add = QPushButton(self.tr("Add pictures"))
        self._add.clicked.connect(self.folder_wished)
        zoom.valueChanged.connect(self._grid.set_edge)
        self._busy = labels.secondary()
        self._busy.setWordWrap(False)
        self._stop = QPushButton(self.tr("Stop copying"))
        self._stop.clicked.connect(self._model.stop_importing)
        self._stop.hide()
        bar = QHBoxLayout()
        bar.setSpacing(16)
        bar.addWidget(self._count)
        bar.addWidget(self._findings)
        bar.addWidget(self._busy)
        bar.addWidget(self._stop)
        bar.addStretch()
        bar.addWidget(labels.small(self.tr("Zoom")))
        bar.addWidget(zoom)
        bar.addWidget(self._add)
        return bar

    def _make_findings(self) -> QScrollArea:
        self._findings_text = labels.secondary()
        self._findings_text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._findings_text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._list = QScrollArea()
        self._list.setWidgetResizable(True)
        self._list.setWidget(self._findings_text)
        self._list.setMaximumHeight(FINDINGS_HEIGHT_PX)
        self._list.hide()
        return self._list

    def save(self) -> int:
        """Write what was typed; returns how many captions could not be written."""
        self._editor.save_all()
        return self._editor.unsaved

    def show_findings(self) -> None:
        """Open the list of findings."""
        self._findings.setChecked(True)

    @Slot()
    def _on_refreshed(self) -> None:
        count = self._model.rowCount()
        opened = self._model.project is not None
        self._drop.offer_demo(offered=not opened)
        nothing = count == 0 and not self._model.findings
        self._stack.setCurrentIndex(0 if nothing else 1)
        self._count.setText(f"{count:,} picture{'s' if count != 1 else ''}")
        found = self._model.findings
        self._findings.setVisible(bool(found))
        self._findings.setText(f"{len(found):,} finding{'s' if len(found) != 1 else ''}")
        self._findings_text.setText(findings_words(found))
        if not found:
            self._findings.setChecked(False)
        if count and not self._grid.currentIndex().isValid():
            self._grid.setCurrentIndex(self._model.index(0))
        current, selection = self._grid.currentIndex(), self._grid.selectionModel()
        if current.isValid() and not selection.hasSelection():  # after a removal Qt leaves none
            selection.select(current, QItemSelectionModel.SelectionFlag.Select)
        self._editor.refresh()

    @Slot()
    def _on_busy_changed(self) -> None:
        self._busy.setText(self._model.busy)
        self._stop.setVisible(self._model.importing)
        self._drop.show_busy(self._model.busy)

    @Slot(bool)
    def _on_findings_toggled(self, shown: bool) -> None:  # noqa: FBT001 - Qt's signature
        self._list.setVisible(shown)

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self._editor.show_picture(current.data(Role.PATH) if current.isValid() else None)

    @Slot()
    def undo(self) -> None:
        """Take back what was last done to the pictures, and show it."""
        self.save()
        self._travel(self._model.undo_stack.undo)

    @Slot()
    def _on_redo(self) -> None:
        self._travel(self._model.undo_stack.redo)

    def _travel(self, step: Callable[[], None]) -> None:
        self._model.edited = None
        step()
        row = self._model.row_of(self._model.edited) if self._model.edited else -1
        if row >= 0:
            self._grid.setCurrentIndex(self._model.index(row))

    @Slot()
    def _on_removal_wished(self) -> None:
        self.save()
        chosen = self._grid.selectedIndexes()
        if not chosen:
            return
        first = min(index.row() for index in chosen)
        before = self._model.rowCount()
        self._model.remove([index.data(Role.PATH) for index in chosen])
        if count := self._model.rowCount():
            self._grid.setCurrentIndex(self._model.index(min(first, count - 1)))
        if gone := before - count:
            self.removed.emit(gone)


def _is_gone(picture: Path) -> bool:
    try:
        return not picture.exists()
    except OSError:
        return False  # it cannot be reached, which may pass


def findings_words(findings: Sequence[Finding]) -> str:
    """What cannot be used first, then what is the same for many in one line."""
    lines = [str(f) for f in findings if not f.usable]
    same: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        if finding.usable:
            same.setdefault((finding.message, finding.hint), []).append(finding.path.name)
    for (message, hint), names in same.items():
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        lines.append(f"{', '.join(names[:NAMED])}{more}: {message} {hint}")
    return "\n".join(lines)
