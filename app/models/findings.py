"""What is to be said of the pictures, as a list: what says the same of several in one line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from typing_extensions import override

from app.figures import count_of
from core.data.findings import grouped
from core.data.scan import Finding
from core.data.walk import SUFFIXES

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


Group = tuple[Finding, ...]  # that say the same


class Findings(QAbstractListModel):
    """A row a group; those about files that are left out come first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.all: tuple[Finding, ...] = ()
        self.groups: list[Group] = []

    def show(self, findings: Sequence[Finding]) -> None:
        """Replace them all."""
        ordered = tuple(sorted(findings, key=lambda f: (f.usable, f.path)))
        if ordered != self.all:
            self.beginResetModel()
            self.all, self.groups = ordered, grouped(ordered)
            self.endResetModel()

    def show_usable(
        self, paths: Collection[Path], own: Sequence[Finding], staying: Collection[str] = ()
    ) -> None:
        """Replace what was said of some usable pictures, but what is `staying` in summary."""
        kept = [
            f
            for f in self.all
            if f.path not in paths or not f.usable or (f.summary or f.message) in staying
        ]
        if len(kept) + len(own) != len(self.all) or not set(own) <= set(self.all):
            self.show([*kept, *own])

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.groups)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        group = self.groups[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return told(group)
            case Qt.ItemDataRole.ToolTipRole:
                return group[0].hint
            case Qt.ItemDataRole.UserRole:
                return group
            case _:
                return None


def told(group: Group) -> str:
    """A line: of one file what is said of it, of several how many they are and what they share."""
    first = group[0]
    if len(group) == 1:
        return f"{first.path.name}: {first.message}"
    pictures = all(finding.path.suffix.lower() in SUFFIXES for finding in group)
    count = count_of(len(group), "picture" if pictures else "file")
    return f"{count}: {first.summary or first.message}"
