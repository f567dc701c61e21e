"""The search above the pictures: words, three views with how many each holds, and the order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QWidget,
)

from app.models import groups
from app.models.groups import Groups
from app.models.shown_rows import Fits, Order, ShownRows
from app.models.studio import Studio
from app.widgets import labels
from app.widgets.suggesting import SuggestingLine, Suggestions
from app.widgets.wall import Heading
from core.data import captions, query

ALL, SILENT, AMISS = range(3)
SEARCH_AFTER_MS = 150  # of no typing
ORDERS: dict[str, Order | None] = {
    "By name": None,
    "Newest first": lambda picture: -_changed(picture.path),
    "Smallest first": lambda picture: picture.width_px * picture.height_px,
    "Least sharp first": lambda picture: picture.measures.sharpness if picture.measures else 0,
    "Darkest first": lambda picture: sum(picture.measures.mean_colour) if picture.measures else 0,
    "Shortest caption first": lambda picture: len(picture.caption),
}
BEST = "Best rated first"
HELP = (
    "Words in captions and names. tag:red is a whole tag, tag:red* how one begins; name: and\n"
    "folder: look there alone; size<512, width, height, aspect, bytes>2MB, words, tags and\n"
    'tokens>75 compare; missing:caption; "red fox" as it stands; -night or NOT night leaves\n'
    "out; OR is either; ( ) keep together. rating>3, unused, heldout and masked\n"
    "are said of pictures.\n"
    "Down shows what can be said."
)
TAGS = 8  # that are offered at once


class PictureSearch(QWidget):
    """Decides which pictures are shown."""

    searched = Signal()  # other pictures are shown
    left = Signal()  # a group of findings is shown no longer

    def __init__(self, studio: Studio, shown: ShownRows, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dataset, self._shown = studio.dataset, shown
        self._tags, self._tokens = studio.tags, studio.tokens
        self.words = SuggestingLine(self._suggest)
        self.words.setPlaceholderText("Search: fox -night size<512 tag:red")
        self.words.setAccessibleName("Search pictures")
        self.words.setToolTip(HELP)
        self.words.setClearButtonEnabled(True)
        self._timer = QTimer(self, interval=SEARCH_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self.apply)
        self.words.textChanged.connect(self._timer.start)
        self.words.returnPressed.connect(self.apply)
        self.views = QButtonGroup(self)
        self.order = QComboBox()
        self.order.addItems([*ORDERS, BEST])
        self.order.setAccessibleName("Order of the pictures")
        self.order.activated.connect(self.apply)
        self.groups = QComboBox()
        self.groups.addItems(list(groups.CHOICES))
        self.groups.setAccessibleName("Groups of the pictures")
        self.groups.activated.connect(self.apply)
        self.named = Groups(studio.dataset, studio.framing, studio.settings)
        studio.framing.changed.connect(self._on_framing_changed)
        self._group: dict[Path, int] | None = None  # of findings, in the order they are shown in
        self._amiss_paths: set[Path] | None = None  # pictures with findings; None is not known
        self._amiss_count: int | None = None
        studio.dataset.findings.modelReset.connect(self._on_findings)
        rows = studio.dataset.rows
        for signal in (rows.rowsInserted, rows.rowsRemoved, rows.modelReset):
            signal.connect(self._on_rows)
        self._problem = labels.warning()
        self._problem.hide()
        self._going_on = labels.secondary("Searching...")
        self._going_on.setWordWrap(False)
        self._going_on.hide()
        self._tokens.changed.connect(self._on_tokens_changed)
        shown.found.connect(self._on_found)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.words, stretch=1)
        row.addWidget(self._problem)
        row.addWidget(self._going_on)
        for view in (ALL, SILENT, AMISS):
            button = QPushButton()
            button.setCheckable(True)
            button.setObjectName("view")
            self.views.addButton(button, view)
            row.addWidget(button)
        row.addWidget(self.groups)
        row.addWidget(self.order)
        self.views.button(ALL).setChecked(True)
        self.views.idClicked.connect(self._on_view)
        self.show_counts()

    def show_counts(self) -> None:
        """How many pictures each view holds now."""
        rows = self._dataset.rows
        if self._amiss_count is None:  # of 100,000 findings it takes a tenth of a second
            self._amiss_count = sum(rows.row_of(path) >= 0 for path in self._amiss())
        counts = {ALL: rows.rowCount(), SILENT: rows.silent, AMISS: self._amiss_count}
        titles = {ALL: "All", SILENT: "No caption", AMISS: "Problems"}
        for view, count in counts.items():
            button = self.views.button(view)
            button.setText(f"{titles[view]} {count:,}")
            button.setVisible(view == ALL or count > 0 or button.isChecked())

    def show_all(self) -> None:
        """Search for nothing."""
        self.words.clear()
        self.views.button(ALL).setChecked(True)
        self._on_view()

    def show_group(self, paths: Sequence[Path] | None) -> None:
        """Show these alone, in this order, until another view is chosen; None is all problems."""
        self._group = None if paths is None else {path: n for n, path in enumerate(paths)}
        self.words.clear()
        self.views.button(ALL if paths is None else AMISS).setChecked(True)
        self.apply()

    @Slot(object)
    def show_tags(self, tags: Sequence[str]) -> None:
        """Show the pictures that have any of these."""
        self.views.button(ALL).setChecked(True)
        self.words.setText(query.of_tags(tags))
        self._on_view()

    @Slot()
    def _on_view(self) -> None:
        self._group = None
        self.left.emit()
        self.apply()

    @Slot()
    def apply(self) -> None:
        """Show what fits now."""
        self._timer.stop()
        try:
            marks = self._dataset.marking.said
            fits = query.parse(self.words.text(), self._counter(), marks.of)
        except query.QueryError as error:
            self._problem.setText(str(error))
            self._problem.show()
            return
        self._problem.hide()
        order = ORDERS.get(self.order.currentText())
        if self.order.currentText() == BEST:
            order = lambda picture: -marks.of(picture.path).rating  # noqa: E731
        if (group := self._group) is not None:
            order = lambda picture: group[picture.path]  # noqa: E731
        grouping = self.named.by(self.groups.currentText()) if group is None else None
        self._shown.show_only(self._both(self._view(), fits), order, grouping)
        self._going_on.setVisible(self._shown.searching)

    @Slot()
    def _on_found(self) -> None:
        self._going_on.hide()
        self.show_counts()
        self.searched.emit()

    def headings(self) -> list[Heading]:
        """Of the groups that are shown."""
        words = self.named.headings(self.groups.currentText(), self._shown)
        sections = self._shown.sections
        return [Heading(said, count) for said, (_, count) in zip(words, sections, strict=True)]

    @Slot()
    def _on_framing_changed(self) -> None:
        if self.groups.currentText() == groups.SHAPES:
            self.apply()

    def _counter(self) -> query.Count | None:
        """A vocabulary is read only where tokens are searched for."""
        return self._tokens.counter() if query.counts_tokens(self.words.text()) else None

    @Slot()
    def _on_tokens_changed(self) -> None:
        if query.counts_tokens(self.words.text()):
            self.apply()

    def _suggest(self, text: str, at: int) -> Suggestions:
        """What can be searched for, and tags of the dataset."""
        begin, end = query.word_at(text, at)
        typed = text[begin:at].casefold()
        if typed.startswith("tag:"):
            return Suggestions(begin, end, self._tags_like(typed[4:].lstrip('"')))
        keys = [(key, said) for key, said in query.KEYS.items() if key.startswith(typed)]
        return Suggestions(begin, end, [*keys, *(self._tags_like(typed) if typed else [])])

    def _tags_like(self, typed: str) -> list[tuple[str, str]]:
        found = self._tags.suggested(typed)[:TAGS]
        return [(query.of_tags([tag]), f"{count:,}") for tag, count in found]

    def _view(self) -> Fits | None:
        match self.views.checkedId():
            case 1:
                return lambda picture: captions.says_nothing(picture.caption)
            case 2:
                amiss = self._amiss() if self._group is None else self._group
                return lambda picture: picture.path in amiss
            case _:
                return None

    def _amiss(self) -> set[Path]:
        if self._amiss_paths is None:
            found = self._dataset.findings.all
            self._amiss_paths = {finding.path for finding in found if finding.usable}
        return self._amiss_paths

    @Slot()
    def _on_findings(self) -> None:
        self._amiss_paths = self._amiss_count = None

    @Slot()
    def _on_rows(self) -> None:
        self._amiss_count = None

    @staticmethod
    def _both(one: Fits | None, other: Fits | None) -> Fits | None:
        if one is None or other is None:
            return one or other
        return lambda picture: one(picture) and other(picture)


def _changed(path: Path) -> float:
    """When a file was changed last; 0 where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0
