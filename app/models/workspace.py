"""The open project, and how another one is opened or made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal, Slot

from app import settings
from app.models.run_settings import Settings
from core.config import presets
from core.config.facts import DEMO, SD1
from core.config.options import DEMO_BASE, RunConfig
from core.errors import RunError, StorageError, UserError
from core.project import demo, layout, lock
from core.project.layout import Project

NEW_NAME = "My style"
DEMO_PROMPTS = 4  # all stand beside each other while it trains


class Workspace(QObject):
    """At most one project is open; it is remembered for the next start."""

    closing = Signal()  # another project may take this one's place: save what is being written
    opened = Signal()  # another project
    failed = Signal(str)  # in words
    shared = Signal(str)  # another window has it, too

    def __init__(self, store: QSettings, run: Settings, parent: QObject | None = None) -> None:
        """`run` are the open project's settings."""
        super().__init__(parent)
        self._store, self._run = store, run
        self.project: Project | None = None
        self._held = ExitStack()  # the open project, for other windows to see

    @property
    def name(self) -> str:
        return self._run.config.name if self._run.config else ""

    def recent(self) -> list[Path]:
        """Projects opened lately that still exist, newest first."""
        return settings.recent(self._store)

    def open(self, root: Path) -> None:
        """Open a project; the one before stays open where this one cannot be read."""
        self.closing.emit()  # first: what is saved by that may be this very project's
        project = Project(root)
        try:
            self._run.open(project)
        except UserError as error:
            self.failed.emit(str(error))
            return
        self.project = project
        settings.remember(self._store, root)
        self.opened.emit()
        self._hold(project)

    def _hold(self, project: Project) -> None:
        """Let other windows know; a second one is no harm, but should be known of."""
        self._held.close()
        try:
            self._held.enter_context(lock.working_on(project))
        except RunError as error:
            self.shared.emit(str(error))
        except StorageError:  # a folder that may only be read
            pass

    def release(self) -> None:
        """The window closes."""
        self._held.close()

    def open_last(self) -> None:
        """Open the newest project that still exists, if any."""
        if recent := self.recent():
            self.open(recent[0])

    @Slot()
    def open_demo(self) -> None:
        """Make the sample project and open it, ready to train."""
        root = settings.unused_folder("Demo style")
        self._make(root, lambda: demo.create_demo(root, demo.demo_config(prompts=DEMO_PROMPTS)))

    def open_new(self, name: str = NEW_NAME) -> None:
        """Make a project without pictures, on the demo base, and open it."""
        root = settings.unused_folder(name)
        config = presets.on_base(RunConfig(name=root.name, base=""), DEMO_BASE, SD1, DEMO)
        self._make(root, lambda: layout.create(root, config))

    def _make(self, root: Path, make: Callable[[], Project]) -> None:
        try:
            make()
        except UserError as error:
            self.failed.emit(str(error))
            return
        self.open(root)
