"""Where a model comes from for who has none: some that many use, or any by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from app.process.fetcher import Fetcher
from app.widgets import labels
from core.base import captioners, hub
from core.protocol.events import Fetched

WIDTH_PX = 640
PERMILLE = 1000


class FetchDialog(QDialog):
    """Chooses, shows how far it is; closed, the fetching goes on."""

    def __init__(
        self,
        fetcher: Fetcher,
        folder: Path,
        parent: QWidget | None = None,
        known: Sequence[hub.Known | captioners.Known] = hub.WELL_KNOWN,
        title: str = "Get a base model",
    ) -> None:
        """`folder` is where models go, each in one of its own; `known` are those that are shown."""
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(WIDTH_PX)
        self._fetcher, self._folder, self._offered = fetcher, folder, known
        self.known = [QRadioButton(one.title) for one in known]
        self.other = QRadioButton("Another one")
        self.name = QLineEdit()
        self.name.setPlaceholderText("owner/name, as its page on the hub has them")
        self.name.setAccessibleName("Owner and name of the model")
        self.name.textEdited.connect(lambda: self.other.setChecked(True))
        self._where = labels.secondary()
        place = QPushButton("Change folder")
        place.clicked.connect(self._on_place_wished)
        self.bar = QProgressBar()
        self.bar.setRange(0, PERMILLE)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("How much is fetched")
        self.said = labels.secondary()
        self.go = QPushButton("Get it")
        self.go.setObjectName("primary")
        self.go.setDefault(True)
        self.go.clicked.connect(self._on_go)
        self.halt = QPushButton("Stop")
        self.halt.clicked.connect(fetcher.stop)
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self._choices())
        row = QHBoxLayout()
        row.addWidget(self._where, stretch=1)
        row.addWidget(place)
        layout.addLayout(row)
        layout.addWidget(self.bar)
        layout.addWidget(self.said)
        buttons = QHBoxLayout()
        buttons.addStretch()
        for button in (close, self.halt, self.go):
            buttons.addWidget(button)
        layout.addLayout(buttons)
        self._locked = [*self.known, self.other, self.name, place]
        for choice in (*self.known, self.other):
            choice.toggled.connect(self._on_changed)
        self.name.textChanged.connect(self._on_changed)
        fetcher.changed.connect(self._on_changed)
        fetcher.fetched.connect(self._on_fetched)
        self.known[0].setChecked(True)
        self._on_changed()

    def _choices(self) -> QFrame:
        panel = QFrame()
        panel.setObjectName("panel")
        column = QVBoxLayout(panel)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(4)
        for choice, one in zip(self.known, self._offered, strict=True):
            sentence = labels.secondary(one.sentence)
            sentence.setContentsMargins(24, 0, 0, 8)
            choice.setToolTip(one.repo)
            column.addWidget(choice)
            column.addWidget(sentence)
        row = QHBoxLayout()
        row.addWidget(self.other)
        row.addWidget(self.name, stretch=1)
        column.addLayout(row)
        return panel

    @property
    def repo(self) -> str:
        """The one that is chosen."""
        for choice, one in zip(self.known, self._offered, strict=True):
            if choice.isChecked():
                return one.repo
        return self.name.text().strip()

    @property
    def target(self) -> Path:
        """The folder that it goes to."""
        return self._folder / (self.repo.rpartition("/")[2] or "model")

    @Slot()
    def _on_place_wished(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Where models go", str(self._folder)):
            self._folder = Path(folder)
            self._on_changed()

    @Slot()
    def _on_go(self) -> None:
        self._fetcher.fetch(self.repo, self.target)

    @Slot()
    def _on_changed(self) -> None:
        fetcher = self._fetcher
        busy, about = fetcher.busy, fetcher.about
        for widget in self._locked:
            widget.setEnabled(not busy)
        self.go.setVisible(not busy)
        self.go.setEnabled("/" in self.repo.strip("/"))
        self.halt.setVisible(busy)
        self.bar.setVisible(busy)
        self._where.setText(f"To {self.target}")
        if not busy:
            self.said.setText("Read the licence on its page first. What is fetched is checked.")
            return
        if about is None or not about.total_bytes:
            self.bar.setRange(0, 0)
            self.said.setText(f"Asking the hub for {fetcher.repo}")
            return
        self.bar.setRange(0, PERMILLE)
        self.bar.setValue(PERMILLE * fetcher.done_bytes // about.total_bytes)
        licence = f" Licence: {about.licence}." if about.licence else ""
        done, total = fetcher.done_bytes / 1e9, about.total_bytes / 1e9
        self.said.setText(f"{fetcher.repo}: {done:.2f} of {total:.2f} GB.{licence}")

    @Slot(object)
    def _on_fetched(self, _fetched: Fetched) -> None:
        self.accept()
