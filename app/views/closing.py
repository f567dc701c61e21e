"""Whether the window may close now, and what must be asked or waited for first."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.figures import count_of
from app.models.news import Message
from app.models.studio import Studio
from app.widgets.question import confirmed
from core.protocol.events import Failed


class Closing(QObject):
    """A run is saved and an export written first; the window stays alive meanwhile."""

    ready = Signal()  # what was waited for has ended: the window may try to close again

    def __init__(self, studio: Studio, save: Callable[[], int], window: QWidget) -> None:
        """`save` writes what was typed anywhere; it returns how much could not be written."""
        super().__init__(window)
        self._studio, self._save, self._window = studio, save, window
        self._wished = False  # as soon as everything has ended
        self._said: Message | None = None  # of that
        studio.jobs.changed.connect(self._on_changed)
        studio.session.failed.connect(self._on_failed)

    def may_close(self) -> bool:
        """Ask what must be asked; False if something keeps the window open."""
        session, news = self._studio.session, self._studio.news
        if session.busy:
            if not self._wished and self.ask_to_close():
                self._wished = True
                self._studio.waiting.hold(held=True)
                session.stop()
                words = "The run is being saved. The window closes then."
                self._said = news.note(words, lasting=True)
                self._on_changed()  # the run may have ended while the person thought
            return False
        if self._studio.jobs.pending:
            self._wished = True
            words = "A file is still being written. The window closes then."
            stop = self._studio.maker.stop
            news.note(words, action="Stop it", on_action=stop, lasting=True)
            return False
        self._wished = False
        unsaved = self._save()
        if unsaved and not self.ask_to_lose(unsaved):
            return False
        told = self._studio.captioner.unwritten
        if told and not self.ask_to_lose_proposals(told):
            return False
        return not self._studio.dataset.importing or self.ask_to_stop_copying()

    @Slot()
    def _on_changed(self) -> None:
        if self._wished and not self._studio.jobs.pending:
            QTimer.singleShot(0, self, self._try_again)

    @Slot()
    def _try_again(self) -> None:
        if self._wished:
            self.ready.emit()

    @Slot(object, bool)
    def _on_failed(self, _failure: Failed, _resumable: bool) -> None:  # noqa: FBT001 - a signal's
        self._wished = False  # this should be read
        if self._said:
            self._studio.news.withdrawn.emit(self._said)

    def ask_to_close(self) -> bool:
        """A run goes on: may it be saved and stopped?"""
        return confirmed(
            self._window,
            "A run is going on.",
            "It will be saved, and you can resume it later.",
            yes="Save and close",
            no="Keep training",
        )

    def ask_to_lose(self, captions: int) -> bool:
        """Some captions cannot be written: may they be lost?"""
        return confirmed(
            self._window,
            f"{count_of(captions, 'caption')} could not be saved.",
            "Make room on the disk, or make the folder writable.",
            yes="Close and lose them",
            no="Keep the window open",
            harmless=False,
        )

    def ask_to_lose_proposals(self, captions: int) -> bool:
        """Captions were proposed and not written: may they be lost?"""
        return confirmed(
            self._window,
            f"{count_of(captions, 'proposed caption')} not written yet.",
            "They are in Caption automatically, on the Dataset page.",
            yes="Close and lose them",
            no="Keep the window open",
            harmless=False,
        )

    def ask_to_stop_copying(self) -> bool:
        """Pictures are being copied: may the rest be left out?"""
        return confirmed(
            self._window,
            "Your pictures are still being copied.",
            "Those that are not copied yet would be missing from the project.",
            yes="Stop copying and close",
            no="Keep copying",
            harmless=False,
        )
