"""The Dataset page: thumbnails, and the caption of the chosen picture beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, Slot
from PySide6.QtGui import QImage, QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSlider,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.figures import count_of
from app.models.findings import Group
from app.models.news import Message
from app.models.picture_rows import Role
from app.models.rewriting import Changes
from app.models.shown_rows import ShownRows
from app.models.studio import Studio
from app.models.workspace import NEW_NAME
from app.views import places
from app.views.caption_editor import CaptionEditor
from app.views.findings_panel import FindingsPanel
from app.views.masks import MASKS, Masks
from app.views.page import Page
from app.views.picture_search import PictureSearch
from app.views.unheeded_masks import UnheededMasks
from app.views.welcome import Welcome
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.drop import DropFrame
from app.widgets.grid import TILE_PX
from app.widgets.wall import Wall
from core.data import captions
from core.data.marks import STARS, Mark
from core.data.walk import SUFFIXES

if TYPE_CHECKING:
    from app.views.captioning_dialog import CaptioningDialog
    from app.views.repeats_dialog import RepeatsDialog
    from app.views.rewording_dialog import RewordingDialog, Wish
    from app.views.tag_panel import TagPanel

WIDEST_PX = 560  # a panel beside the pictures
PLACE = "Dataset"


class DatasetPage(QWidget):
    """Choose pictures, caption them, remove them."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio, self._model = studio, studio.dataset
        self._wanted: Path | None = None  # to be chosen once it is there
        self._row = 0  # of the editor's picture, where its neighbour is once it is gone
        self.dialog: RewordingDialog | None = None  # the last that was opened
        self.repeats: RepeatsDialog | None = None  # the last that was opened
        self.tags: TagPanel | None = None  # once it was opened
        self.captioning: CaptioningDialog | None = None  # once it was opened; goes on when closed
        self._said: tuple[Message, int] | None = None  # of what was done; where its undo stands
        self._add_actions()
        self.masks = Masks(studio, self)
        actions = studio.actions
        self.shown = ShownRows(self._model.rows, self)
        self.search = PictureSearch(studio, self.shown)
        self.grid = Wall(
            self.shown.aspects,
            Role.CAPTION,
            Role.FINDING,
            Role.MARK,
            self.search.headings,
        )
        self.grid.sign_role = Role.MASKED
        self.grid.setModel(self.shown)
        self.grid.setAccessibleName("Pictures")
        self._add_menu()
        self.editor = CaptionEditor(studio)
        self.editor.setMaximumWidth(WIDEST_PX)
        splitter = QSplitter()
        splitter.setObjectName(places.SPLITTERS[0])
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.grid)
        splitter.addWidget(self.editor)
        splitter.setSizes([720, 400])
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 1)
        full = QWidget()
        inside = QVBoxLayout(full)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addLayout(self._make_bar())
        self.search.searched.connect(self._on_searched)
        inside.addWidget(self.search)
        self.unheeded = UnheededMasks(studio)
        inside.addWidget(self.unheeded)
        self.findings = FindingsPanel(self._model, actions["dataset.mend"])
        self.findings.hide()
        self.findings.chosen.connect(self._on_finding_chosen)
        self.findings.emptied.connect(
            lambda: self.search.show_group(None), Qt.ConnectionType.QueuedConnection
        )
        self.search.left.connect(self.findings.choose_none)
        self._findings.toggled.connect(self._on_findings_toggled)
        inside.addWidget(self.findings)
        self._beside = QHBoxLayout()
        self._beside.setSpacing(16)
        self._beside.addWidget(splitter, stretch=1)
        inside.addLayout(self._beside, stretch=1)
        self.drop = DropFrame([actions["dataset.add"], actions["dataset.add_folder"]])
        self.welcome = Welcome(studio)
        self._full = full
        self._stack = QStackedWidget()
        for part in (self.welcome, self.drop, full):
            self._stack.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.addWidget(self._stack)
        for part in (splitter, self._zoom):
            places.restore_part(studio.store, part)
        self._connect()

    def _connect(self) -> None:
        studio = self._studio
        self._model.refreshed.connect(self._on_refreshed)
        self._model.busy_changed.connect(self._on_busy_changed)
        self._model.touched.connect(self._on_touched)
        self._model.undo_stack.indexChanged.connect(self._on_undo_moved)
        studio.workspace.closing.connect(self._on_closing)
        studio.workspace.opened.connect(self._on_opened)
        self.grid.selectionModel().currentChanged.connect(self._on_current_changed)
        self.grid.removal_wished.connect(self.remove_chosen)
        self.masks.begun.connect(self._on_mask_begun)
        self.masks.left.connect(self._on_mask_left)
        self.masks.done.connect(self._offer_undo)
        self._on_opened()
        self._on_refreshed()
        self._on_busy_changed()

    def _add_actions(self) -> None:
        add = self._studio.actions.add
        add("dataset.add", "Add pictures", self._on_add, place=PLACE)
        add("dataset.add_folder", "Add a folder", self._on_add_folder, place=PLACE)
        words, keys = "Search pictures", (QKeySequence.StandardKey.Find,)
        self.addAction(add("dataset.search", words, self.go_to_search, keys=keys, place=PLACE))
        keys = ("Ctrl+H",)
        words = "Change captions"
        self.addAction(add("dataset.reword", words, self.reword, keys=keys, place=PLACE))
        words = "Caption automatically..."
        add("dataset.caption_all", words, self.caption_automatically, place=PLACE)
        add("dataset.findings", "Show findings", self.show_findings, place=PLACE)
        keys = ("Ctrl+Shift+T",)
        tags = add("dataset.tags", "Tags of all captions", self.turn_tags, keys=keys, place=PLACE)
        self.addAction(tags)
        add("dataset.caption", "Caption", lambda: self.go_to(self.editor), place=PLACE)
        keys, words = ("Ctrl+T",), "Caption as tags or as text"
        self.addAction(add("dataset.as_tags", words, self._on_as_tags, keys=keys, place=PLACE))
        add("dataset.remove", "Remove the chosen pictures", self.remove_chosen, place=PLACE)
        for stars in range(STARS + 1):
            words = f"Rate: {count_of(stars, 'star')}" if stars else "Rate: no stars"
            add(f"dataset.rate_{stars}", words, partial(self.rate, stars), keys=(f"Alt+{stars}",))
            self._studio.actions[f"dataset.rate_{stars}"].setData(PLACE)
        add("dataset.unused", "Used or not used", self.turn_unused, keys=("U",), place=PLACE)
        add("dataset.hold_out", "Held out or not", self.turn_held_out, keys=("O",), place=PLACE)
        add("dataset.repeats", "Repeats of folders", self.set_repeats, place=PLACE)
        add("dataset.mend", "Mend what is found", self.mend, place=PLACE)
        add("dataset.uncaptioned", "Show a picture without caption", self.show_silent, place=PLACE)
        stop = add("dataset.stop", "Stop copying", self._model.stop_importing, place=PLACE)
        stop.setVisible(False)

    def _add_menu(self) -> None:
        """What can be done with the chosen pictures, where they are."""
        self.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        actions = self._studio.actions
        self.grid.addActions(
            [actions[f"dataset.{name}"] for name in ("caption_all", "reword", *MASKS, "remove")]
        )
        rating = QMenu("Rating", self.grid)
        rating.addActions([actions[f"dataset.rate_{stars}"] for stars in range(STARS + 1)])
        self.grid.addAction(rating.menuAction())
        self.grid.addActions([actions[f"dataset.{name}"] for name in ("unused", "hold_out")])

    def _make_bar(self) -> QHBoxLayout:
        self._count = labels.heading()
        self._findings = QPushButton()
        self._findings.setCheckable(True)
        self._findings.setAccessibleName("Show findings")
        self._zoom = QSlider(Qt.Orientation.Horizontal)
        self._zoom.setRange(96, 288)
        self._zoom.setMinimumWidth(64)
        self._zoom.setMaximumWidth(144)
        self._zoom.setObjectName(places.ZOOM)
        self._zoom.setAccessibleName("Zoom")
        self._zoom.valueChanged.connect(self._on_zoomed)
        self._zoom.setValue(TILE_PX)
        self._busy = labels.secondary()
        self._busy.setWordWrap(False)
        bar = QHBoxLayout()
        bar.setSpacing(16)
        bar.addWidget(self._count)
        bar.addWidget(self._findings)
        bar.addWidget(self._busy)
        bar.addWidget(ActionButton(self._studio.actions["dataset.stop"]))
        bar.addStretch()
        bar.addWidget(labels.small("Zoom"))
        bar.addWidget(self._zoom, stretch=1)
        menu = QMenu(self)
        for name in ("dataset.caption_all", "dataset.reword", "dataset.tags", "dataset.repeats"):
            menu.addAction(self._studio.actions[name])
        self._captions = QPushButton("Captions")
        self._captions.setMenu(menu)
        bar.addWidget(self._captions)
        for name in ("dataset.add_folder", "dataset.add"):
            bar.addWidget(ActionButton(self._studio.actions[name]))
        return bar

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.findings.fit()

    def save(self) -> int:
        """Write what was typed; returns how many captions could not be written."""
        self.masks.end_stroke()
        self.editor.save_all()
        return self.editor.unsaved

    def show_findings(self) -> None:
        """Open the list of findings."""
        self._studio.actions["page.dataset"].trigger()
        self._findings.setChecked(True)

    def _on_as_tags(self) -> None:
        self._studio.actions["page.dataset"].trigger()
        self.editor.switch()

    def show_silent(self) -> None:
        """Go to the next picture without caption, ready to be written."""
        pictures = self.shown.pictures
        if not any(captions.says_nothing(one.caption) for one in pictures):
            self.search.show_all()
            pictures = self.shown.pictures
        after = self.grid.currentIndex().row() + 1
        order = [*range(after, len(pictures)), *range(after)]
        silent = (row for row in order if captions.says_nothing(pictures[row].caption))
        row = next(silent, None)
        if row is not None:
            self._choose(row)
            self.go_to(self.editor)

    def go_to(self, part: QWidget) -> None:
        """Turn to this page and let the keys go into `part`."""
        self._studio.actions["page.dataset"].trigger()
        self.masks.leave()
        part.setFocus()

    def chosen_paths(self) -> list[Path]:
        """The pictures that are chosen, in order."""
        return [self.shown.picture(row).path for row in self.grid.chosen_rows()]

    @Slot(QWidget)
    def _on_mask_begun(self, panel: QWidget) -> None:
        self.save()
        self._stack.addWidget(panel)
        self._stack.setCurrentWidget(panel)

    @Slot()
    def _on_mask_left(self) -> None:
        self._stack.setCurrentWidget(self._full)
        self._on_refreshed()
        self.grid.setFocus()

    @Slot()
    def remove_chosen(self) -> None:
        """Move what is chosen to the bin, and go on with the next."""
        self.save()
        rows = self.grid.chosen_rows()
        if not rows or self.masks.painting:
            return
        before = self._model.rows.rowCount()
        self._model.remove([self.shown.picture(row).path for row in rows])
        self.editor.show_picture(None)
        if count := self.shown.rowCount():
            self._choose(min(rows[0], count - 1))
        if gone := before - self._model.rows.rowCount():
            self._offer_undo(f"Removed {count_of(gone, 'picture')}.")

    def rate(self, stars: int) -> None:
        """Give the chosen pictures so many stars."""
        self._mark(f"Rated {{}} {stars} of {STARS}", lambda mark: mark._replace(rating=stars))

    def turn_unused(self) -> None:
        """Leave the chosen pictures out, or take all of them in where none is in."""
        said = [self._model.marking.said.of(path).unused for path in self._chosen_paths()]
        out = not all(said)
        words = "Left {} out" if out else "Took {} in again"
        self._mark(words, lambda mark: mark._replace(unused=out))

    def turn_held_out(self) -> None:
        """Hold the chosen pictures out, or no longer where all of them are."""
        said = [self._model.marking.said.of(path).held_out for path in self._chosen_paths()]
        out = not all(said)
        words = "{} held out" if out else "{} no longer held out"
        self._mark(words, lambda mark: mark._replace(held_out=out))

    def _chosen_paths(self) -> list[Path]:
        return [self.shown.picture(row).path for row in self.grid.chosen_rows()]

    def _mark(self, words: str, change: Callable[[Mark], Mark]) -> None:
        """`words` with {} for the pictures."""
        if paths := self._chosen_paths():
            said = words.format(count_of(len(paths), "picture"))
            marking = self._model.marking
            marking.set(said, {path: change(marking.said.of(path)) for path in paths})

    def set_repeats(self) -> None:
        """Ask how often the pictures of each folder come in an epoch."""
        from app.views.repeats_dialog import RepeatsDialog  # no start has need of it

        project = self._model.project
        if project is None:
            return
        dialog = RepeatsDialog(self._model, project.config().dataset, self)
        self.repeats = dialog
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def reword(self) -> None:
        """Change many captions at once: those that are chosen, or all that are shown."""
        self._open_rewording()

    def _open_rewording(self, wish: Wish | None = None) -> None:
        from app.views import rewording_dialog  # no start has need of it

        self.save()
        every = self._model.rows.snapshot()
        shown = self.shown.pictures if self.shown.searched else every
        chosen = [self.shown.picture(row) for row in self.grid.chosen_rows()]
        scopes = rewording_dialog.Scopes(chosen, shown, every)
        wish = wish or rewording_dialog.Wish()
        dialog = rewording_dialog.RewordingDialog(scopes, self._studio.tags, wish, self)
        self.dialog = dialog
        dialog.accepted.connect(lambda: self._on_reworded(dialog))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        dialog.begin()

    def _on_reworded(self, dialog: RewordingDialog) -> None:
        self._model.rewrite(dialog.changes)
        if count := len(dialog.changes):
            self._offer_undo(f"Changed {count_of(count, 'caption')}.")

    @Slot()
    def caption_automatically(self) -> None:
        """Let a model propose captions; what it told before is there still."""
        from app.views.captioning_dialog import CaptioningDialog  # no start has need of it

        self.save()
        if self.captioning is None:
            self.captioning = CaptioningDialog(self._studio, self)
            self.captioning.applied.connect(self._on_captioned)
        chosen = [self.shown.picture(row) for row in self.grid.chosen_rows()]
        self.captioning.show_pictures(chosen, self.shown.pictures)
        self.captioning.open()

    def turn_tags(self) -> None:
        """Show the tags of all captions, or show them no longer."""
        self._studio.actions["page.dataset"].trigger()
        if self.tags is None:
            from app.views.tag_panel import TagPanel  # no start has need of it

            self.tags = TagPanel(self._studio)
            self.tags.wished.connect(self._open_rewording)
            self.tags.chosen.connect(self.search.show_tags)
            self.tags.closed.connect(self.turn_tags)
            self._beside.insertWidget(0, self.tags)
            self.tags.field.setFocus()
        elif self.tags.isVisible():
            self.tags.hide()
            self.grid.setFocus()
        else:
            self.tags.show()
            self.tags.field.setFocus()

    @Slot(object)
    def _on_captioned(self, changes: Changes) -> None:
        self._model.rewrite(changes)
        self._offer_undo(f"Wrote {count_of(len(changes), 'caption')}.")

    @Slot()
    def mend(self) -> None:
        """Do what the chosen line of the findings offers for all of its kind."""
        self.save()
        if said := self.findings.mend():
            self._offer_undo(said)

    def _offer_undo(self, words: str) -> None:
        stack = self._model.undo_stack
        said = self._studio.news.note(words, action="Undo", on_action=stack.undo)
        self._said = (said, stack.index())

    def _choose(self, row: int) -> None:
        """Make a picture the chosen one, and the editor's."""
        self.grid.choose(row)
        path = self.shown.picture(row).path
        if self.editor.path != path:
            self.editor.show_picture(path)

    @Slot()
    def _on_refreshed(self) -> None:
        model, count = self._model, self._model.rows.rowCount()
        if self.masks.painting:
            pass
        elif count or model.findings.all:
            self._stack.setCurrentWidget(self._full)
        else:
            self._stack.setCurrentWidget(self.drop if model.project else self.welcome)
        self._show_count()
        found = len(model.findings.all)
        self._findings.setVisible(found > 0)
        self._findings.setText(count_of(found, "finding"))
        self._studio.actions["dataset.findings"].setVisible(found > 0)
        self._captions.setVisible(count > 0)
        self.unheeded.refresh()
        rates = [f"rate_{stars}" for stars in range(STARS + 1)]
        names = ("remove", "reword", "caption_all", "search", "tags", "as_tags", "unused")
        for name in (*names, *MASKS, "hold_out", "repeats", *rates):
            self._studio.actions[f"dataset.{name}"].setVisible(count > 0)
        self.findings.fit()
        if not found:
            self._findings.setChecked(False)
        self.search.show_counts()
        self._keep_together()
        self.editor.refresh()

    def _keep_together(self) -> None:
        """The editor's picture is the chosen one, whatever came, went or was put elsewhere."""
        if self._wanted is not None and self._model.rows.row_of(self._wanted) >= 0:
            wanted, self._wanted = self._wanted, None
            self._reveal(wanted)
            return
        row = self.shown.row_of(self.editor.path) if self.editor.path else -1
        if row >= 0:
            self._row = row
            selection = self.grid.selectionModel()
            if selection.currentIndex().row() != row or not selection.hasSelection():
                self.grid.choose(row)
        elif self.editor.path is not None and self.editor.writing:
            self.grid.choose_none()  # Qt has moved on; the person has not
        elif self.shown.rowCount():
            self._choose(min(self._row, self.shown.rowCount() - 1))
        elif self.editor.path is not None:
            self.editor.show_picture(None)

    @Slot()
    def _on_busy_changed(self) -> None:
        self._busy.setText(self._model.busy)
        self._studio.actions["dataset.stop"].setVisible(self._model.importing)
        self.drop.show_busy(self._model.busy)

    @Slot(int)
    def _on_zoomed(self, edge_px: int) -> None:
        self._model.rows.tile_px = edge_px
        self.grid.set_edge(edge_px)

    @Slot(object)
    def _on_finding_chosen(self, group: Group) -> None:
        """Show what a line of the findings tells of, copies beside what they are copies of."""
        self.save()
        beside: dict[Path | None, list[Path]] = {}
        for finding in group:
            beside.setdefault(finding.beside, []).append(finding.path)
        paths = [path for other, ones in beside.items() for path in (other, *ones) if path]
        if any(self._model.rows.row_of(path) >= 0 for path in paths):
            self.search.show_group(paths)
            self.editor.show_picture(None)
            self._choose(0)

    @Slot(bool)
    def _on_findings_toggled(self, shown: bool) -> None:  # noqa: FBT001 - Qt's
        self.findings.setVisible(shown)
        if not shown and self.findings.group is not None:
            self.findings.choose_none()
            self.search.show_group(None)

    def _reveal(self, path: Path) -> bool:
        """Choose a picture, also where a search had left it out; whether it is there."""
        if self._model.rows.row_of(path) >= 0 > self.shown.row_of(path):
            self.search.show_all()
        if (row := self.shown.row_of(path)) >= 0:
            self._choose(row)
        return row >= 0

    def go_to_search(self) -> None:
        """Turn to this page and search."""
        self.go_to(self.search.words)
        self.search.words.selectAll()

    @Slot()
    def _on_searched(self) -> None:
        self._show_count()
        self._keep_together()

    def _show_count(self) -> None:
        words = count_of(self._model.rows.rowCount(), "picture")
        self._count.setText(
            f"{self.shown.rowCount():,} of {words}" if self.shown.searched else words
        )

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if not self.shown.changing and current.isValid():
            self.editor.show_picture(current.data(Role.PATH))

    @Slot(object)
    def _on_touched(self, path: Path) -> None:
        """Show what an undo did; what is typed here is shown already."""
        if path == self.editor.path:
            return
        if not self._reveal(path):
            self._wanted = path

    @Slot(int)
    def _on_undo_moved(self, index: int) -> None:
        """The offer to undo is that of one thing, not of whatever is last."""
        if self._said and index != self._said[1]:
            self._studio.news.withdrawn.emit(self._said[0])
            self._said = None

    @Slot()
    def _on_closing(self) -> None:
        self.save()
        if self._model.project:
            root = self._model.project.root
            places.remember_chosen(self._studio.store, root, self.editor.path)

    @Slot()
    def _on_opened(self) -> None:
        project = self._studio.workspace.project
        self.editor.forget()
        self.search.show_all()
        self._wanted = places.chosen(self._studio.store, project.root) if project else None

    @Slot()
    def _on_add(self) -> None:
        suffixes = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        files, _ = QFileDialog.getOpenFileNames(
            self, "Choose your pictures", "", f"Pictures ({suffixes})"
        )
        if files:
            add_pictures(self._studio, [Path(file) for file in files])

    @Slot()
    def _on_add_folder(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose a folder of pictures"):
            add_pictures(self._studio, [Path(folder)])


def add_pictures(studio: Studio, paths: list[Path]) -> None:
    """Copy pictures into the open project, or a new one."""
    first = paths[0]
    if studio.workspace.project is None:
        # a drive's root has no name
        studio.workspace.open_new((first.name if first.is_dir() else "") or NEW_NAME)
    studio.dataset.import_paths(paths)


def add_picture(studio: Studio, image: QImage) -> None:
    """Save a picture that is no file into the open project, or a new one."""
    if studio.workspace.project is None:
        studio.workspace.open_new(NEW_NAME)
    studio.dataset.import_picture(image)


def make(studio: Studio) -> Page:
    """The page, for the window."""
    page = DatasetPage(studio)
    return Page(page, page.grid, page.save, page.masks.undo, page.masks.settle)
