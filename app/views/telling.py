"""Puts into words what models and processes tell, but for runs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from app import journal
from app.figures import count_of
from app.models.adapters import proof_words
from app.models.importer import Imported
from app.models.news import Message
from app.models.studio import Studio
from core.protocol.events import FileMade


class Telling(QObject):
    """Listens, and says."""

    def __init__(self, studio: Studio, parent: QObject) -> None:
        super().__init__(parent)
        self._studio, news = studio, studio.news
        self._making: Message | None = None  # what was said of it
        for source in (studio.workspace, studio.settings, studio.dataset):
            source.failed.connect(news.failure)
        studio.workspace.shared.connect(self._on_noted)
        studio.dataset.noted.connect(self._on_noted)
        studio.dataset.imported.connect(self._on_imported)
        studio.maker.changed.connect(self._on_making)
        studio.maker.made.connect(self._on_made)
        studio.maker.failed.connect(news.failed)
        studio.maker.stopped.connect(self._on_stopped)
        studio.fetcher.failed.connect(news.failed)
        studio.captioner.failed.connect(news.failed)
        journal.listen(self._on_bug)

    def finish(self) -> None:
        """The window is gone."""
        journal.forget(self._on_bug)

    def _on_bug(self, words: str, details: str) -> None:
        self._studio.news.failure(words, details=details)

    @Slot(str)
    def _on_noted(self, words: str) -> None:
        self._studio.news.note(words, lasting=True)

    @Slot(object)
    def _on_imported(self, imported: Imported) -> None:
        news, missing = self._studio.news, imported.found - imported.copied
        if imported.problem:
            first = (
                f"{missing:,} of {count_of(imported.found, 'picture')} were not copied. The first: "
            )
            news.failure((first if missing > 1 else "") + imported.problem)
        elif imported.stopped:
            news.note(f"Stopped. Copied {count_of(imported.copied, 'picture')}.")
        elif not imported.found:
            news.note("There was no picture among what you dropped.")

    @Slot()
    def _on_making(self) -> None:
        """Once at its beginning: how far it is, the dialog shows."""
        maker, news = self._studio.maker, self._studio.news
        if not maker.job:
            if self._making:
                news.withdrawn.emit(self._making)
            self._making = None
        elif self._making is None:
            name = Path(maker.job.out).name
            later = maker.waiting and self._studio.session.busy
            words = f"{name} is written once the run has ended." if later else f"Writing {name}..."
            self._making = news.note(words, action="Stop", on_action=maker.stop, lasting=True)

    @Slot()
    def _on_stopped(self) -> None:
        self._studio.news.note("Stopped. Nothing was written.")

    @Slot(object)
    def _on_made(self, made: FileMade) -> None:
        """With the proof: a file that a program reads only in part is never written silently."""
        said = [f"Saved {made.path}: {made.words}"]
        if readers := proof_words(made.readers):
            said.append(readers)
        folder = QUrl.fromLocalFile(str(Path(made.path).parent))
        self._studio.news.note(
            "\n".join([*said, *self._studio.maker.notes]),
            action="Show in folder",
            on_action=lambda: QDesktopServices.openUrl(folder),
            lasting=True,
        )
