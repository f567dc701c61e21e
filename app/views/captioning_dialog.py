"""Captions by a model: proposed one after the other, looked through, changed, and then written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.figures import count_of, duration
from app.models.proposals import NOW, PICTURE, THEN, TILE_PX, Proposals
from app.models.rewriting import Changes
from app.models.studio import Studio
from app.views.captioner_choice import CaptionerChoice
from app.widgets import labels
from core.data import captions
from core.data.proposals import (
    CHARACTER_THRESHOLD,
    LEAST_SCORE,
    THRESHOLD,
    Merge,
    Rules,
    words_of,
)
from core.data.scan import Picture
from core.protocol.events import Failed

MERGES: tuple[tuple[Merge, str], ...] = (
    ("leave", "Leave it as it is"),
    ("replace", "Replace it"),
    ("before", "Put the new one before it"),
    ("after", "Put the new one after it"),
)
CHOSEN, SILENT, ALL = range(3)
PREFIX = "captioning"  # of what is remembered, in the program's own settings
MOST = 200  # tags
SIZE_PX = (960, 640)
PICTURE_PX = 220
INSET = (8, 0, 8, 0)  # of numbers, whose style gives them none
Index = QModelIndex | QPersistentModelIndex


class CaptioningDialog(QDialog):
    """Nothing is written before `applied`. Closed, it goes on; opened again, all is there."""

    applied = Signal(object)  # Changes

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Caption automatically")
        self.resize(*SIZE_PX)
        self._studio, self._captioner = studio, studio.captioner
        self._of: list[list[Picture]] = [[], [], []]
        self._silent: set[Path] = set()  # those that have no caption
        self.model = CaptionerChoice(studio)
        self.scope, self.merge = QComboBox(), QComboBox()
        for merge, words in MERGES:
            self.merge.addItem(words, merge)
        self.wish, self.prompt = QComboBox(), QLineEdit()
        self.threshold, self.characters = _share(THRESHOLD), _share(CHARACTER_THRESHOLD)
        self.most = QSpinBox()
        self.most.setRange(0, MOST)
        self.most.setSpecialValueText("any number")
        self.most.lineEdit().setTextMargins(*INSET)
        self.leave_out = QLineEdit()
        self._failure = ""  # why the last job ended early, or a folder holds no model
        self.proposals = Proposals(studio.tiles, self._caption_of, self)
        self.table = _Table(self.proposals)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("How many pictures are captioned")
        self.said = labels.secondary()
        self.go, self.apply = QPushButton("Start"), QPushButton("Write captions")
        self._arrange()
        self._remembered()
        self._connect()
        self._on_model_chosen()
        self._on_changed()

    def _arrange(self) -> None:
        self._names: dict[QWidget, QLabel] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        for row, column, name, widget in (
            (0, 0, "Model", self.model),
            (1, 0, "Pictures", self.scope),
            (1, 2, "Where there is a caption", self.merge),
            (2, 0, "Ask for", self.wish),
            (2, 2, "", self.prompt),
            (3, 0, "Tags surer than", self.threshold),
            (3, 2, "Known characters surer than", self.characters),
            (4, 0, "Leave out", self.leave_out),
            (4, 2, "Tags at the most", self.most),
        ):
            label = self._names[widget] = QLabel(name)
            label.setBuddy(widget)
            widget.setAccessibleName(name)
            grid.addWidget(label, row, column)
            grid.addWidget(widget, row, column + 1, 1, 3 if widget is self.model else 1)
        self.leave_out.setPlaceholderText("with commas between, such as: a drawing of, simple")
        below = QHBoxLayout()
        below.setSpacing(16)
        below.addWidget(self.said, stretch=1)
        below.addWidget(self.go)
        buttons = QHBoxLayout()
        self._all, self._none, close = (QPushButton(w) for w in ("Tick all", "Tick none", "Close"))
        for button in (self._all, self._none):
            buttons.addWidget(button)
        buttons.addStretch()
        buttons.addWidget(close)
        buttons.addWidget(self.apply)
        for button in (self._all, self._none, close, self.apply):
            button.setAutoDefault(False)
        close.clicked.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addLayout(grid)
        layout.addLayout(below)
        layout.addWidget(self.bar)
        layout.addWidget(self.table, stretch=1)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.model.chosen.connect(self._on_model_chosen)
        self.model.refused.connect(self._on_refused)
        self._captioner.failed.connect(lambda failed: self._on_refused(_sentence(failed)))
        self._captioner.changed.connect(self._on_changed)
        self._captioner.told.connect(self.proposals.add)
        self.proposals.counted.connect(self._on_counted)
        self._studio.dataset.refreshed.connect(self.proposals.refresh)
        self._studio.workspace.opened.connect(self.proposals.clear)
        self.scope.currentIndexChanged.connect(self._on_changed)
        self.wish.currentIndexChanged.connect(self._on_wish_chosen)
        self.merge.currentIndexChanged.connect(self._on_rules_changed)
        self.prompt.textChanged.connect(self._on_changed)
        self.leave_out.textChanged.connect(self._on_rules_changed)
        for number in (self.threshold, self.characters, self.most):
            number.valueChanged.connect(self._on_rules_changed)
        self.go.clicked.connect(self._on_go)
        self.apply.clicked.connect(self._on_apply)
        self._all.clicked.connect(lambda: self.proposals.take_all(taken=True))
        self._none.clicked.connect(lambda: self.proposals.take_all(taken=False))

    def show_pictures(self, chosen: Sequence[Picture], shown: Sequence[Picture]) -> None:
        """Offer these; several that are chosen are meant alone."""
        silent = [one for one in shown if captions.says_nothing(one.caption)]
        self._of = [list(chosen), silent, list(shown)]
        self._silent = {
            one.path for one in (*silent, *chosen) if captions.says_nothing(one.caption)
        }
        words = (
            f"The {count_of(len(chosen), 'chosen picture')}",
            f"{count_of(len(silent), 'picture')} without a caption",
            f"All {count_of(len(shown), 'picture')} shown",
        )
        self.scope.blockSignals(True)
        self.scope.clear()
        self.scope.addItems(words)
        self.scope.setCurrentIndex(CHOSEN if len(chosen) > 1 else SILENT if silent else ALL)
        self.scope.blockSignals(False)
        self._on_rules_changed()

    def _caption_of(self, path: Path) -> str | None:
        rows = self._studio.dataset.rows
        row = rows.row_of(path)
        return rows.pictures[row].caption if row >= 0 else None

    @property
    def rules(self) -> Rules:
        config = self._studio.settings.config
        return Rules(
            merge=self.merge.currentData(),
            threshold=self.threshold.value(),
            character_threshold=self.characters.value(),
            most=self.most.value(),
            leave_out=words_of(self.leave_out.text()),
            trigger=config.dataset.trigger if config else "",
        )

    @property
    def asked(self) -> str:
        """The prompt: the person's own words, or those of the chosen wish."""
        own = self.prompt.text().strip() if not self.prompt.isHidden() else ""
        return own or str(self.wish.currentData() or "")

    def _waiting(self) -> list[str]:
        """Those of the chosen pictures that Start would caption."""
        found = self.model.captioner
        if found is None or self.scope.currentIndex() < 0:
            return []
        paths = [one.path for one in self._of[self.scope.currentIndex()]]
        if self.merge.currentData() == "leave":
            paths = [path for path in paths if path in self._silent]
        return self._captioner.untold(paths, str(found.path), self.asked)

    @Slot()
    def _on_model_chosen(self) -> None:
        self._failure = ""
        kind = self.model.captioner.kind if self.model.captioner else None
        self.wish.blockSignals(True)
        self.wish.clear()
        for wish in kind.wishes if kind else ():
            self.wish.addItem(wish.title, wish.prompt)
        self.wish.blockSignals(False)
        self.prompt.setText(str(self._studio.store.value(f"{PREFIX}/{kind.name}", "") or "")
                            if kind else "")  # fmt: skip
        self._names[self.prompt].setText(kind.prompt if kind and kind.prompt else "")
        for widgets, seen in (
            ((self.wish,), bool(kind and kind.wishes)),
            ((self.prompt,), bool(kind and kind.prompt)),
            ((self.threshold, self.characters, self.most), bool(kind and kind.tags)),
        ):
            for widget in widgets:
                widget.setVisible(seen)
                self._names[widget].setVisible(seen)
        self.prompt.setAccessibleName(self._names[self.prompt].text())
        self._on_wish_chosen()

    @Slot(str)
    def _on_refused(self, words: str) -> None:
        self._failure = words
        self._on_changed()

    @Slot()
    def _on_wish_chosen(self) -> None:
        words = str(self.wish.currentData() or "")
        self.prompt.setPlaceholderText(words)
        self.prompt.setToolTip(words)
        self._on_changed()

    @Slot()
    def _on_rules_changed(self) -> None:
        self.proposals.set_rules(self.rules)
        self._on_changed()

    @Slot()
    def _on_changed(self) -> None:
        captioner = self._captioner
        for widget in (self.model, self.scope, self.wish, self.prompt):
            widget.setEnabled(not captioner.busy)
        done, total = captioner.progress.done, captioner.progress.total
        self.bar.setVisible(captioner.busy)
        self.bar.setRange(0, total if done else 0)
        self.bar.setValue(done)
        waiting = [] if captioner.busy else self._waiting()
        if captioner.busy:
            self.go.setText("End now" if captioner.stopping else "Stop")
        else:
            self.go.setText(f"Caption {count_of(len(waiting), 'picture')}" if waiting else "Start")
        self.go.setEnabled(captioner.busy or bool(waiting))
        _primary(self.go, yes=not captioner.busy and bool(waiting))
        self.said.setText(self._words(len(waiting)))
        self._on_counted()

    def _words(self, waiting: int) -> str:
        """How far it is, or what is missing."""
        captioner, progress = self._captioner, self._captioner.progress
        if captioner.stopping:
            return "Stopping after the picture in hand. What was proposed stays."
        if captioner.busy:
            left = f", {duration(progress.seconds_left)} left" if progress.seconds_left else ""
            number = f": {progress.done:,} of {progress.total:,}" if progress.done else ""
            return f"{progress.phase}{number}{left}."
        said = [self._failure] if self._failure else []
        if self.model.captioner is None:
            said.append("Choose a model first: it stays on this machine, and so do your pictures.")
        elif not waiting and not self.proposals.rowCount():
            said.append("All these pictures have a caption, which is left as it is.")
        if passed := captioner.passed_over:
            more = f" And {len(passed) - 1:,} more." if len(passed) > 1 else ""
            said.append(f"{passed[0].message}{more}")
        return " ".join(said) or "Nothing is written before you say so."

    @Slot()
    def _on_counted(self) -> None:
        ready = self.proposals.ready
        count = len(self.proposals.changes()) if ready else 0
        if ready:
            self._captioner.unwritten = count
        self.apply.setEnabled(count > 0)
        self.apply.setText(f"Write {count_of(count, 'caption')}" if count else "Write captions")
        _primary(self.apply, yes=count > 0 and self.go.objectName() != "primary")
        for button in (self._all, self._none):
            button.setEnabled(self.proposals.rowCount() > 0)

    @Slot()
    def _on_go(self) -> None:
        found = self.model.captioner
        if self._captioner.busy or found is None:
            self._captioner.stop()
            return
        self._remember()
        self._failure = ""
        self._captioner.caption(str(found.path), self.asked, self._waiting())

    @Slot()
    def _on_apply(self) -> None:
        self.table.setFocus()  # what is being typed counts
        changes: Changes = self.proposals.changes()
        self._remember()
        self.applied.emit(changes)
        if self._captioner.busy:  # the others are still to come
            self._captioner.written(changes)
            self.proposals.drop(set(changes))
        else:
            self._captioner.forget()
            self.proposals.clear()
            self.accept()

    def _remember(self) -> None:
        store, kind = self._studio.store, self.model.captioner
        if kind and kind.kind.prompt:
            store.setValue(f"{PREFIX}/{kind.kind.name}", self.prompt.text())
        for name, value in (
            ("threshold", self.threshold.value()),
            ("characters", self.characters.value()),
            ("most", self.most.value()),
            ("leave_out", self.leave_out.text()),
        ):
            store.setValue(f"{PREFIX}/{name}", value)

    def _remembered(self) -> None:
        value = self._studio.store.value
        self.threshold.setValue(float(str(value(f"{PREFIX}/threshold", THRESHOLD))))
        self.characters.setValue(float(str(value(f"{PREFIX}/characters", CHARACTER_THRESHOLD))))
        self.most.setValue(int(str(value(f"{PREFIX}/most", 0))))
        self.leave_out.setText(str(value(f"{PREFIX}/leave_out", "") or ""))


