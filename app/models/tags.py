"""The tags of all captions and how many have each, kept true while captions change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.models.gradual import Gradual, Steps
from app.models.picture_rows import PictureRows
from core.data.scan import Picture
from core.data.tags import tags_of

AFTER_MS = 200  # of no other pictures
SUGGESTED = 12  # tags at once
TOLD_MS = 100  # a bulk edit changes thousands of captions, one after the other
_AT_ONCE = 64  # captions between two looks at the clock
Ordered = tuple[list[str], list[str]]  # the most frequent first; the same in lower case


class Tags(QObject):
    """Counted once somebody asks, a little at a time; then each written caption is made good."""

    changed = Signal()

    def __init__(self, rows: PictureRows, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self.counts: Counter[str] = Counter()  # in how many captions each is, as it is spelt
        self._ordered: Ordered | None = None  # None is not known
        self._asked = self._stale = False
        self._work = Gradual(self)
        self._later = QTimer(self, interval=AFTER_MS, singleShot=True)
        self._later.timeout.connect(self._count)
        self._telling = QTimer(self, interval=TOLD_MS, singleShot=True)
        self._telling.timeout.connect(self.changed)
        for signal in (rows.rowsInserted, rows.rowsRemoved, rows.modelReset, rows.altered):
            signal.connect(self._on_others)
        rows.recaptioned.connect(self._on_recaptioned)

    @property
    def ready(self) -> bool:
        """Whether all have been counted."""
        return self._asked and not self._stale

    def ask(self) -> None:
        """Somebody wants to know them: `changed` tells when they are there."""
        if not self._asked:
            self._asked, self._stale = True, True
            self._count()

    def suggested(self, typed: str) -> list[tuple[str, int]]:
        """Tags that begin with what is typed, then those that hold it; the most frequent first."""
        self.ask()
        wanted = typed.casefold()
        if not wanted.strip():
            return []
        tags, folded = self._in_order()
        begin = [n for n, one in enumerate(folded) if one.startswith(wanted)][:SUGGESTED]
        if len(begin) < SUGGESTED:
            chosen = set(begin)
            held = [n for n, one in enumerate(folded) if wanted in one and n not in chosen]
            begin += held[: SUGGESTED - len(begin)]
        return [(tags[n], self.counts[tags[n]]) for n in begin]

    def _in_order(self) -> Ordered:
        if self._ordered is None:
            tags = sorted(self.counts, key=self.counts.__getitem__, reverse=True)
            self._ordered = tags, [tag.casefold() for tag in tags]
        return self._ordered

    @Slot()
    def _on_others(self) -> None:
        if self._asked:
            self._stale = True
            self._work.stop()
            self._later.start()

    @Slot(str, str)
    def _on_recaptioned(self, old: str, new: str) -> None:
        if not self._asked:
            return
        if self._stale:  # it may have been counted already, or not
            self._on_others()
            return
        before, after = set(tags_of(old)), set(tags_of(new))
        if before == after:
            return
        for tag in before - after:
            self.counts[tag] -= 1
            if self.counts[tag] <= 0:
                del self.counts[tag]
        self.counts.update(after - before)
        self._ordered = None
        self._telling.start()

    @Slot()
    def _count(self) -> None:
        self._later.stop()
        self._work.start(counted(self._rows.snapshot()), self._on_counted)

    def _on_counted(self, counts: Counter[str]) -> None:
        self.counts, self._ordered, self._stale = counts, None, False
        self.changed.emit()


def counted(pictures: Sequence[Picture]) -> Steps[Counter[str]]:
    """Every tag and in how many captions it is."""
    counts: Counter[str] = Counter()
    for begin in range(0, len(pictures), _AT_ONCE):
        for picture in pictures[begin : begin + _AT_ONCE]:
            counts.update(set(tags_of(picture.caption)))
        yield
    return counts
