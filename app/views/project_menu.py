"""The project's name at the top, and the menu behind it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from app import settings
from app.models.workspace import Workspace
from app.process.session import Session


class ProjectMenu(QToolButton):
    """Opens and makes projects; not while a run goes on, which belongs to the open one."""

    def __init__(
        self, workspace: Workspace, session: Session, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace, self._session = workspace, session
        self.setObjectName("project")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setAccessibleName("Project")
        menu = QMenu(self)
        menu.aboutToShow.connect(self.filled)
        self.setMenu(menu)
        workspace.opened.connect(self._show_name)
        session.changed.connect(self._on_session_changed)
        self._show_name()

    @Slot()
    def _show_name(self) -> None:
        config = self._workspace.config
        name = config.name if config else self.tr("No project")
        self.setText(f"{name}  \u25be")  # the menu's mark, where Qt's own sits too low

    @Slot()
    def _on_session_changed(self) -> None:
        busy = self._session.busy
        self.setEnabled(not busy)
        self.setToolTip(self.tr("Another can be opened once the run has ended.") if busy else "")

    @Slot()
    def filled(self) -> QMenu:
        """The menu, with what can be opened now; empty while a run goes on."""
        menu, workspace = self.menu(), self._workspace
        menu.clear()
        if not self.isEnabled():
            return menu
        menu.addAction(self.tr("New project"), workspace.open_new)
        menu.addAction(self.tr("Open a project folder..."), self._on_open_wished)
        menu.addAction(self.tr("Try the demo style"), workspace.open_demo)
        if workspace.project:
            root = workspace.project.root
            menu.addAction(
                self.tr("Show the project's folder"),
                lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(root))),
            )
        if recent := workspace.recent():
            menu.addSection(self.tr("Recent"))
            for path in recent:
                menu.addAction(path.name, lambda path=path: workspace.open(path))
        return menu

    @Slot()
    def _on_open_wished(self) -> None:
        words = self.tr("Choose a project's folder")
        folder = QFileDialog.getExistingDirectory(self, words, str(settings.projects_folder()))
        if folder:
            self._workspace.open(Path(folder))
