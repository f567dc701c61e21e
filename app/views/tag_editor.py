"""A caption as chips, one a tag, and a line that adds more; says what a run may do to each."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from app.figures import count_of
from app.models.studio import Studio
from app.widgets import labels
from app.widgets.chips import Chip, Chips
from app.widgets.suggesting import SuggestingLine, Suggestions
from app.widgets.text import pass_undo
from core.config.options import DatasetConfig
from core.data import captions, variation
from core.data.tags import TagLine, in_pieces

LOOKS: dict[variation.Role, str] = {"trigger": "first", "kept": "fast", "loose": "loose"}


class TagEditor(QWidget):
    """Shows a caption and tells what it is to be; writes none."""

    changed = Signal(str)  # the whole caption

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings, self._tags = studio.settings, studio.tags
        self.line: TagLine = in_pieces("")
        self.chips = Chips(self._make_line)
        self.chips.setAccessibleName("Tags")
        self.more = SuggestingLine(self._suggest)
        self.more.setAccessibleName("Add a tag")
        self.more.setPlaceholderText("Add a tag")
        pass_undo(self.more)
        self.setFocusProxy(self.more)
        self.said = labels.small()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for part in (self.chips, self.more, self.said):
            layout.addWidget(part)
        self.chips.removed.connect(self._on_removed)
        self.chips.edited.connect(self._on_edited)
        self.chips.moved.connect(self._on_moved)
        self.chips.left.connect(self.more.setFocus)
        self.more.returnPressed.connect(self._on_added)
        self.more.taken.connect(self._on_added)
        self.more.textEdited.connect(self._on_typed)
        self.more.before.connect(self._on_before)
        self._settings.changed.connect(self.refresh)

    @property
    def writing(self) -> bool:
        """Whether keys go into it."""
        focused = QApplication.focusWidget()
        return focused is not None and self.isAncestorOf(focused)

    def finish(self) -> None:
        """What is typed and no tag yet becomes one: its picture is shown no longer."""
        self.chips.finish()
        if self.more.text().strip():
            self._on_added()

    def show_caption(self, caption: str) -> None:
        """Another caption; what is in the line stays there."""
        if caption != self.line.text:
            self.line = in_pieces(caption)
        self.refresh()

    def begin(self) -> None:
        """It is another picture's."""
        self.more.clear()
        self.chips.clearSelection()

    @Slot()
    def refresh(self) -> None:
        """Show the tags, and what the run's settings say of them now."""
        self._show(-1)

    def _show(self, current: int) -> None:
        config = self._settings.config
        dataset = config.dataset if config else DatasetConfig()
        roles, said = variation.roles(self.line.tags, dataset), said_of(dataset)
        for row, role in enumerate(roles):
            if role == "loose" and not said["loose"]:  # captions do not vary
                roles[row] = "kept"
        pairs = zip(self.line.tags, roles, strict=True)
        self.chips.show_chips([Chip(tag, LOOKS[r], said[r]) for tag, r in pairs], current)
        self.chips.setVisible(bool(roles))
        self.said.setText(self._words(roles, dataset))
        self.said.setVisible(bool(self.said.text()))

    def _words(self, roles: list[variation.Role], dataset: DatasetConfig) -> str:
        """What the chips' looks mean, of those that are here, and what is not to be seen."""
        said, words = said_of(dataset), []
        trigger = captions.in_one_line(dataset.trigger)
        if trigger and not captions.has_word(self.line.text, trigger):
            words.append(f"A run puts {trigger} in front.")
        if "trigger" in roles:
            words.append(f"Heavy: {said['trigger']}.")
        if said["loose"]:
            if "kept" in roles:
                words.append(f"Solid: {said['kept']}.")
            if "loose" in roles:
                words.append(f"Dashed: {said['loose']}.")
        if further := self.line.further:
            words.append(f"{count_of(further, 'further line')}, to be seen as text.")
        return " ".join(words)

    def _make_line(self, parent: QWidget) -> SuggestingLine:
        return SuggestingLine(self._suggest, parent)

    def _suggest(self, text: str, at: int) -> Suggestions:
        """Tags of the dataset that this caption lacks."""
        begin = text.rfind(",", 0, at) + 1
        begin += len(text[begin:at]) - len(text[begin:at].lstrip())
        end = text.find(",", at)
        found = self._tags.suggested(text[begin:at])
        words = [(tag, f"{n:,}") for tag, n in found if self.line.row_of(tag) < 0]
        return Suggestions(begin, end if end >= 0 else len(text), words)

    def _become(self, line: TagLine, current: int) -> None:
        if line.text == self.line.text:
            self._show(current)
            return
        self.line = line
        self._show(current)
        self.changed.emit(line.text)

    @Slot(int)
    def _on_removed(self, row: int) -> None:
        self._become(self.line.without(row), row)
        if not self.line.tags:
            self.more.setFocus()

    @Slot(int, str)
    def _on_edited(self, row: int, text: str) -> None:
        if row < len(self.line.tags):
            self._become(self.line.put(row, text), row)

    @Slot(int, int)
    def _on_moved(self, row: int, to: int) -> None:
        self._become(self.line.moved(row, to), to)

    @Slot()
    def _on_added(self) -> None:
        text = self.more.text()
        self.more.clear()
        self._add(text)

    @Slot(str)
    def _on_typed(self, text: str) -> None:
        """A comma ends a tag."""
        done, comma, rest = text.rpartition(",")
        if comma or text.isspace():
            self.more.setText(rest.lstrip())
        if comma:
            self._add(done)

    def _add(self, text: str) -> None:
        there = self.line.row_of(text.strip())
        line = self.line.added(text)
        self._become(line, there if there >= 0 else len(line.tags) - 1)

    @Slot()
    def _on_before(self) -> None:
        if self.line.tags:
            self.chips.go_to(len(self.line.tags) - 1)


def said_of(dataset: DatasetConfig) -> dict[variation.Role, str]:
    """What a run does with tags of each role, in words; nothing where captions do not vary."""
    loose: list[str] = []
    if dataset.shuffle_tags:
        loose.append("in any order")
    if dataset.tag_dropout:
        loose.append(f"left out {dataset.tag_dropout:.0%} of the time")
    kept = "stays in its place" if loose else ""
    return {"trigger": "the trigger word", "kept": kept, "loose": ", ".join(loose)}
