"""The one window: a rail, a page, messages and a strip that shows the run."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, Slot
from PySide6.QtGui import QCloseEvent, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget
from typing_extensions import override

from app.models.studio import Studio, make_studio
from app.process.worker import Worker
from app.views import dataset_page, places
from app.views.closing import Closing
from app.views.dropping import Dropping
from app.views.page import Page
from app.views.project_menu import ProjectMenu
from app.views.queueing import Queueing
from app.views.running import Running
from app.views.telling import Telling
from app.widgets.messages import Messages
from app.widgets.palette import Palette
from app.widgets.rail import Rail
from app.widgets.run import RunStrip


def _train(studio: Studio) -> Page:
    from app.views import train_page  # the others than the first: a start need not wait for them

    return train_page.make(studio)


def _preview(studio: Studio) -> Page:
    from app.views import preview_page

    return preview_page.make(studio)


def _adapters(studio: Studio) -> Page:
    from app.views import adapters_page

    return adapters_page.make(studio)


PAGES: tuple[tuple[str, str, Callable[[Studio], Page]], ...] = (  # name, icon, how it is made
    ("Dataset", "image-multiple-outline", dataset_page.make),
    ("Train", "play-circle-outline", _train),
    ("Preview", "compare", _preview),
    ("Adapters", "puzzle-outline", _adapters),
)
NAMES = [name for name, _, _ in PAGES]
Key = QKeySequence.StandardKey


class MainWindow(QWidget):
    """Wires pages to what they work with; decides nothing that they could decide."""

    def __init__(self, make_worker: Callable[..., Worker] = Worker) -> None:
        super().__init__()
        self.setWindowTitle("Stylewright")
        self.setMinimumSize(960, 520)  # fits 1920 x 1080 at 200 %
        self.studio = make_studio(self, make_worker)
        self._built: dict[str, Page] = {}
        self._page = NAMES[0]
        self._add_actions()
        self.running = Running(self.studio, self.save, self)
        self.queueing = Queueing(self.studio, self.running.all_written, self)
        self.closing = Closing(self.studio, self.save, self)
        self._make_layout()
        self._telling = Telling(self.studio, self)
        self.dropping = Dropping(self.studio, self)
        self._connect()
        self.resize(1280, 800)
        number = places.restore(self.studio.store, self)
        self.show_page(NAMES[number if 0 <= number < len(NAMES) else 0])

    def _add_actions(self) -> None:
        add = self.studio.actions.add
        for number, name in enumerate(NAMES, 1):
            keys = (f"{number}", f"Ctrl+{number}")  # the latter while writing, too
            turn = lambda name=name: self.show_page(name)  # noqa: E731
            add(f"page.{name.lower()}", f"Go to {name}", turn, keys=keys)
        self.undo = add("undo", "Undo", lambda: self._travel(-1), keys=(Key.Undo,))
        self.redo = add("redo", "Redo", lambda: self._travel(1), keys=(Key.Redo,))
        self.find_action = add("find", "Find an action", self.show_palette, keys=("Ctrl+K",))
        add("full_screen", "Full screen", self._on_full_screen, keys=("F11",))
        self.addActions(list(self.studio.actions.possible()))

    def _make_layout(self) -> None:
        studio, actions = self.studio, self.studio.actions
        self._project_menu = ProjectMenu(studio)
        header = QHBoxLayout()
        header.setContentsMargins(10, 8, 24, 0)  # its words begin where the pages do
        header.addWidget(self._project_menu)
        header.addStretch()
        self._pages = QStackedWidget()
        self.messages = Messages(studio.news, self._pages)
        self.strip = RunStrip(studio.session, actions["stop"], self._whose)
        content = QVBoxLayout()
        content.setContentsMargins(0, 0, 0, 0)
        content.setSpacing(0)
        content.addLayout(header)
        content.addWidget(self._pages, stretch=1)
        content.addWidget(self.strip)
        self._rail = Rail(
            [(actions[f"page.{name.lower()}"], name, icon) for name, icon, _ in PAGES]
        )
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._rail)
        whole.addLayout(content, stretch=1)

    def _connect(self) -> None:
        studio = self.studio
        studio.workspace.closing.connect(self.save)
        studio.workspace.opened.connect(self._on_opened)
        studio.session.changed.connect(self._show_strip)
        studio.workspace.opened.connect(self._show_strip)
        self.strip.clicked.connect(self._on_strip_clicked)
        self.closing.ready.connect(self.close)

    def page(self, name: str) -> Page:
        """A page by name, made when it is first asked for."""
        if name not in self._built:
            make = next(make for title, _, make in PAGES if title == name)
            page = self._built[name] = make(self.studio)
            self._pages.addWidget(page.widget)
            if page.undo_stack is not None:
                page.undo_stack.undoTextChanged.connect(self._show_travel)
                page.undo_stack.redoTextChanged.connect(self._show_travel)
        return self._built[name]

    def show_page(self, name: str) -> None:
        """Turn to a page; the keys go where they can press nothing."""
        page = self.page(name)
        self._page = name
        self._pages.setCurrentWidget(page.widget)
        self._rail.show_chosen(NAMES.index(name))
        self.messages.raise_()
        self._show_strip()
        self._show_travel()
        page.focus.setFocus()

    def save(self) -> int:
        """Write what was made on any page; returns how much of it could not be written."""
        for page in self._built.values():
            page.settle()
        return self._write()

    def _write(self) -> int:
        """The same of what was typed."""
        return sum(page.save() for page in self._built.values())

    def show_palette(self) -> None:
        """Offer what can be done now, on every page."""
        for name in NAMES:
            self.page(name)
        others = [
            action for action in self.studio.actions.possible() if action is not self.find_action
        ]
        Palette([*others, *self._project_menu.recent()], self)

    def _travel(self, way: int) -> None:
        """Take back what was done last on this page, or do it again."""
        self._write()
        if stack := self.page(self._page).undo_stack:
            stack.undo() if way < 0 else stack.redo()

    @Slot()
    def _show_travel(self) -> None:
        """Say what Undo and Redo would do on this page, also after a restart."""
        stack = self._built[self._page].undo_stack if self._page in self._built else None
        for action, words, said in (
            (self.undo, "Undo", stack.undoText() if stack else ""),
            (self.redo, "Redo", stack.redoText() if stack else ""),
        ):
            action.setText(f"{words}: {said}" if said else words)

    @Slot()
    def _on_opened(self) -> None:
        studio, project = self.studio, self.studio.workspace.project
        name = studio.workspace.name
        self.setWindowTitle(f"{name} - Stylewright" if name else "Stylewright")
        studio.news.cleared.emit()
        studio.sampler.close()
        studio.captioner.close()
        studio.dataset.open(project)
        studio.runs.open(project)

    @Slot()
    def _show_strip(self) -> None:
        here = self.studio.training_here and self._page == "Train"
        self.strip.setVisible(self.studio.session.busy and not here)

    def _whose(self) -> str:
        """The project that trains, where it is not the open one."""
        project = self.studio.session.project
        return "" if project is None or self.studio.run_is_ours else f"{project.name}: "

    @Slot()
    def _on_strip_clicked(self) -> None:
        """See the run, wherever it is."""
        project = self.studio.session.project
        if project and not self.studio.run_is_ours:
            self.studio.workspace.open(project)
        self.show_page("Train")

    @Slot()
    def _on_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.studio.settings.refresh()
            self.studio.dataset.rescan()
            self.studio.waiting.refresh()
        super().changeEvent(event)

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.closing.may_close():
            event.ignore()
            return
        self.studio.workspace.closing.emit()
        self.studio.workspace.release()
        places.remember(self.studio.store, self, NAMES.index(self._page))
        self.studio.store.sync()
        self._telling.finish()
        self.studio.finish()
        event.accept()
