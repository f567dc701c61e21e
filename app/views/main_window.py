"""The one window: a rail, four pages, a banner and a strip that shows the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, QUrl, Slot
from PySide6.QtGui import QCloseEvent, QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app import settings, theme
from app.models.dataset import DatasetModel
from app.models.runs import Runs
from app.process.sampler import Sampler
from app.process.session import Session, State
from app.process.worker import Worker
from app.views.adapters_page import AdaptersPage
from app.views.dataset_page import DatasetPage
from app.views.preview_page import PreviewPage
from app.views.train_page import TrainPage, status_line
from app.widgets import labels
from app.widgets.banner import Banner
from core.config.options import PreviewConfig, RunConfig
from core.errors import UserError
from core.project import demo, layout
from core.project.layout import Project
from core.protocol.commands import ExportJob
from core.protocol.events import AdapterSaved, Event, Failed, Warned

PAGES = (
    ("Dataset", "image-multiple-outline"),
    ("Train", "play-circle-outline"),
    ("Preview", "compare"),
    ("Adapters", "puzzle-outline"),
)
SAVE_AND_END_MS = 60_000  # a step and a checkpoint take less


class MainWindow(QWidget):
    """Wires pages to models; decides nothing that a page or a model could decide."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Stylewright")
        self.setMinimumSize(960, 600)
        self._settings = settings.store()
        self._project: Project | None = None
        self._config: RunConfig | None = None
        self._notes: list[str] = []
        self.session = Session(self)
        self.sampler = Sampler(self)
        self.dataset = DatasetModel(self)
        self.runs = Runs(self)
        self._exporters: set[Worker] = set()
        self._make_pages()
        self._make_layout()
        self._connect()
        self.resize(1280, 800)
        if geometry := self._settings.value("geometry"):
            self.restoreGeometry(geometry)
        self.show_page(int(str(self._settings.value("page", 0))))

    def _make_pages(self) -> None:
        self.dataset_page = DatasetPage(self.dataset)
        self.train_page = TrainPage(self.session, self.runs)
        self.preview_page = PreviewPage(self.runs, self.sampler)
        self.adapters_page = AdaptersPage(self.runs)
        self._pages = QStackedWidget()
        for page in (self.dataset_page, self.train_page, self.preview_page, self.adapters_page):
            self._pages.addWidget(page)

    def _make_layout(self) -> None:
        self.banner = Banner()
        content = QVBoxLayout()
        content.setContentsMargins(0, 0, 0, 0)
        content.setSpacing(0)
        content.addLayout(self._make_header())
        around = QVBoxLayout()
        around.setContentsMargins(24, 0, 24, 0)
        around.addWidget(self.banner)
        content.addLayout(around)
        content.addWidget(self._pages, stretch=1)
        content.addWidget(self._make_strip())
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._make_rail())
        whole.addLayout(content, stretch=1)

    def _make_rail(self) -> QFrame:
        rail = QFrame()
        rail.setObjectName("rail")
        rail.setFixedWidth(88)
        column = QVBoxLayout(rail)
        column.setContentsMargins(8, 16, 8, 16)
        column.setSpacing(8)
        self._rail = QButtonGroup(self)
        for number, (name, icon) in enumerate(PAGES):
            button = QToolButton()
            button.setText(name)
            button.setProperty("icon_name", icon)
            button.setIconSize(QSize(24, 24))
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setFixedWidth(72)
            button.setAccessibleName(name)
            button.setToolTip(f"{name} ({number + 1})")
            self._rail.addButton(button, number)
            column.addWidget(button)
            QShortcut(QKeySequence(f"Ctrl+{number + 1}"), self, lambda n=number: self.show_page(n))
        column.addStretch()
        self._rail.idClicked.connect(self.show_page)
        self._paint_icons()
        return rail

    def _make_header(self) -> QHBoxLayout:
        self._name = QToolButton()
        self._name.setObjectName("project")
        self._name.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._name.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._name.setAccessibleName("Project")
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        self._name.setMenu(self._menu)
        self._show_name(self.tr("No project"))
        row = QHBoxLayout()
        row.setContentsMargins(16, 8, 24, 0)
        row.addWidget(self._name)
        row.addStretch()
        return row

    def _show_name(self, name: str) -> None:
        self._name.setText(f"{name}  \u25be")  # the menu's mark, where Qt's own sits too low

    def _make_strip(self) -> QFrame:
        strip = QFrame()
        strip.setObjectName("strip")
        self._strip = strip
        self._strip_bar = QProgressBar()
        self._strip_bar.setTextVisible(False)
        self._strip_words = labels.secondary()
        self._strip_words.setWordWrap(False)
        stop = QPushButton(self.tr("Stop"))
        stop.setAccessibleName("Stop the run")
        stop.clicked.connect(self.session.stop)
        self._strip_stop = stop
        row = QHBoxLayout(strip)
        row.setContentsMargins(24, 8, 24, 8)
        row.setSpacing(16)
        row.addWidget(self._strip_words)
        row.addWidget(self._strip_bar, stretch=1)
        row.addWidget(stop)
        strip.hide()
        return strip

    def _connect(self) -> None:
        self.dataset_page.dropped.connect(self._on_dropped)
        self.dataset_page.folder_wished.connect(self._on_folder_wished)
        self.dataset_page.demo_wished.connect(self.open_demo)
        self.dataset.failed.connect(self.banner.show_failure)
        self.train_page.settings_changed.connect(self._on_settings_changed)
        self.train_page.train_wished.connect(self.train)
        self.train_page.stop_wished.connect(self.session.stop)
        self.train_page.resume_wished.connect(self.resume)
        self.train_page.preview_wished.connect(self.session.preview_now)
        self.preview_page.failed.connect(self._show_failure)
        self.adapters_page.export_wished.connect(self._on_export_wished)
        self.adapters_page.preview_wished.connect(self._on_preview_wished)
        self.session.changed.connect(self._on_session_changed)
        self.session.said.connect(self._on_said)
        self.session.failed.connect(self._on_run_failed)

        QShortcut(QKeySequence("Ctrl+Return"), self, self.train_page.click_train)

    # projects

    def open(self, root: Path) -> None:
        """Open a project."""
        project = Project(root)
        try:
            config = project.config()
        except UserError as error:
            self.banner.show_failure(str(error))
            return
        self._project, self._config = project, config
        self._show_name(config.name)
        self.setWindowTitle(f"{config.name} - Stylewright")
        settings.remember(self._settings, root)
        self.banner.hide()
        self.dataset.open(project)
        self.runs.open(project)
        self.train_page.show_config(config)
        self.preview_page.show_config(config, root)

    def open_last(self) -> None:
        """Open the newest project that still exists, if any."""
        if recent := settings.recent(self._settings):
            self.open(recent[0])

    @Slot()
    def open_demo(self) -> None:
        """Make the sample project and open it, ready to train."""
        root = settings.unused_folder("Demo style")
        self._make(root, lambda: demo.create_demo(root))

    def _make(self, root: Path, make: Callable[[], Project]) -> None:
        try:
            make()
        except UserError as error:
            self.banner.show_failure(str(error))
            return
        self.open(root)

    def _new_project(self, name: str) -> None:
        root = settings.unused_folder(name)
        config = RunConfig(
            name=root.name,
            base=layout.DEMO_BASE,
            preview=PreviewConfig(guidance=3.0, guidance_rescale=0.7),
        )
        from msgspec.structs import replace

        config = replace(config, dataset=replace(config.dataset, resolution_px=128))
        self._make(root, lambda: layout.create(root, config))

    @Slot()
    def _fill_menu(self) -> None:
        self._menu.clear()
        self._menu.addAction(self.tr("New project"), lambda: self._new_project("My style"))
        self._menu.addAction(self.tr("Open a project folder..."), self._on_open_wished)
        self._menu.addAction(self.tr("Try the demo style"), self.open_demo)
        if self._project:
            root = self._project.root
            self._menu.addAction(
                self.tr("Show the project's folder"),
                lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(root))),
            )
        recent = settings.recent(self._settings)
        if recent:
            self._menu.addSection(self.tr("Recent"))
            for path in recent:
                self._menu.addAction(path.name, lambda path=path: self.open(path))
        self._menu.setEnabled(not self.session.busy)

    @Slot()
    def _on_open_wished(self) -> None:
        words = self.tr("Choose a project's folder")
        folder = QFileDialog.getExistingDirectory(self, words, str(settings.projects_folder()))
        if folder:
            self.open(Path(folder))

    # pictures

    @Slot(list)
    def _on_dropped(self, paths: list[Path]) -> None:
        first = paths[0]
        if len(paths) == 1 and (first / "project.toml").exists():
            self.open(first)
            return
        if self._project is None:
            self._new_project(first.name if first.is_dir() else "My style")
        if self._project is None:
            return
        count = self.dataset.import_paths(paths)
        if count == 0:
            self.banner.show_note(self.tr("There was no picture among what you dropped."))

    @Slot()
    def _on_folder_wished(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Choose a folder of pictures"))
        if folder:
            self._on_dropped([Path(folder)])

    # training

    @Slot(object)
    def _on_settings_changed(self, config: RunConfig) -> None:
        self._config = config
        if self._project:
            try:
                self._project.save(config)
            except UserError as error:
                self.banner.show_failure(str(error))
        self.preview_page.show_config(config, self._project.root if self._project else Path())

    @Slot()
    def train(self) -> None:
        """Start the project's next run."""
        self._start("")

    @Slot()
    def resume(self) -> None:
        """Go on with the newest unfinished run."""
        if name := self.runs.resumable():
            self._start(name)

    def _start(self, resume: str) -> None:
        if self._project is None:
            return
        self.dataset_page.save()
        self.sampler.close()
        self.banner.hide()
        self._notes.clear()
        self.session.train(self._project.root, resume)

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        self.runs.take(event, self.session.run)
        if isinstance(event, Warned):
            self._notes.append(event.message)
            count = len(self._notes)
            more = f" And {count - 1} more." if count > 1 else ""
            self.banner.show_note(self._notes[0] + more)

    @Slot(object, bool)
    def _on_run_failed(self, failure: Failed, resumable: bool) -> None:  # noqa: FBT001 - a signal's
        if resumable and self.runs.resumable():
            words = self.tr("Resume")
            self._show_failure(failure, action=words, on_action=self.resume)
        else:
            self._show_failure(failure)

    def _show_failure(
        self,
        failure: Failed,
        *,
        action: str = "",
        on_action: Callable[[], None] | None = None,
    ) -> None:
        text = f"{failure.message} {failure.hint}".strip()
        self.banner.show_failure(
            text, details=failure.traceback, action=action, on_action=on_action
        )

    @Slot()
    def _on_session_changed(self) -> None:
        session = self.session
        self._strip.setVisible(session.busy and self._pages.currentWidget() is not self.train_page)
        self._strip_words.setText(status_line(session))
        share = session.share
        self._strip_bar.setRange(0, 0 if share is None else 1000)
        self._strip_bar.setValue(round((share or 0) * 1000))
        self._strip_stop.setEnabled(session.state is not State.STOPPING)

    # adapters

    @Slot(object, str, object)
    def _on_export_wished(self, source: Path, wish: str, target: Path) -> None:
        worker = Worker(self)
        self._exporters.add(worker)

        def on_said(event: Event) -> None:
            if isinstance(event, AdapterSaved):
                self.banner.show_note(f"Saved {event.path}")

        def on_ended(failure: Failed | None) -> None:
            self._exporters.discard(worker)
            worker.deleteLater()
            if failure:
                self._show_failure(failure)

        worker.said.connect(on_said)
        worker.ended.connect(on_ended)
        formats = {"kohya": "kohya", "diffusers": "diffusers"}
        worker.start(ExportJob(source=str(source), format=formats[wish], out=str(target)))  # pyright: ignore[reportArgumentType]

    @Slot(object)
    def _on_preview_wished(self, path: Path) -> None:
        self.preview_page.use_adapter(path)
        self.show_page(2)

    # the window

    @Slot(int)
    def show_page(self, number: int) -> None:
        """Dataset, Train, Preview or Adapters."""
        number = number if 0 <= number < len(PAGES) else 0
        self._pages.setCurrentIndex(number)
        self._rail.button(number).setChecked(True)
        self._on_session_changed()

    def _paint_icons(self) -> None:
        for button in self._rail.buttons():
            button.setIcon(theme.icon(str(button.property("icon_name"))))

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "train_page"):
            self._paint_icons()
            self.train_page.chart.restyle()
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.dataset.rescan()
        super().changeEvent(event)

    def ask_to_close(self) -> bool:
        """A run goes on: may it be saved and stopped?"""
        box = QMessageBox(self)
        box.setText(self.tr("A run is going on."))
        box.setInformativeText(self.tr("It will be saved, and you can resume it later."))
        save = box.addButton(self.tr("Save and close"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(self.tr("Keep training"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(save)
        box.exec()
        return box.clickedButton() is save

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        if self.session.busy and not self.ask_to_close():
            event.ignore()
            return
        self.dataset_page.save()
        self._settings.setValue("geometry", self.saveGeometry())
        self._settings.setValue("page", self._pages.currentIndex())
        self._settings.sync()
        if self.session.busy:
            self.setEnabled(False)
            QApplication.processEvents()
        self.session.end(SAVE_AND_END_MS)
        self.sampler.end()
        self.dataset.finish()
        self.preview_page.table.thumbnails.finish()
        event.accept()
