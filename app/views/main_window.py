"""The one window: a rail, four pages, a banner and a strip that shows the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app import settings
from app.models.dataset import DatasetModel
from app.models.importer import Imported
from app.models.runs import Runs
from app.models.workspace import NEW_NAME, Workspace
from app.process.exporter import Exporter
from app.process.sampler import Sampler
from app.process.session import Session
from app.views import actions, places
from app.views.adapters_page import AdaptersPage
from app.views.dataset_page import DatasetPage
from app.views.preview_page import PreviewPage
from app.views.project_menu import ProjectMenu
from app.views.train_page import TrainPage
from app.widgets.banner import Banner
from app.widgets.palette import Palette
from app.widgets.question import confirmed
from app.widgets.rail import Rail
from app.widgets.run import RunStrip
from core.project.layout import is_project
from core.protocol.events import Event, Failed, Finished, Warned

PAGES = (
    ("Dataset", "image-multiple-outline"),
    ("Train", "play-circle-outline"),
    ("Preview", "compare"),
    ("Adapters", "puzzle-outline"),
)
DATASET, PREVIEW = 0, 2  # of them


class MainWindow(QWidget):
    """Wires pages to models; decides nothing that a page or a model could decide."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Stylewright")
        self.setMinimumSize(960, 520)  # fits 1920 x 1080 at 200 %
        self._settings = settings.store()
        self._notes: list[str] = []
        self._closing = False  # as soon as the run is saved
        self.workspace = Workspace(self._settings, self)
        self.session = Session(self)
        self.sampler = Sampler(self)
        self.dataset = DatasetModel(self)
        self.runs = Runs(self)
        self.exporter = Exporter(self)
        self._make_pages()
        self._make_layout()
        self._connect()
        self.resize(1280, 800)
        self.show_page(places.restore(self._settings, self))

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
        self._strip = RunStrip(self.session)
        content.addWidget(self._strip)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        self._rail = Rail(PAGES)
        self._rail.chosen.connect(self.show_page)
        whole.addWidget(self._rail)
        whole.addLayout(content, stretch=1)

    def _make_header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(16, 8, 24, 0)
        self._project_menu = ProjectMenu(self.workspace, self.session)
        row.addWidget(self._project_menu)
        row.addStretch()
        return row

    def _connect(self) -> None:
        self.dataset_page.dropped.connect(self._on_dropped)
        self.dataset_page.folder_wished.connect(self._on_folder_wished)
        self.dataset_page.demo_wished.connect(self.workspace.open_demo)
        self.dataset.failed.connect(self.banner.show_failure)
        self.dataset.noted.connect(self.banner.show_note)
        self.dataset.imported.connect(self._on_imported)
        self.dataset_page.removed.connect(self._on_removed)
        self.workspace.closing.connect(self._on_project_closing)
        self.workspace.opened.connect(self._on_opened)
        self.workspace.changed.connect(self._on_settings_changed)
        self.workspace.failed.connect(self.banner.show_failure)
        self.train_page.form.changed.connect(self.workspace.save)
        self.train_page.train_wished.connect(self.train)
        self.train_page.stop_wished.connect(self.session.stop_or_end_now)
        self.train_page.resume_wished.connect(self.resume)
        self.train_page.previews_wished.connect(lambda: self.show_page(PREVIEW))
        self.train_page.preview_wished.connect(self.session.preview_now)
        self.preview_page.failed.connect(self._show_failure)
        self.adapters_page.export_wished.connect(self.exporter.export)
        self.exporter.saved.connect(self._on_exported)
        self.exporter.changed.connect(self._on_exporting)
        self.exporter.failed.connect(self._show_failure)
        self.adapters_page.preview_wished.connect(self._on_preview_wished)
        self.session.changed.connect(self._on_session_changed)
        self.session.said.connect(self._on_said)
        self.session.failed.connect(self._on_run_failed)
        QShortcut(QKeySequence("F11"), self, self._on_full_screen)
        QShortcut(QKeySequence("Ctrl+K"), self, self._on_palette_wished)

    # the project

    @Slot()
    def _on_opened(self) -> None:
        project, config = self.workspace.project, self.workspace.config
        if project is None or config is None:
            return
        self.setWindowTitle(f"{config.name} - Stylewright")
        self.banner.hide()
        self.sampler.close()
        self.dataset.open(project)
        self.runs.open(project)
        self.train_page.show_config(config)

    @Slot()
    def _on_project_closing(self) -> None:
        """Keep what is being written before another project takes its place."""
        self.dataset_page.save()
        self.train_page.form.read()

    @Slot()
    def _on_settings_changed(self) -> None:
        self.train_page.show_config(self.workspace.config)

    # pictures

    @Slot(list)
    def _on_dropped(self, paths: list[Path]) -> None:
        first = paths[0]
        if len(paths) == 1 and is_project(first):
            if self.session.busy:
                words = self.tr("Another project can be opened once the run has ended.")
                self.banner.show_note(words)
            else:
                self.workspace.open(first)
            return
        if self.workspace.project is None:
            # a drive's root has no name
            self.workspace.open_new((first.name if first.is_dir() else "") or NEW_NAME)
        if self.workspace.project is None:
            return
        self.dataset.import_paths(paths)

    @Slot(object)
    def _on_imported(self, imported: Imported) -> None:
        missing = imported.found - imported.copied
        if imported.problem:
            first = f"{missing:,} of {imported.found:,} pictures were not copied. The first: "
            self.banner.show_failure((first if missing > 1 else "") + imported.problem)
        elif imported.stopped:
            self.banner.show_note(f"Stopped. {imported.copied:,} pictures were copied.")
        elif not imported.found:
            self.banner.show_note(self.tr("There was no picture among what you dropped."))

    @Slot(int)
    def _on_removed(self, count: int) -> None:
        self.banner.show_note(
            f"Removed {count:,} picture{'s' if count != 1 else ''}.",
            action=self.tr("Undo"),
            on_action=self.dataset_page.undo,
        )

    @Slot()
    def _on_folder_wished(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Choose a folder of pictures"))
        if folder:
            self._on_dropped([Path(folder)])

    # training

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
        if self.workspace.project is None or self.workspace.config is None:
            return
        self.banner.hide()
        if not self.workspace.saved:
            self.workspace.save(self.workspace.config)  # once more
        if self.dataset_page.save() or not self.workspace.saved:
            return  # the banner says what could not be written: no run on what is not meant
        self.sampler.end()
        self._notes.clear()
        self.session.train(self.workspace.project.root, resume)

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        self.runs.take(event, self.session.run)
        match event:
            case Warned():
                self._notes.append(event.message)
                count = len(self._notes)
                more = f" And {count - 1} more." if count > 1 else ""
                self.banner.show_note(
                    self._notes[0] + more,
                    action=self.tr("Show findings") if self.dataset.findings else "",
                    on_action=self._show_findings,
                )
            case Finished(stopped=False):
                self.banner.show_note(
                    self.tr("Done. The adapter is ready."),
                    action=self.tr("Compare before and after"),
                    on_action=lambda: self.show_page(PREVIEW),
                )
            case Finished(stopped=True) if self.session.step:
                self.banner.show_note(f"Stopped and saved at step {self.session.step:,}.")
            case _:
                pass

    def _show_findings(self) -> None:
        self.show_page(DATASET)
        self.dataset_page.show_findings()

    @Slot(object, bool)
    def _on_run_failed(self, failure: Failed, resumable: bool) -> None:  # noqa: FBT001 - a signal's
        self._closing = False  # this should be read
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
        self.preview_page.allow_drawing(allowed=not session.busy)
        if self._closing and not session.busy:
            QTimer.singleShot(0, self, self._on_saved)

    @Slot(str, str)
    def show_bug(self, words: str, details: str) -> None:
        """Say that the window itself has failed."""
        self.banner.show_failure(words, details=details)

    # adapters

    @Slot()
    def _on_exporting(self) -> None:
        self.adapters_page.show_exporting(busy=self.exporter.busy)
        if self.exporter.busy:
            self.banner.show_note(self.tr("Saving the adapter..."))

    @Slot(str)
    def _on_exported(self, path: str) -> None:
        self.banner.show_note(f"Saved {path}")

    @Slot(object)
    def _on_preview_wished(self, path: Path) -> None:
        self.preview_page.use_adapter(path)
        self.show_page(PREVIEW)

    # the window

    @Slot(int)
    def show_page(self, number: int) -> None:
        """Dataset, Train, Preview or Adapters."""
        number = number if 0 <= number < len(PAGES) else 0
        self._pages.setCurrentIndex(number)
        self._rail.show_chosen(number)
        self._on_session_changed()

    @Slot()
    def _on_palette_wished(self) -> None:
        names = [name for name, _ in PAGES]
        widgets = (self.dataset_page, self.train_page, self.preview_page, self.adapters_page)
        pages = dict(zip(names, widgets, strict=True))
        found = actions.of_pages(pages, lambda name: self.show_page(names.index(name)))
        menu = self._project_menu
        Palette([*found, *actions.of_menu(menu.filled(), menu.accessibleName())], self)

    @Slot()
    def _on_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    @override
    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.workspace.refresh()
            self.dataset.rescan()
        super().changeEvent(event)

    def ask_to_close(self) -> bool:
        """A run goes on: may it be saved and stopped?"""
        return confirmed(
            self,
            self.tr("A run is going on."),
            self.tr("It will be saved, and you can resume it later."),
            yes=self.tr("Save and close"),
            no=self.tr("Keep training"),
        )

    def ask_to_lose(self, captions: int) -> bool:
        """Some captions cannot be written: may they be lost?"""
        return confirmed(
            self,
            f"{captions} caption{'s' if captions != 1 else ''} could not be saved.",
            self.tr("Make room on the disk, or make the folder writable."),
            yes=self.tr("Close and lose them"),
            no=self.tr("Keep the window open"),
            harmless=False,
        )

    def ask_to_stop_copying(self) -> bool:
        """Pictures are being copied: may the rest be left out?"""
        return confirmed(
            self,
            self.tr("Your pictures are still being copied."),
            self.tr("Those that are not copied yet would be missing from the project."),
            yes=self.tr("Stop copying and close"),
            no=self.tr("Keep copying"),
            harmless=False,
        )

    @Slot()
    def _on_saved(self) -> None:
        if self._closing:
            self.close()

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        if self.session.busy:
            event.ignore()
            if not self._closing and self.ask_to_close():
                self._closing = True
                self.session.stop()
                self.banner.show_note(self.tr("The run is being saved. The window closes then."))
                self._on_session_changed()  # the run may have ended while the person thought
            return
        self._closing = False
        self.train_page.form.read()
        unsaved = self.dataset_page.save()
        if (unsaved and not self.ask_to_lose(unsaved)) or (
            self.dataset.importing and not self.ask_to_stop_copying()
        ):
            event.ignore()
            return
        places.remember(self._settings, self, self._pages.currentIndex())
        self._settings.sync()
        self.exporter.end()
        self.sampler.end()
        self.dataset.finish()
        for thumbnails in (self.preview_page.table.thumbnails, self.train_page.thumbnails):
            thumbnails.finish()
        self.adapters_page.cards.finish()
        event.accept()
