"""Puts into words what models and processes tell, but for runs."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from app import journal
from app.figures import count_of
from app.models.importer import Imported
from app.models.news import Message
from app.models.studio import Studio
from core.protocol.events import AdapterSaved


class Telling(QObject):
    """Listens, and says."""

    def __init__(self, studio: Studio, parent: QObject) -> None:
        super().__init__(parent)
        self._studio, news = studio, studio.news
        self._exporting: Message | None = None  # what was said of it
        for source in (studio.workspace, studio.settings, studio.dataset):
            source.failed.connect(news.failure)
        studio.workspace.shared.connect(self._on_noted)
        studio.dataset.noted.connect(self._on_noted)
        studio.dataset.imported.connect(self._on_imported)
        studio.exporter.changed.connect(self._on_exporting)
        studio.exporter.saved.connect(self._on_exported)
        studio.exporter.failed.connect(news.failed)
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
    def _on_exporting(self) -> None:
        exporter, news = self._studio.exporter, self._studio.news
        if not exporter.busy and self._exporting:
            news.withdrawn.emit(self._exporting)
        elif exporter.waiting and self._studio.session.busy:
            words = "The adapter is saved once the run has ended."
            self._exporting = news.note(words, lasting=True)
        elif exporter.busy:
            self._exporting = news.note("Saving the adapter...", lasting=True)

    @Slot(object)
    def _on_exported(self, saved: AdapterSaved) -> None:
        """With the proof: a file that a program reads only in part is never written silently."""
        readers = f"\nLayers that others load: {saved.readers}" if saved.readers else ""
        self._studio.news.note(f"Saved {saved.path}{readers}", lasting=True)
