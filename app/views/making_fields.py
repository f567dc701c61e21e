"""What several of the dialogs ask for that make files: how large, and of which adapters."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QLabel, QRadioButton, QSpinBox, QWidget

from app.models.studio import Studio
from core.protocol.events import Inspected

MIB, GB = 2**20, 1e9
RANK, KEPT, WHOLE = range(3)
FIELD_MARGINS = (8, 0, 8, 0)  # of what is typed into a number


class SizeChoice(QWidget):
    """A rank, a share of what is done, or as large as it must be."""

    changed = Signal()

    def __init__(self, rank: int, parent: QWidget | None = None, *, whole: str = "") -> None:
        """`whole` are the words for no limit, "" where there must be one."""
        super().__init__(parent)
        self.group = QButtonGroup(self)
        self.by_rank = QRadioButton("Of rank")
        self.by_share = QRadioButton("As small as keeps")
        self.rank = QSpinBox(minimum=1, maximum=1024, value=rank)
        self.rank.setAccessibleName("Rank")
        self.share = QSpinBox(minimum=1, maximum=99, value=95, suffix=" %")
        self.share.setAccessibleName("Share of what it does that is kept, in percent")
        for field in (self.rank, self.share):
            field.lineEdit().setTextMargins(*FIELD_MARGINS)
            field.setFixedWidth(self.fontMetrics().horizontalAdvance("1024") + 48)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(3, 1)
        rows = [
            (self.by_rank, self.rank, ""),
            (self.by_share, self.share, "of what each layer does"),
        ]
        for row, (choice, field, after) in enumerate(rows):
            self.group.addButton(choice, (RANK, KEPT)[row])
            grid.addWidget(choice, row, 0)
            grid.addWidget(field, row, 1)
            grid.addWidget(QLabel(after), row, 2)
            field.valueChanged.connect(choice.click)  # what is typed is meant
            field.valueChanged.connect(self.changed)
        if whole:
            self.whole = QRadioButton(whole)
            self.group.addButton(self.whole, WHOLE)
            grid.addWidget(self.whole, 2, 0, 1, 3)
        self.group.button(WHOLE if whole else RANK).setChecked(True)
        self.group.idClicked.connect(self.changed)

    @property
    def way(self) -> int:
        return self.group.checkedId()

    @property
    def asked_rank(self) -> int:
        """As a job wants it; 0 is none."""
        return self.rank.value() if self.way == RANK else 0

    @property
    def asked_share(self) -> float:
        """As a job wants it; 1 is all."""
        return self.share.value() / 100 if self.way == KEPT else 1.0

    @property
    def words(self) -> str:
        """For a name: `rank8`, `keep95`, or nothing."""
        return {RANK: f"-rank{self.rank.value()}", KEPT: f"-keep{self.share.value()}"}.get(
            self.way, ""
        )


def looked_at(studio: Studio, paths: list[Path]) -> list[Inspected | None]:
    """What is known of files; what is not known yet is None, and is asked for."""
    known = [studio.inspector.known(path) for path in paths]
    if any(one is None for one in known):
        studio.inspector.want(paths)
    return known


def families_lack(paths: list[Path], known: list[Inspected | None], family: str = "") -> str:
    """Which file cannot be read or is for other models than the rest, in words."""
    of = [(path.name, one) for path, one in zip(paths, known, strict=True) if one]
    for name, one in of:
        if one.problem:
            return f"{name}: {one.problem}"
    for name, one in of:
        wanted = family or of[0][1].family
        if one.family != wanted:
            other = f"the model is a {family}" if family else f"{of[0][0]} for {wanted}"
            return f"{name} is for {one.family}, {other}. Choose others."
    return ""


def size_words(size_bytes: float) -> str:
    """`9.6 MiB`, `6.9 GB`."""
    return f"{size_bytes / GB:.1f} GB" if size_bytes >= GB else f"{size_bytes / MIB:.1f} MiB"


def bytes_of(path: Path) -> int:
    """A file's, or of all in a folder; 0 where it cannot be read."""
    try:
        if path.is_dir():
            return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        return path.stat().st_size
    except OSError:
        return 0


def fields(rows: list[tuple[str, QWidget]], parent: QWidget) -> QGridLayout:
    """A form of words and what they are of, which they also name."""
    grid = QGridLayout(parent)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(8)
    grid.setColumnStretch(1, 1)
    for row, (words, widget) in enumerate(rows):
        label = QLabel(words)
        label.setBuddy(widget)
        if not widget.accessibleName():
            widget.setAccessibleName(words)
        grid.addWidget(label, row, 0)
        grid.addWidget(widget, row, 1)
    return grid
