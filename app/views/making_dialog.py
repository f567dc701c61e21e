"""A file made from others: what it will be, where it goes, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.models.adapters import proof_words
from app.models.studio import Studio
from app.widgets import labels
from core.protocol.commands import FileJob
from core.protocol.events import Failed, FileMade

WIDTH_PX = 640
FRAME_PX = 40  # that a window has above it
PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a form asks for now."""

    lack: str  # what is missing or does not go together, in words; "" is nothing
    makes: str  # what it will be, and how large
    name: str  # what it may be called
    ending: str  # of its name; "" where it is a folder
    folder: Path  # where it goes
    job: Callable[[Path], FileJob]  # that writes it there


class Form(QWidget):
    """What is asked for one kind of file; each kind is a form of its own."""

    changed = Signal()  # what it asks for
    title: str  # of the dialog
    go: str  # its button's word
    sentence: str  # what it is for

    def wish(self) -> Wish:
        """What is asked for now."""
        raise NotImplementedError


class MakingDialog(QDialog):
    """Closed, the work goes on; what is there is never written over."""

    def __init__(self, studio: Studio, form: Form, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(form.title)
        self.setMinimumWidth(WIDTH_PX)
        self._studio, self._maker, self.form = studio, studio.maker, form
        self._folder: Path | None = None  # where one was chosen
        self._job: FileJob | None = None  # ours
        self._result = ""  # in words
        self._wish = form.wish()
        self.name = QLineEdit()
        self.name.setAcceptDrops(False)
        self.name.setAccessibleName("Name of the new file")
        self._ending, self._where = labels.secondary(), labels.secondary()
        self._ending.setWordWrap(False)
        self._change = QPushButton("Change folder")
        self._change.clicked.connect(self._on_folder_wished)
        self.makes = labels.secondary()
        self.lack = labels.warning()
        self.lack.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, PERMILLE)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("How far it is")
        self.said = labels.secondary()
        self.said.setTextInteractionFlags(labels.SELECTABLE)
        self.go = QPushButton(form.go)
        self.go.setObjectName("primary")
        self.go.setDefault(True)
        self.go.clicked.connect(self._on_go)
        self.halt = QPushButton("Stop")
        self.halt.clicked.connect(self._maker.stop)
        self.close_button = QPushButton("Close")
        self.close_button.clicked.connect(self.reject)
        self._arrange()
        form.changed.connect(self._on_form_changed)
        self.name.textEdited.connect(self._on_typed)
        self._maker.changed.connect(self._on_changed)
        self._maker.made.connect(self._on_made)
        self._maker.failed.connect(self._on_failed)
        self._maker.stopped.connect(self._on_stopped)
        self._on_changed()

    def _arrange(self) -> None:
        name = QHBoxLayout()
        name.setSpacing(8)
        name.addWidget(self.name, stretch=1)
        name.addWidget(self._ending)
        place = QHBoxLayout()
        place.setSpacing(8)
        place.addWidget(self._where, stretch=1)
        place.addWidget(self._change)
        target = QFormLayout()
        target.setHorizontalSpacing(12)
        target.setVerticalSpacing(8)
        target.addRow("Name", name)
        target.addRow("In", place)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(labels.secondary(self.form.sentence))
        layout.addWidget(self.form)
        layout.addLayout(target)
        for label in (self.makes, self.lack, self.bar, self.said):
            layout.addWidget(label)
        layout.addStretch()
        buttons = QHBoxLayout()
        buttons.addStretch()
        for button in (self.close_button, self.halt, self.go):
            buttons.addWidget(button)
        layout.addLayout(buttons)

    @property
    def target(self) -> Path:
        """The file or folder that is written."""
        return self.folder / f"{self.name.text().strip()}{self._wish.ending}"

    @property
    def folder(self) -> Path:
        return self._folder or self._wish.folder

    @property
    def ours(self) -> bool:
        """Whether the file in hand is this dialog's."""
        return self._job is not None and self._maker.job is self._job

    def _problem(self) -> str:
        if self._wish.lack:
            return self._wish.lack
        name = self.name.text().strip()
        if not name or Path(name).name != name:
            return "Give it a name without / and \\."
        if self.target.exists():
            return f"{self.target.name} is there already. Choose another name."
        return "Another file is being written. Wait until it is done." if self._maker.busy else ""

    @Slot()
    def _on_changed(self) -> None:
        """A name that was typed stays; the one that is offered follows what is chosen."""
        if self.ours:
            self._show_progress()
            return
        wish = self._wish = self.form.wish()
        if not self.name.isModified():
            self.name.setText(free_name(self.folder, wish.name, wish.ending))
        self._ending.setText(wish.ending)
        self._where.setText(str(self.folder))
        problem = self._problem()
        self.lack.setText(problem)
        self.lack.setVisible(bool(problem) and not self._result)
        self.makes.setText("" if wish.lack else wish.makes)
        self.makes.setVisible(bool(self.makes.text()) and not self._result)
        self.said.setText(self._result)
        self.said.setVisible(bool(self._result))
        self.go.setEnabled(not problem)
        self._show_busy(busy=False)

    def _show_busy(self, *, busy: bool) -> None:
        for part in (self.form, self.name, self._change):
            part.setEnabled(not busy)
        self.bar.setVisible(busy)
        self.halt.setVisible(busy)
        self.go.setVisible(not busy)
        QTimer.singleShot(0, self, self._grow)  # once all is laid out

    @Slot()
    def _grow(self) -> None:
        """No words are cut where the screen has room; the person may have made it larger."""
        room = self.screen().availableGeometry().height() - FRAME_PX
        self.resize(self.width(), min(room, max(self.height(), self.sizeHint().height())))

    def _show_progress(self) -> None:
        share = self._maker.share
        self.bar.setRange(0, 0 if share is None else PERMILLE)
        if share is not None:
            self.bar.setValue(round(PERMILLE * share))
        waits = self._maker.waiting and self._studio.session.busy
        self.said.setText("It begins once the run has ended." if waits else self._maker.phase)
        self.said.show()
        self.makes.hide()
        self.lack.hide()
        self._show_busy(busy=True)

    @Slot()
    def _on_folder_wished(self) -> None:
        if chosen := QFileDialog.getExistingDirectory(self, "Where it goes", str(self.folder)):
            self._folder = Path(chosen)
            self._on_changed()

    @Slot()
    def _on_go(self) -> None:
        self._result = ""
        self._job = self._wish.job(self.target)
        self._maker.make(self._job)

    @Slot(object)
    def _on_made(self, made: FileMade) -> None:
        if self.ours:
            lines = [f"Wrote {made.path}: {made.words}", *self._maker.notes]
            if readers := proof_words(made.readers):
                lines.append(readers)
            self._end("\n".join(lines))
            self.name.setModified(False)

    @Slot(object)
    def _on_failed(self, failure: Failed) -> None:
        if self.ours:
            self._end(f"{failure.message} {failure.hint}".strip())

    @Slot()
    def _on_stopped(self) -> None:
        if self.ours:
            self._end("Stopped. Nothing was written.")

    def _end(self, words: str) -> None:
        """It is said where the person looks, until something else is chosen."""
        self._result, self._job = words, None
        self.close_button.setFocus()

    @Slot(str)
    def _on_typed(self, _text: str) -> None:
        self._on_form_changed()

    @Slot()
    def _on_form_changed(self) -> None:
        self._result = ""
        self._on_changed()


def free_name(folder: Path, name: str, ending: str) -> str:
    """`name`, or `name-2`, where that is there already."""
    number, made = 1, name
    while (folder / f"{made}{ending}").exists():
        number += 1
        made = f"{name}-{number}"
    return made
