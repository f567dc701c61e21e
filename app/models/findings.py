"""What is to be said of the pictures, as a list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from typing_extensions import override

from core.data.scan import Finding

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class Findings(QAbstractListModel):
    """Those about files that are left out come first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.all: tuple[Finding, ...] = ()

    def show(self, findings: Sequence[Finding]) -> None:
        """Replace them all."""
        ordered = tuple(sorted(findings, key=lambda f: (f.usable, f.path)))
        if ordered != self.all:
            self.beginResetModel()
            self.all = ordered
            self.endResetModel()

    def show_usable(self, paths: Collection[Path], own: Sequence[Finding]) -> None:
        """Replace what was said of some usable pictures."""
        others = [f for f in self.all if f.path not in paths or not f.usable]
        if len(others) + len(own) != len(self.all) or not set(own) <= set(self.all):
            self.show([*others, *own])

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.all)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        finding = self.all[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole:
                return str(finding)
            case Qt.ItemDataRole.UserRole:
                return finding.path
            case _:
                return None
