"""One picture, large, and its caption as text or as tags, which is saved as it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QTimer, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.figures import count_of
from app.models.studio import Studio
from app.views import places
from app.widgets import labels
from app.widgets.button import ActionButton
from app.widgets.picture import CropView
from app.widgets.text import pass_undo
from core.data.scan import Picture

if TYPE_CHECKING:
    from app.views.tag_editor import TagEditor

SAVE_AFTER_MS = 400  # of no typing
LARGE_AFTER_MS = 80  # of no further choice
LINES, LEAST_LINES = 6, 2
LEAST_PX = 64  # of the picture


class CaptionEditor(QFrame):
    """Belongs to a picture until another is chosen, also while its file is gone for a moment.

    Only what was typed here is ever written.
    """

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._studio, self._model = studio, studio.dataset
        self._tiles, self._large = studio.tiles, studio.large
        self._framing, self._tokens = studio.framing, studio.tokens
        self.path: Path | None = None
        self._now = self._based_on = ""  # the caption here, and what it was before it was changed
        self._modified = False
        self._unsaved: dict[Path, tuple[str, str]] = {}  # what could not be written, its base
        self._picture = CropView("Choose a picture to see and caption it.")
        self._name = labels.small()
        self._text = QPlainTextEdit()
        self._text.setAccessibleName("Caption")
        self._text.setPlaceholderText("What the picture shows, without its style")
        self._text.setTabChangesFocus(True)
        self._text.setAcceptDrops(False)  # a dropped file would become its address
        line = self._text.fontMetrics().lineSpacing()
        self._text.setMinimumHeight(LEAST_LINES * line + 20)
        self._text.setMaximumHeight(LINES * line + 20)
        pass_undo(self._text)
        self._tags: TagEditor | None = None
        self._count = labels.small()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        self._picture.setMinimumHeight(LEAST_PX)
        layout.addWidget(self._picture, stretch=1)
        about = QHBoxLayout()
        about.setSpacing(8)
        about.addWidget(self._name, stretch=1)
        about.addWidget(ActionButton(studio.actions["dataset.mask"], words="Mask"))
        layout.addLayout(about)
        layout.addLayout(self._make_head())
        for widget in (self._text, self._count):
            layout.addWidget(widget)
        self._timer = QTimer(self, interval=SAVE_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self.save)
        self._settled = QTimer(self, interval=LARGE_AFTER_MS, singleShot=True)
        self._settled.timeout.connect(self._show_large)
        self._text.textChanged.connect(self._on_text_changed)
        self._tiles.ready.connect(self._on_tile_ready)
        self._large.ready.connect(self._on_large_ready)
        self._picture.pointed.connect(self._on_pointed)
        self._picture.centred.connect(self._on_centred)
        self._framing.changed.connect(self.refresh)
        self._tokens.changed.connect(self._show_count)
        self._model.aims.changed.connect(self.refresh)
        self.write_as(tags=places.captions_as_tags(self._studio.store))
        self.show_picture(None)

    def _make_head(self) -> QHBoxLayout:
        """What it is, and the two ways to write it."""
        heading = QLabel("Caption")
        heading.setBuddy(self._text)
        self._ways = QButtonGroup(self)
        row = QHBoxLayout()
        row.addWidget(heading, stretch=1)
        for way, words in enumerate(("Text", "Tags")):
            button = QPushButton(words)
            button.setObjectName("view")
            button.setCheckable(True)
            button.setAccessibleName(f"Caption as {words.lower()}")
            self._ways.addButton(button, way)
            row.addWidget(button)
        self._ways.idClicked.connect(lambda way: self.write_as(tags=bool(way)))
        return row

    @property
    def tags(self) -> TagEditor:
        """The caption as tags; made when it is first wanted, since no start has need of it."""
        if self._tags is None:
            from app.views.tag_editor import TagEditor

            self._tags = TagEditor(self._studio, self)
            self._tags.setVisible(self.as_tags)
            self._tags.setEnabled(self.path is not None)
            self._tags.changed.connect(self._on_tags_changed)
            column = self.layout()
            if isinstance(column, QVBoxLayout):
                column.insertWidget(column.indexOf(self._text) + 1, self._tags)
        return self._tags

    @property
    def as_tags(self) -> bool:
        """Whether the caption is shown as tags."""
        return self._ways.checkedId() == 1

    def write_as(self, *, tags: bool) -> None:
        """Show the caption as tags or as a text from now on; what was typed is saved."""
        focused = self.writing_now
        self._finish()
        self._ways.button(int(tags)).setChecked(True)
        self._text.setVisible(not tags)
        if tags or self._tags is not None:
            self.tags.setVisible(tags)
        shown = self.tags if tags else self._text
        self.setFocusProxy(shown)
        self._set_text(self._now)
        places.remember_captions(self._studio.store, as_tags=tags)
        if focused:
            shown.setFocus()

    def switch(self) -> None:
        """To the other way to write it."""
        self.write_as(tags=not self.as_tags)

    def show_picture(self, path: Path | None) -> None:
        """Save what was written, then show another picture."""
        self._finish()
        self.path = path
        self._text.setEnabled(path is not None)
        if self._tags is not None:
            self._tags.setEnabled(path is not None)
            self._tags.begin()
        small = self._tiles.get(path) if path else None
        self._picture.show_image(small or QImage())
        self._settled.start()
        self._based_on, self._modified = "", False
        self._set_text("")
        if path in self._unsaved:
            text, self._based_on = self._unsaved[path]
            self._set_text(text)
            self._modified = True
        self.refresh()

    def refresh(self) -> None:
        """Show the caption as the model has it, unless the person is writing it."""
        if self.path is None:
            self._name.setText("")
            self._picture.show_kept(QRectF(0, 0, 1, 1))
            return
        row = self._model.rows.row_of(self.path)
        if row < 0:
            kept = " What you write is kept." if self._modified else ""
            self._name.setText(f"{self.path.name} is not there just now.{kept}")
            return
        picture = self._model.rows.pictures[row]
        self._show_crop(picture)
        if not self._modified and self._based_on != picture.caption:
            self._based_on = picture.caption
            self._set_text(picture.caption)
        elif self._modified and not self._timer.isActive():
            self._timer.start()  # it could not be saved while the picture was gone
        self._show_count()

    def _show_crop(self, picture: Picture) -> None:
        """What is learnt of it, and how large."""
        kept = self._framing.kept_of(picture, self._model.aims.points.get(picture.path))
        bucket = self._framing.bucket_of(picture)
        self._picture.show_kept(kept)
        words = f"{picture.path.name}   {picture.width_px} x {picture.height_px} px"
        if bucket is not None:
            words += f", learnt at {bucket.width} x {bucket.height}"
        if self._picture.cuts:
            lost = 1 - kept.width() * kept.height()
            words += f"; {lost:.0%} is cut off: click on what is to stay"
        self._name.setText(words)

    @Slot(float, float)
    def _on_pointed(self, x: float, y: float) -> None:
        if self.path is not None:
            self._model.aims.set(self.path, (round(x, 4), round(y, 4)))

    @Slot()
    def _on_centred(self) -> None:
        if self.path is not None:
            self._model.aims.set(self.path, None)

    @property
    def writing_now(self) -> bool:
        """Whether keys go into the caption."""
        return self._text.hasFocus() or (self._tags is not None and self._tags.writing)

    @property
    def writing(self) -> bool:
        """Whether keys go into the caption, or some went that are not saved yet."""
        return self.writing_now or (self._modified and self.path is not None)

    @property
    def unsaved(self) -> int:
        """How many captions could not be written."""
        return len(self._unsaved)

    def save_all(self) -> None:
        """Write this caption, and try those again that could not be written."""
        self._finish()
        for path, (text, based_on) in list(self._unsaved.items()):
            shown = path == self.path and self._model.rows.row_of(path) >= 0  # was tried just now
            gone = self._model.rows.row_of(path) < 0 and _is_gone(path)
            if gone or (not shown and self._model.set_caption(path, text, based_on)):
                del self._unsaved[path]

    def _finish(self) -> None:
        if self._tags is not None and self.path is not None:
            self._tags.finish()
        self.save()

    def forget(self) -> None:
        """Another project is open: nothing typed here is its own."""
        if self._tags is not None:
            self._tags.begin()
        self._modified = False
        self._unsaved.clear()
        self.show_picture(None)

    @Slot()
    def save(self) -> None:
        """Write the caption now, if it was changed here."""
        self._save(apart=False)

    def _save(self, *, apart: bool) -> None:
        self._timer.stop()
        if self.path is None or not self._modified:
            return
        # A file's last line end is its own affair; the model and the disk know no other here.
        text, path, old = self._now.rstrip("\n"), self.path, self._based_on
        if text == old:  # what was typed was taken back
            self._modified = False
            self._unsaved.pop(path, None)
        elif not _is_gone(path) and self._model.set_caption(path, text, old, apart=apart):
            self._based_on = text
            self._modified = False
            self._unsaved.pop(path, None)
        else:
            self._unsaved[path] = (text, old)
        self._show_count()

    def _set_text(self, text: str) -> None:
        """Only what is seen is made: of the two ways to write, the other one can wait."""
        self._now = text
        if self.as_tags:
            self.tags.show_caption(text)
        else:
            self._text.blockSignals(True)
            self._text.setPlainText(text)
            self._text.blockSignals(False)
        self._show_count()

    def _show_count(self) -> None:
        text = self._now
        words = len(text.split())
        state = "not saved" if self.path in self._unsaved else "saved as you write"
        said = [count_of(words, "word"), *self._said_of_tokens(text), state]
        self._count.setText(", ".join(said) if words else "")

    def _said_of_tokens(self, text: str) -> list[str]:
        """As the base reads the caption, once its vocabulary is there."""
        counted = self._tokens.count(text) if text and self.path is not None else None
        if counted is None:
            return []
        count, at_once = counted
        if at_once and count > at_once:
            parts = -(-count // at_once)
            return [f"{count_of(count, 'token')}: read in {parts} parts of {at_once}"]
        return [count_of(count, "token") + (f" of {at_once}" if at_once else "")]

    @Slot()
    def _show_large(self) -> None:
        """Once the selection rests: decoding takes a while."""
        image = self._large.get(self.path) if self.path else None
        if image is not None:
            self._picture.show_image(image)

    @Slot(str)
    def _on_large_ready(self, name: str) -> None:
        if self.path is not None and name == str(self.path):
            self._show_large()

    @Slot(str)
    def _on_tile_ready(self, name: str) -> None:
        """Better than nothing until the large one is there."""
        if self.path is not None and name == str(self.path) and self._picture.empty:
            self._picture.show_image(self._tiles.get(self.path) or QImage())

    @Slot()
    def _on_text_changed(self) -> None:
        # not as plain text, in which a blank that does not break would become another
        raw = self._text.document().toRawText()
        self._now, self._modified = raw.replace("\u2029", "\n").replace("\u2028", "\n"), True
        self._show_count()
        if self.path is not None:
            self._timer.start()

    @Slot(str)
    def _on_tags_changed(self, caption: str) -> None:
        """Each is written at once, and is one step back."""
        self._now, self._modified = caption, True
        self._save(apart=True)


def _is_gone(picture: Path) -> bool:
    try:
        return not picture.exists()
    except OSError:
        return False  # it cannot be reached, which may pass
