"""How many tokens the chosen base reads a caption as; its vocabulary is loaded by a thread."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from PySide6.QtCore import QObject, QRunnable, QThreadPool, QTimer, Signal, Slot

from app.models.run_settings import Settings
from core.base.value import Base
from core.base.vocabulary import Vocabulary, vocabulary_of

AFTER_MS = 400  # a window that has just been opened has better things to do
REMEMBERED = 300_000  # texts
log = logging.getLogger(__name__)


class Tokens(QObject):
    """Follows the base of the settings; it is looked at when a text is first to be counted."""

    changed = Signal()  # counts are other ones, or are known now
    loaded = Signal(object, object)  # from the thread: a Base and its Vocabulary, or None

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._of: tuple[object, ...] = ()  # the settings that say which base
        self._base: Base | None = None  # that is loaded, or being loaded
        self._vocabulary: Vocabulary | None = None
        self._known: dict[str, int] = {}  # tokens of texts
        self._wanted = False  # the base was not looked at since it was chosen
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._later = QTimer(self, interval=AFTER_MS, singleShot=True)
        self._later.timeout.connect(self._load)
        settings.changed.connect(self._on_changed)
        self.loaded.connect(self._on_loaded)

    def count(self, text: str) -> tuple[int, int] | None:
        """Tokens of a text, and how many are read together (0 is all); None is not known (yet)."""
        if (count := self.counter()) is None or self._vocabulary is None:
            return None
        return count(text), self._vocabulary.at_once

    def counter(self) -> Callable[[str], int] | None:
        """What counts the tokens of a text, each text once; None where nobody can (yet)."""
        if self._wanted:
            self._wanted = False
            self._later.start()
        return None if self._vocabulary is None else self._counted

    def _counted(self, text: str) -> int:
        known = self._known.get(text)
        if known is None and self._vocabulary is not None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[text] = known = self._vocabulary.count(text)
        return known or 0

    def finish(self) -> None:
        """End the thread; before the program ends."""
        self._later.stop()
        self._pool.waitForDone()

    @Slot()
    def _load(self) -> None:
        self._base = self._settings.base()
        if self._base is not None:
            self._pool.start(_Load(self, self._base))

    @Slot()
    def _on_changed(self) -> None:
        config = self._settings.config
        of = (config.base, config.rest, config.texts) if config else ()
        if of != self._of:
            self._of, self._base, self._vocabulary = of, None, None
            self._known.clear()
            self._wanted = bool(config and config.base)
            self.changed.emit()

    @Slot(object, object)
    def _on_loaded(self, base: Base, vocabulary: Vocabulary | None) -> None:
        if base is self._base:
            self._vocabulary = vocabulary
            self._known.clear()
            self.changed.emit()


class _Load(QRunnable):
    def __init__(self, owner: Tokens, base: Base) -> None:
        super().__init__()
        self._owner, self._base = owner, base

    def run(self) -> None:
        vocabulary = None
        try:
            vocabulary = vocabulary_of(self._base)
        except Exception:  # the captions are as good without: the run will say what is wrong
            log.exception("the vocabulary of %s cannot be read", self._base.path)
        with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
            self._owner.loaded.emit(self._base, vocabulary)
