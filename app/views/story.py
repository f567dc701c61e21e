"""What the program does, in pictures: those of the start page and of pages that are empty yet."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.widgets import labels
from app.widgets.collage import Collage
from app.widgets.symbol import Symbol
from core.base.value import ASSETS
from core.project.demo import STYLE

SHOWN = ("fox", "castle", "cupcake", "lion")  # of the demo's pictures
FILE, FILE_PX = "inkstyle.safetensors", 96


def yours(columns: int) -> Collage:
    """Some pictures of one style."""
    collage = Collage(columns)
    collage.show_files([STYLE / f"{name}.png" for name in SHOWN])
    return collage


def change() -> Collage:
    """What a model draws before and after."""
    collage = Collage(2)
    collage.show_files([ASSETS / "welcome" / f"{name}.png" for name in ("before", "after")])
    return collage


def file() -> QWidget:
    """What comes of it."""
    name = labels.small(FILE)
    name.setWordWrap(False)
    name.setAlignment(Qt.AlignmentFlag.AlignCenter)
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    column.addStretch()
    column.addWidget(Symbol("puzzle-outline", FILE_PX))
    column.addWidget(name)
    column.addStretch()
    return whole
