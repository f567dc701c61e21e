"""The Adapters page: what there is, what each file is, and what can be made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QImage, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.figures import count_of
from app.models import pictures
from app.models.adapters import ABOUT, READERS, AdapterCards
from app.models.run_record import style_words
from app.models.runs import AdapterCard
from app.models.studio import Studio
from app.views import story
from app.views.adapter_forms import JoinForm, ResizeForm, SaveForm
from app.views.making_dialog import Form, MakingDialog
from app.views.model_forms import BakeForm, ExtractForm
from app.views.page import Page
from app.views.worn import ask_for_adapter
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.described import Described
from app.widgets.empty import Empty
from app.widgets.picture import PictureView
from app.widgets.proof import Proof
from app.widgets.scrolled import Scrolled

PLACE = "Adapters"
LEAST_PX, WIDEST_PX = 360, 560  # the panel beside the list
PICTURE_PX = 96  # its least height


class AdaptersPage(QWidget):
    """Choose one, see what it is, use it elsewhere, or make another of it."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio = studio
        self.cards = AdapterCards(studio.shelf, studio.inspector, studio.tiles, self)
        self.dialog: MakingDialog | None = None  # the last that was opened
        self._chosen: Path | None = None
        self.list = Described((ABOUT, READERS))
        self.list.setModel(self.cards)
        self.list.setAccessibleName("Adapters")
        self._add_actions()
        self._count = labels.heading()
        full = QWidget()
        column = QVBoxLayout(full)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self._count, stretch=1)
        for action in (self._open, self._extract):
            bar.addWidget(ActionButton(action))
        column.addLayout(bar)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.list, stretch=1)
        self._panel = self._make_panel()
        row.addWidget(self._panel, stretch=1)
        column.addLayout(row, stretch=1)
        words = "What you train appears here: a file for ComfyUI, Forge, A1111 and diffusers."
        begin = ActionButton(studio.actions["page.train"], primary=True)
        others = [ActionButton(action) for action in (self._open, self._extract)]
        empty = Empty(story.file(), "No adapter yet", words, [begin, *others])
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        self._stack.addWidget(full)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.addWidget(self._stack)
        self._to_look = QTimer(self, interval=0, singleShot=True)  # once for many changes
        self._to_look.timeout.connect(self._look)
        self.cards.modelReset.connect(self._on_reset)
        self.cards.dataChanged.connect(self._show_current)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        studio.shelf.opened.connect(self._on_opened)
        studio.runs.reset.connect(self._show_current)
        self._on_reset()

    def _add_actions(self) -> None:
        def add(name: str, words: str, do: Callable[[], object]) -> QAction:
            return self._studio.actions.add(f"adapter.{name}", words, do, place=PLACE)

        self._open = add("open", "Open a file...", self._on_open_wished)
        self._extract = add("extract", "Take out of a model...", self._on_extract_wished)
        self._extract.setToolTip("What a fine-tuned model has learnt, as an adapter")
        self._save = add("save", "Save for other programs...", lambda: self._make(SaveForm))
        self._draw = add("draw", "Draw with it", self._on_draw)
        self._more = [
            add("resize", "Change the rank...", lambda: self._make(ResizeForm)),
            add("join", "Join with another...", lambda: self._make(JoinForm)),
            add("bake", "Put into a base model...", lambda: self._make(BakeForm)),
        ]
        self._copy = add("copy", "Copy the trigger word", self._on_copy)
        self._folder = add("folder", "Show in folder", self._on_folder)
        self._close = add("close", "Take off this list", self._on_close)

    def _make_panel(self) -> QFrame:
        panel = QFrame()
        panel.setObjectName("panel")
        panel.setMinimumWidth(LEAST_PX)
        panel.setMaximumWidth(WIDEST_PX)
        self.picture = PictureView(square=True)
        self.picture.setMinimumHeight(PICTURE_PX)
        self.picture.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.name = labels.title("")
        self.facts = labels.secondary()
        self.facts.setTextInteractionFlags(labels.SELECTABLE)
        self.problem = labels.warning()
        self.problem.setWordWrap(True)
        self.proof = Proof()
        inside = QWidget()
        about = QVBoxLayout(inside)
        about.setContentsMargins(0, 0, 8, 0)
        about.setSpacing(8)
        for part in (self.name, self.problem, self.facts, self.proof):
            about.addWidget(part)
        self._scrolled = Scrolled(inside)
        self._scrolled.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # arrows scroll
        self._scrolled.setAccessibleName("What it is")
        menu = QMenu(self)
        menu.addActions(self._more)
        menu.addSeparator()
        menu.addActions([self._copy, self._folder, self._close])
        more = QPushButton("More")
        more.setAccessibleName("More that can be done with it")
        more.setMenu(menu)
        column = QVBoxLayout(panel)
        column.setContentsMargins(16, 16, 8, 16)
        column.setSpacing(8)
        column.addWidget(self.picture, stretch=1000)  # all that the words leave
        column.addWidget(self._scrolled)
        column.addStretch(1)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 8, 0)
        row.setSpacing(8)
        row.addWidget(ActionButton(self._save, primary=True, words="Save for..."), stretch=1)
        row.addWidget(ActionButton(self._draw), stretch=1)
        row.addWidget(more)
        column.addLayout(row)
        return panel

    @override
    def showEvent(self, event: QShowEvent) -> None:
        self._to_look.start()
        super().showEvent(event)

    @Slot()
    def _look(self) -> None:
        """Find out what they are, the chosen one first; only where somebody looks."""
        if self.isVisible():
            paths = [card.path for card in self.cards.cards]
            self._studio.inspector.want(sorted(paths, key=lambda path: path != self._chosen))

    def _current(self) -> AdapterCard | None:
        index = self.list.currentIndex()
        return self.cards.cards[index.row()] if index.isValid() else None

    @Slot()
    def _on_reset(self) -> None:
        self._stack.setCurrentIndex(1 if self.cards.cards else 0)
        self._count.setText(count_of(len(self.cards.cards), "adapter"))
        paths = [card.path for card in self.cards.cards]
        if paths:
            self.list.choose(paths.index(self._chosen) if self._chosen in paths else 0)
        self._on_current_changed()
        self._to_look.start()

    @Slot(object)
    def _on_opened(self, path: Path) -> None:
        """It is what the person wants to see."""
        paths = [card.path for card in self.cards.cards]
        if path in paths:
            self.list.choose(paths.index(path))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, *_indexes: QModelIndex) -> None:
        card = self._current()
        self._panel.setVisible(card is not None)
        for action in (self._save, self._draw, *self._more, self._copy, self._folder, self._close):
            action.setVisible(card is not None)
        self._chosen = card.path if card else None
        self._show_current()
        if card is None:
            return
        self._close.setVisible(self._studio.shelf.was_opened(card.path))
        self.picture.setVisible(card.picture is not None)
        self.picture.show_image(pictures.load(card.picture) if card.picture else QImage())
        self._scrolled.verticalScrollBar().setValue(0)

    @Slot()
    def _show_current(self) -> None:
        """What is known of it."""
        card = self._current()
        if card is None:
            return
        known = self._studio.inspector.known(card.path)
        self.name.setText(card.path.stem)
        origin = f"{card.words}, " if card.run else ""
        facts = [f"{origin}{card.size_bytes / 2**20:.1f} MiB"]
        if card.style:
            facts.append(style_words(card.style))
        facts += known.words if known else ["Looking at it..."]
        if card.only_here:
            facts.append("Only Stylewright's demo base model can use it.")
        self.facts.setText("\n".join(facts))
        self.facts.setToolTip(str(card.path))
        self.problem.setText(known.problem if known else "")
        self.problem.setVisible(bool(known and known.problem))
        readers = known.readers if known and not card.only_here else []
        self.proof.show_readers([(one.program, one.words, one.whole) for one in readers])
        usable = not (known and known.problem)
        for action in (self._save, *self._more):
            action.setEnabled(usable)
        run = self._studio.runs.shown  # whose base is drawn with, and which keeps the pictures
        self._draw.setEnabled(usable and run is not None)
        self._draw.setToolTip("" if run else "Train a run first: its base model is drawn with")
        self._copy.setEnabled(bool(self._trigger()))

    def _trigger(self) -> str:
        card = self._current()
        known = self._studio.inspector.known(card.path) if card else None
        return (known.trigger if known else "") or (card.trigger if card else "")

    def _make(self, form: Callable[[Studio, AdapterCard], Form]) -> None:
        if card := self._current():
            self._offer(form(self._studio, card))

    def _offer(self, form: Form) -> None:
        dialog = self.dialog = MakingDialog(self._studio, form, self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def _on_extract_wished(self) -> None:
        self._offer(ExtractForm(self._studio))

    @Slot()
    def _on_open_wished(self) -> None:
        self._studio.actions["page.adapters"].trigger()
        if path := ask_for_adapter(self):
            self._studio.shelf.open(path)

    @Slot()
    def _on_close(self) -> None:
        if card := self._current():
            self._studio.shelf.close(card.path)

    @Slot()
    def _on_copy(self) -> None:
        if trigger := self._trigger():
            QApplication.clipboard().setText(trigger)
            self._studio.news.note(f"Copied {trigger}")

    @Slot()
    def _on_folder(self) -> None:
        if card := self._current():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(card.path.parent)))

    @Slot()
    def _on_draw(self) -> None:
        if card := self._current():
            self._studio.runs.pick(card.path)
            self._studio.actions["page.preview"].trigger()


def make(studio: Studio) -> Page:
    """The page, for the window."""
    page = AdaptersPage(studio)
    return Page(page, page.list)
