"""The usable pictures as a list, in the order of their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage
from typing_extensions import override

from app.models.pictures import Thumbnails
from app.models.rows import Changes, changes
from app.models.scanner import Look, Shown
from core.data import captions
from core.data.marks import Mark, Marks
from core.data.scan import Picture

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class Role:
    """What `data` answers beside Qt's own roles."""

    PATH = Qt.ItemDataRole.UserRole + 1
    CAPTION = Qt.ItemDataRole.UserRole + 2
    FINDING = Qt.ItemDataRole.UserRole + 3
    MARK = Qt.ItemDataRole.UserRole + 4  # what is said of it, and whether it is not used
    MASKED = Qt.ItemDataRole.UserRole + 5


class PictureRows(QAbstractListModel):
    """Becomes another list in runs of rows, so that selection and scrolling stay."""

    recaptioned = Signal(str, str)  # a caption before and after
    altered = Signal()  # pictures that were there are other ones now

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tile_px = 0  # a tile's edge, which its thumbnail is to fill
        self.changing = False  # rows come and go, by themselves or as the person asked
        self._thumbnails = thumbnails
        self._pictures: list[Picture] = []
        self._by_path: dict[str, int] | None = {}  # None is not known
        self._marks = Marks()
        self._silent: int | None = None
        self._masked: int | None = None
        self._shown: Shown | None = ()  # the list as a scan knows it; None after other changes
        thumbnails.ready.connect(self._on_thumbnail_ready)

    @property
    def pictures(self) -> Sequence[Picture]:
        return self._pictures

    def aspects(self) -> list[float]:
        """Width / height of each picture; 100,000 at once, which `data` would take seconds for."""
        return [picture.width_px / max(1, picture.height_px) for picture in self._pictures]

    @property
    def silent(self) -> int:
        """How many have no caption; counted once, since 100,000 take a tenth of a second."""
        if self._silent is None:
            self._silent = sum(captions.says_nothing(one.caption) for one in self._pictures)
        return self._silent

    @property
    def masked(self) -> int:
        """How many have a mask; counted once, likewise."""
        if self._masked is None:
            self._masked = sum(one.masked for one in self._pictures)
        return self._masked

    def row_of(self, path: Path) -> int:
        """-1 where it is not shown."""
        if self._by_path is None:
            self._by_path = {str(p.path): row for row, p in enumerate(self._pictures)}
        return self._by_path.get(str(path), -1)

    def snapshot(self) -> Shown:
        """The list as it is now; a look that was compared with it is taken over as it is."""
        if self._shown is None:
            self._shown = tuple(self._pictures)
        return self._shown

    def show_look(self, look: Look) -> None:
        """Take over what a scan saw."""
        pictures = look.dataset.pictures
        what = look.changes
        if look.before is not self._shown:
            what = changes(self._pictures, pictures)
        self._become(pictures, what, look.rows)
        self._shown = pictures

    def drop(self, paths: set[Path]) -> None:
        """These are shown no longer."""
        left = [picture for picture in self._pictures if picture.path not in paths]
        self._become(left, changes(self._pictures, left), None)
        self._shown = None

    def show_marks(self, marks: Marks) -> None:
        """Other things are said of pictures."""
        self._marks = marks
        if self._pictures:
            said = [Role.MARK, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole]
            self.dataChanged.emit(self.index(0), self.index(len(self._pictures) - 1), said)

    def clear(self) -> None:
        self._start_anew((), {})
        self._shown = ()

    def set_caption(self, path: Path, text: str) -> Picture | None:
        """Show another caption; the picture, if it is here."""
        row = self.row_of(path)
        if row < 0:
            return None
        old = self._pictures[row].caption
        if self._silent is not None:
            self._silent += captions.says_nothing(text) - captions.says_nothing(old)
        self._pictures[row] = replace(self._pictures[row], caption=text, guessed=False)
        self._shown = None
        said = [Role.CAPTION, Role.FINDING, Qt.ItemDataRole.ToolTipRole]
        self.dataChanged.emit(self.index(row), self.index(row), said)
        if text != old:
            self.recaptioned.emit(old, text)
        return self._pictures[row]

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._pictures)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        picture = self._pictures[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return picture.path.name
            case Qt.ItemDataRole.DecorationRole:
                return self._thumbnails.get(picture.path, self.tile_px) or QImage()
            case Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole | Role.MARK:
                return self._told(picture, role)
            case _:
                return _own(picture, role)

    def _told(self, picture: Picture, role: int) -> object:
        """What is said of a picture beside its name."""
        mark = self._marks.of(picture.path)
        words = [*in_words(mark), *(["masked"] if picture.masked else [])]
        match role:
            case Role.MARK:
                stars = [f"{mark.rating} \N{BLACK STAR}"] if mark.rating else []
                return "  ".join([*stars, *in_words(mark._replace(rating=0))]), mark.unused
            case Qt.ItemDataRole.AccessibleTextRole:
                return ", ".join([picture.path.name, *words])
            case _:
                size = f"{picture.width_px} x {picture.height_px} px"
                return f"{', '.join([picture.path.name, size, *words])}\n{picture.caption}"

    def _become(
        self, pictures: Sequence[Picture], what: Changes, by_path: dict[str, int] | None
    ) -> None:
        if not what:
            return
        self._silent = self._masked = None
        if what.anew:
            self._start_anew(pictures, by_path)
            return
        self.changing = True
        for first, last in what.gone:
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._pictures[first : last + 1]
            self._by_path = None
            self.endRemoveRows()
        for first, last in what.come:
            self.beginInsertRows(QModelIndex(), first, last)
            self._pictures[first:first] = pictures[first : last + 1]
            self._by_path = None
            self.endInsertRows()
        self._by_path = by_path
        self.changing = False
        for row in what.altered:
            self._pictures[row] = pictures[row]
        if what.altered:
            self.dataChanged.emit(self.index(what.altered[0]), self.index(what.altered[-1]))
            self.altered.emit()

    def _start_anew(self, pictures: Sequence[Picture], by_path: dict[str, int] | None) -> None:
        self.changing, self._silent, self._masked = True, None, None
        self.beginResetModel()
        self._pictures, self._by_path = list(pictures), by_path
        self.endResetModel()
        self.changing = False

    @Slot(str)
    def _on_thumbnail_ready(self, name: str) -> None:
        """`name` is a path; "" may be any that is on the screen."""
        row = self.row_of(Path(name)) if name else -1
        if row >= 0 or (not name and self._pictures):
            first, last = (row, row) if name else (0, len(self._pictures) - 1)
            roles = [Qt.ItemDataRole.DecorationRole]
            self.dataChanged.emit(self.index(first), self.index(last), roles)


def _own(picture: Picture, role: int) -> object:
    """What is asked by a `Role`."""
    match role:
        case Role.PATH:
            return picture.path
        case Role.CAPTION:
            return picture.caption
        case Role.FINDING:
            return "no caption" if captions.says_nothing(picture.caption) else ""
        case Role.MASKED:
            return picture.masked
        case _:
            return None


def in_words(mark: Mark) -> list[str]:
    """What is said of a picture."""
    stars = f"{mark.rating} star{'s' if mark.rating > 1 else ''}"
    said = {stars: mark.rating > 0, "not used": mark.unused, "held out": mark.held_out}
    return [words for words, holds in said.items() if holds]
