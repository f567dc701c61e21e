"""The Dataset page: thumbnails, and the caption of the chosen picture beside them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models import pictures
from app.models.dataset import DatasetModel, Role
from app.widgets import labels
from app.widgets.drop import DropFrame, DropPage
from app.widgets.grid import Grid
from app.widgets.picture import PictureView

SAVE_AFTER_MS = 400  # of no typing
LARGE_PX = 1024


class CaptionEditor(QFrame):
    """A large picture and its caption, saved shortly after the last key."""

    def __init__(self, model: DatasetModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._model = model
        self._path: Path | None = None
        self._picture = PictureView(self.tr("Choose a picture to see and caption it."))
        self._name = labels.small()
        heading = QLabel(self.tr("Caption"))
        self._text = QPlainTextEdit()
        self._text.setAccessibleName("Caption")
        self._text.setPlaceholderText(self.tr("What the picture shows, without its style"))
        self._text.setTabChangesFocus(True)
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
        self._text.textChanged.connect(self._on_text_changed)
        self.show_picture(None)

    def show_picture(self, path: Path | None) -> None:
        """Save what was written, then show another picture."""
        self.save()
        self._path = path
        self._text.setEnabled(path is not None)
        self._picture.show_image(pictures.load(path, LARGE_PX) if path else QImage())
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
        if not self._timer.isActive() and self._text.toPlainText() != picture.caption:
            self._set_text(picture.caption)
        self._show_count()

    @Slot()
    def save(self) -> None:
        """Write the caption now."""
        self._timer.stop()
        if self._path is not None and self._model.row_of(self._path) >= 0:
            self._model.set_caption(self._path, self._text.toPlainText())

    def _set_text(self, text: str) -> None:
        self._text.blockSignals(True)
        self._text.setPlainText(text)
        self._text.blockSignals(False)
        self._show_count()

    def _show_count(self) -> None:
        words = len(self._text.toPlainText().split())
        plural = "s" if words != 1 else ""
        self._count.setText(f"{words} word{plural}, saved as you write" if words else "")

    @Slot()
    def _on_text_changed(self) -> None:
        self._show_count()
        if self._path is not None:
            self._timer.start()


class DatasetPage(DropPage):
    """Drop pictures anywhere on it."""

    folder_wished = Signal()
    demo_wished = Signal()

    def __init__(self, model: DatasetModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._count = labels.title("")
        self._findings = QPushButton()
        self._findings.setCheckable(True)
        self._findings.setAccessibleName("Show findings")
        self._findings.toggled.connect(self._on_findings_toggled)
        zoom = QSlider(Qt.Orientation.Horizontal)
        zoom.setRange(96, 288)
        zoom.setValue(144)
        zoom.setFixedWidth(144)
        zoom.setAccessibleName("Zoom")
        self._add = QPushButton(self.tr("Add pictures"))
        self._add.clicked.connect(self.folder_wished)
        self._grid = Grid(Role.CAPTION, Role.FINDING)
        self._grid.setModel(model)
        self._grid.setAccessibleName("Pictures")
        zoom.valueChanged.connect(self._grid.set_edge)
        self._editor = CaptionEditor(model)
        self._list = labels.secondary()
        self._list.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._list.hide()
        bar = QHBoxLayout()
        bar.setSpacing(16)
        bar.addWidget(self._count)
        bar.addWidget(self._findings)
        bar.addStretch()
        bar.addWidget(labels.small(self.tr("Zoom")))
        bar.addWidget(zoom)
        bar.addWidget(self._add)
        self.splitter = QSplitter()
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self._grid)
        self.splitter.addWidget(self._editor)
        self.splitter.setSizes([720, 400])
        self.splitter.setStretchFactor(0, 1)
        full = QWidget()
        inside = QVBoxLayout(full)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addLayout(bar)
        inside.addWidget(self._list)
        inside.addWidget(self.splitter, stretch=1)
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
        self._grid.selectionModel().currentChanged.connect(self._on_current_changed)
        self._grid.removal_wished.connect(self._on_removal_wished)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Undo), self, model.undo_stack.undo)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Redo), self, model.undo_stack.redo)
        self._on_refreshed()

    def save(self) -> None:
        """Write the caption that is being typed."""
        self._editor.save()

    @Slot()
    def _on_refreshed(self) -> None:
        count = self._model.rowCount()
        opened = self._model.project is not None
        self._drop.offer_demo(offered=not opened)
        nothing = count == 0 and not self._model.findings
        self._stack.setCurrentIndex(0 if nothing else 1)
        self._count.setText(f"{count} picture{'s' if count != 1 else ''}")
        found = self._model.findings
        self._findings.setVisible(bool(found))
        self._findings.setText(f"{len(found)} finding{'s' if len(found) != 1 else ''}")
        self._list.setText("\n".join(str(f) for f in found[:12]))
        if not found:
            self._findings.setChecked(False)
        if count and not self._grid.currentIndex().isValid():
            self._grid.setCurrentIndex(self._model.index(0))
        self._editor.refresh()

    @Slot(bool)
    def _on_findings_toggled(self, shown: bool) -> None:  # noqa: FBT001 - Qt's signature
        self._list.setVisible(shown)

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self._editor.show_picture(current.data(Role.PATH) if current.isValid() else None)

    @Slot()
    def _on_removal_wished(self) -> None:
        paths = [index.data(Role.PATH) for index in self._grid.selectedIndexes()]
        self._model.remove(paths)