class _Table(QTableView):
    """Pictures, and captions now and then; Space ticks, F2 or a double click changes."""

    def __init__(self, model: Proposals, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setObjectName("proposals")
        self.setAccessibleName("Proposed captions")
        self.setIconSize(QSize(TILE_PX, TILE_PX))
        self.setWordWrap(True)
        self.setTabKeyNavigation(False)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setItemDelegateForColumn(THEN, _Typing(self))
        self.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        rows = self.verticalHeader()
        rows.hide()
        rows.setDefaultSectionSize(TILE_PX + 12)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(NOW, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(THEN, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(PICTURE, PICTURE_PX)


class _Typing(QStyledItemDelegate):
    """A caption in several lines; Return is done, Shift with it begins another line."""

    @override
    def createEditor(
        self, parent: QWidget, _option: QStyleOptionViewItem, _index: Index
    ) -> QWidget:
        editor = QPlainTextEdit(parent)
        editor.setAccessibleName("Proposed caption")
        editor.setTabChangesFocus(True)
        return editor

    @override
    def setEditorData(self, editor: QWidget, index: Index) -> None:
        if isinstance(editor, QPlainTextEdit):
            editor.setPlainText(str(index.data(Qt.ItemDataRole.EditRole)))
            editor.selectAll()

    @override
    def setModelData(self, editor: QWidget, model: object, index: Index) -> None:
        if isinstance(editor, QPlainTextEdit) and isinstance(model, Proposals):
            model.setData(index, editor.toPlainText())

    @override
    def eventFilter(self, editor: object, event: QEvent) -> bool:
        """Return alone is done, as in a line; Qt's own would begin a line with it."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            ends = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            if ends and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.commitData.emit(editor)
                self.closeEditor.emit(editor)
                return True
        return super().eventFilter(editor, event)  # pyright: ignore[reportArgumentType]


def _sentence(failed: Failed) -> str:
    return f"{failed.message} {failed.hint}".strip()


def _share(value: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(LEAST_SCORE, 1.0)
    box.setSingleStep(0.05)
    box.setValue(value)
    box.lineEdit().setTextMargins(*INSET)
    return box


def _primary(button: QPushButton, *, yes: bool) -> None:
    """Whether it is the next thing to do now."""
    name = "primary" if yes else ""
    if button.objectName() != name:
        button.setObjectName(name)
        button.style().unpolish(button)
        button.style().polish(button)
