"""The open project and its settings, and how another one is opened or made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal, Slot

from app import settings
from core.config import files, presets
from core.config.facts import DEMO, SD1
from core.config.options import DEMO_BASE, RunConfig
from core.errors import UserError
from core.project import demo, layout
from core.project.layout import Project

NEW_NAME = "My style"


class Workspace(QObject):
    """At most one project is open; it is remembered for the next start."""

    closing = Signal()  # another project may take this one's place: save what is being written
    opened = Signal()  # another project
    changed = Signal()  # another program has changed the project's settings
    failed = Signal(str)  # in words

    def __init__(self, store: QSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self.project: Project | None = None
        self.config: RunConfig | None = None
        self._in_file: RunConfig | None = None  # as last read or written

    @property
    def saved(self) -> bool:
        """Whether the file holds the settings that the window shows."""
        return self.config == self._in_file

    def recent(self) -> list[Path]:
        """Projects opened lately that still exist, newest first."""
        return settings.recent(self._store)

    def open(self, root: Path) -> None:
        """Open a project; the one before stays open where this one cannot be read."""
        self.closing.emit()  # first: what is saved by that may be this very project's
        project = Project(root)
        try:
            config = project.config()
        except UserError as error:
            self.failed.emit(str(error))
            return
        self.project, self.config, self._in_file = project, config, config
        settings.remember(self._store, root)
        self.opened.emit()

    def open_last(self) -> None:
        """Open the newest project that still exists, if any."""
        if recent := self.recent():
            self.open(recent[0])

    @Slot()
    def open_demo(self) -> None:
        """Make the sample project and open it, ready to train."""
        root = settings.unused_folder("Demo style")
        self._make(root, lambda: demo.create_demo(root))

    def open_new(self, name: str = NEW_NAME) -> None:
        """Make a project without pictures, on the demo base, and open it."""
        root = settings.unused_folder(name)
        config = presets.on_base(RunConfig(name=root.name, base=""), DEMO_BASE, SD1, DEMO)
        self._make(root, lambda: layout.create(root, config))

    @Slot(object)
    def save(self, config: RunConfig) -> None:
        """Take over and write the project's settings; what others changed in the file stays."""
        self.config = config
        if self.project is None or self._in_file is None:
            return
        try:
            there = self.project.config()
            whole = files.merged(self._in_file, config, there)
            self.project.save(whole)
        except UserError as error:
            self.failed.emit(str(error))
            return
        self.config = self._in_file = whole
        if whole != config:
            self.changed.emit()

    def refresh(self) -> None:
        """Take over what another program has changed in the file."""
        if self.project is None or not self.saved:
            return
        try:
            there = self.project.config()
        except UserError:  # half written, perhaps; the scan of the pictures tells
            return
        if there != self._in_file:
            self.config = self._in_file = there
            self.changed.emit()

    def _make(self, root: Path, make: Callable[[], Project]) -> None:
        try:
            make()
        except UserError as error:
            self.failed.emit(str(error))
            return
        self.open(root)
