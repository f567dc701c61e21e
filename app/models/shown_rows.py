"""Those of the pictures that fit what is searched for, in their own order or another."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, Signal, Slot
from typing_extensions import override

from app.models.gradual import Gradual, Steps
from app.models.picture_rows import Index, PictureRows
from core.data.scan import Picture

Fits = Callable[[Picture], bool]
Order = Callable[[Picture], float]  # the lowest first


@dataclass(frozen=True, slots=True)
class Grouping:
    """What pictures have in common; each group is a section."""

    of: Callable[[Picture], str]  # a group's name
    largest_first: bool = False  # else as they come


_ROOT = QModelIndex()
_AT_ONCE = 32  # pictures between two looks at the clock
_SORTED_AT_ONCE = 4096  # where there is next to nothing to do for each


@dataclass(frozen=True, slots=True)
class Found:
    """What fits: rows of all pictures, None for all as they are; and where each is among them."""

    ids: list[int] | None = None
    places: dict[int, int] | None = None  # None where they are in their own order
    sections: Sequence[tuple[str, int]] = ()  # the groups, and how many pictures each has


class ShownRows(QAbstractListModel):
    """Without a search rows come and go as the pictures do, so that selection and scrolling stay.

    With one, or in another order, the list begins anew when pictures come or go. A caption that is
    written moves nothing, whether it still fits or not: who writes it looks at it.

    Few pictures are searched at once, many a little at a time; until then what was shown stays.
    """

    found = Signal()  # what `show_only` was asked for is shown

    def __init__(self, rows: PictureRows, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows, self._fits = rows, None
        self._order: Order | None = None
        self._grouping: Grouping | None = None
        self.sections: Sequence[tuple[str, int]] = ()  # see `Found`
        self._ids: list[int] | None = None  # rows of `rows`; None is all, in their order
        self._places: dict[int, int] | None = None  # in `_ids`, where those are in another order
        self._resetting = False
        self._wanted: tuple[Fits | None, Order | None, Grouping | None] = (None, None, None)
        self._work = Gradual(self)
        rows.rowsAboutToBeInserted.connect(self._on_coming)
        rows.rowsInserted.connect(self._on_come)
        rows.rowsAboutToBeRemoved.connect(self._on_going)
        rows.rowsRemoved.connect(self._on_gone)
        rows.modelAboutToBeReset.connect(self._on_resetting)
        rows.modelReset.connect(self._on_reset)
        rows.dataChanged.connect(self._on_changed)

    @property
    def searched(self) -> bool:
        """Whether some pictures may be left out."""
        return self._fits is not None

    @property
    def searching(self) -> bool:
        """Whether something else will be shown in a moment."""
        return self._work.busy

    @property
    def changing(self) -> bool:
        """Whether rows come and go by themselves."""
        return self._rows.changing or self._resetting

    @property
    def pictures(self) -> Sequence[Picture]:
        everything = self._rows.pictures
        return everything if self._ids is None else [everything[n] for n in self._ids]

    def picture(self, row: int) -> Picture:
        """The one in a row."""
        return self._rows.pictures[row if self._ids is None else self._ids[row]]

    def aspects(self) -> list[float]:
        """Width / height of each."""
        everything = self._rows.aspects()
        return everything if self._ids is None else [everything[n] for n in self._ids]

    def row_of(self, path: Path) -> int:
        """-1 where it is not shown."""
        row = self._rows.row_of(path)
        if self._ids is None or row < 0:
            return row
        if self._places is not None:
            return self._places.get(row, -1)
        place = bisect_left(self._ids, row)
        return place if place < len(self._ids) and self._ids[place] == row else -1

    def show_only(
        self, fits: Fits | None, order: Order | None = None, grouping: Grouping | None = None
    ) -> None:
        """Show what fits; None is all, their own order, and in one section."""
        self._wanted = fits, order, grouping
        if self._wanted == (None, None, None) and self._as_they_are:
            self._work.stop()
            self.found.emit()
            return
        self._work.start(_fitting(self._rows.pictures, *self._wanted), self._on_found)

    def _on_found(self, found: Found) -> None:
        self._resetting = True
        self.beginResetModel()
        self._fits, self._order, self._grouping = self._wanted
        self._take(found)
        self.endResetModel()
        self._resetting = False
        self.found.emit()

    @property
    def _as_they_are(self) -> bool:
        return self._fits is None and self._order is None and self._grouping is None

    def _find(self) -> None:
        """At once, since rows have come or gone; what is looked for meanwhile begins anew."""
        steps = _fitting(self._rows.pictures, self._fits, self._order, self._grouping)
        found = Found()
        try:
            while True:
                next(steps)
        except StopIteration as ended:
            found = ended.value
        self._take(found)

    def _take(self, found: Found) -> None:
        self._ids, self._places, self.sections = found.ids, found.places, found.sections

    def _begin_again(self) -> None:
        if self._work.busy:
            self._work.start(_fitting(self._rows.pictures, *self._wanted), self._on_found)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        if parent.isValid():
            return 0
        return self._rows.rowCount() if self._ids is None else len(self._ids)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = index.row() if self._ids is None else self._ids[index.row()]
        return self._rows.data(self._rows.index(row), role)

    @Slot(QModelIndex, int, int)
    def _on_coming(self, _parent: QModelIndex, first: int, last: int) -> None:
        if self._as_they_are:
            self.beginInsertRows(QModelIndex(), first, last)
        else:
            self._on_resetting()

    @Slot(QModelIndex, int, int)
    def _on_come(self, *_: object) -> None:
        if self._as_they_are:
            self.endInsertRows()
            self._begin_again()
        else:
            self._on_reset()

    @Slot(QModelIndex, int, int)
    def _on_going(self, _parent: QModelIndex, first: int, last: int) -> None:
        if self._as_they_are:
            self.beginRemoveRows(QModelIndex(), first, last)
        else:
            self._on_resetting()

    @Slot(QModelIndex, int, int)
    def _on_gone(self, *_: object) -> None:
        if self._as_they_are:
            self.endRemoveRows()
            self._begin_again()
        else:
            self._on_reset()

    @Slot()
    def _on_resetting(self) -> None:
        self.beginResetModel()

    @Slot()
    def _on_reset(self) -> None:
        self._find()
        self.endResetModel()
        self._begin_again()

    @Slot(QModelIndex, QModelIndex, list)
    def _on_changed(self, first: QModelIndex, last: QModelIndex, roles: list[int]) -> None:
        begin, end = first.row(), last.row()
        if self._places is not None:
            begin, end = self._ordered(begin, end)
        elif self._ids is not None:
            begin, end = bisect_left(self._ids, begin), bisect_right(self._ids, end) - 1
        if begin <= end:
            self.dataChanged.emit(self.index(begin), self.index(end), roles)

    def _ordered(self, first: int, last: int) -> tuple[int, int]:
        """From where to where rows lie now; the first is beyond the last where there are none."""
        places = self._places or {}
        if first != last:
            return 0, len(places) - 1
        place = places.get(first, -1)
        return (place, place) if place >= 0 else (0, -1)


def _fitting(
    pictures: Sequence[Picture],
    fits: Fits | None,
    order: Order | None,
    grouping: Grouping | None,
) -> Steps[Found]:
    if fits is None and order is None and grouping is None:
        return Found()
    ids: list[int] = []
    keys: list[float] = []
    names: dict[int, str] = {}
    for begin in range(0, len(pictures), _AT_ONCE):
        for row, one in enumerate(pictures[begin : begin + _AT_ONCE], begin):
            if fits is None or fits(one):
                ids.append(row)
                if order is not None:
                    keys.append(order(one))
                if grouping is not None:
                    names[row] = grouping.of(one)
        yield
    if order is None and grouping is None:
        return Found(ids)
    ordered = [ids[n] for n in sorted(range(len(ids)), key=keys.__getitem__)] if order else ids
    sections: list[tuple[str, int]] = []
    if grouping is not None:
        held: dict[str, list[int]] = {name: [] for name in names.values()}
        for number, row in enumerate(ordered):
            held[names[row]].append(row)
            if not number % _SORTED_AT_ONCE:
                yield
        groups = list(held.items())
        if grouping.largest_first:
            groups.sort(key=lambda group: -len(group[1]))
        ordered = [row for _, rows in groups for row in rows]
        sections = [(name, len(rows)) for name, rows in groups]
    return Found(ordered, {row: place for place, row in enumerate(ordered)}, sections)
