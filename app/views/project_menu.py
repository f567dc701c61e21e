"""The project's name at the top, and the menu behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from app import settings
from app.models.studio import Studio
from app.views.look import LookMenu

PLACE = "Project"
DEMO_WORDS = "Try the demo, about 5 min"


class ProjectMenu(QToolButton):
    """Opens and makes projects; a run that goes on goes on."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._workspace = studio, studio.workspace
        self.setObjectName("project")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setAccessibleName("Project")
        add = studio.actions.add
        self._fixed = [
            add("project.new", "New project", self._workspace.open_new, place=PLACE),
            add("project.open", "Open a project folder...", self._on_open_wished, place=PLACE),
            add("project.demo", DEMO_WORDS, self._workspace.open_demo, place=PLACE),
            add("project.close", "Start page", self._workspace.close, place=PLACE),
            add("project.folder", "Show the project's folder", self._on_folder, place=PLACE),
        ]
        self._look = LookMenu(studio, self)
        menu = QMenu(self)
        menu.aboutToShow.connect(self._fill)
        self.setMenu(menu)
        self._workspace.opened.connect(self._on_changed)
        studio.settings.changed.connect(self._on_changed)
        self._on_changed()

    @Slot()
    def _on_changed(self) -> None:
        name = self._workspace.name or "No project"
        self.setText(f"{name}  \u25be")  # the menu's mark, where Qt's own sits too low
        for action in self._fixed[-2:]:
            action.setVisible(self._workspace.project is not None)

    def recent(self) -> Sequence[QAction]:
        """Projects opened lately, as actions."""
        found: list[QAction] = []
        for path in self._workspace.recent():
            action = QAction(path.name, self.menu())
            action.setData(PLACE)
            action.triggered.connect(lambda _=False, path=path: self._workspace.open(path))
            found.append(action)
        return found

    @Slot()
    def _fill(self) -> None:
        menu = self.menu()
        menu.clear()
        menu.addActions(self._fixed)
        if recent := self.recent():
            menu.addSection("Recent")
            menu.addActions(recent)
        menu.addSeparator()
        menu.addMenu(self._look)

    @Slot()
    def _on_open_wished(self) -> None:
        words, home = "Choose a project's folder", str(settings.projects_folder())
        if folder := QFileDialog.getExistingDirectory(self, words, home):
            self._workspace.open(Path(folder))

    @Slot()
    def _on_folder(self) -> None:
        if project := self._workspace.project:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(project.root)))
