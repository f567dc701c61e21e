"""What can be made of adapters: saved for other programs, of another rank, several as one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QButtonGroup, QComboBox, QDoubleSpinBox, QRadioButton, QVBoxLayout

from app.models.runs import AdapterCard
from app.models.studio import Studio
from app.views.making_dialog import Form, Wish
from app.views.making_fields import (
    FIELD_MARGINS,
    RANK,
    WHOLE,
    SizeChoice,
    families_lack,
    fields,
    looked_at,
    size_words,
)
from app.views.worn import Worn
from app.widgets.scrolled import Scrolled
from core.protocol.commands import ExportJob, JoinJob, Method, ResizeJob

Layout = Literal["usual", "kohya", "diffusers", "peft"]
LAYOUTS: dict[Layout, tuple[str, str]] = {  # for whom, and what it adds to a name
    "usual": ("ComfyUI, Forge, A1111, InvokeAI: the form that most programs read", ""),
    "diffusers": ("diffusers", "-diffusers"),
    "kohya": ("kohya's scripts and OneTrainer", "-kohya"),
    "peft": ("peft, a folder for each net", "-peft"),
}
METHODS: dict[Method, tuple[str, str]] = {
    "linear": ("Add them up", "What each does, at its strength: as if all were loaded."),
    "ties": ("TIES", "Of each the strongest numbers, where most agree on the sign."),
    "dare": ("DARE", "Of each some numbers by chance, scaled up."),
    "dare_ties": ("DARE and TIES", "Of each some numbers by chance, where most agree on the sign."),
}
SAVED_TO = "saved_to"  # the last folder, in the program's own settings
NAME_LETTERS = 100
SUFFIX = ".safetensors"


class SaveForm(Form):
    """A copy for another program."""

    title, go = "Save for other programs", "Save"
    sentence = "A copy in the form of the program that is to read it; yours stays as it is."

    def __init__(self, studio: Studio, card: AdapterCard) -> None:
        super().__init__()
        self._studio, self._card = studio, card
        self.group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for number, (words, _) in enumerate(LAYOUTS.values()):
            choice = QRadioButton(words)
            self.group.addButton(choice, number)
            column.addWidget(choice)
        self.group.button(0).setChecked(True)
        self.group.idClicked.connect(self.changed)

    def wish(self) -> Wish:
        """The same adapter in the chosen form."""
        layout = list(LAYOUTS)[self.group.checkedId()]
        chosen = self._studio.store.value(SAVED_TO)
        there = isinstance(chosen, str) and Path(chosen).is_dir()
        return Wish(
            lack="",
            makes=f"About {size_words(self._card.size_bytes)}.",
            name=self._card.path.stem + LAYOUTS[layout][1],
            ending="" if layout == "peft" else SUFFIX,
            folder=Path(str(chosen)) if there else Path.home(),
            job=partial(self._job, layout),
        )

    def _job(self, layout: Layout, out: Path) -> ExportJob:
        self._studio.store.setValue(SAVED_TO, str(out.parent))
        return ExportJob(source=str(self._card.path), format=layout, out=str(out))


class ResizeForm(Form):
    """Another rank."""

    title, go = "Change the rank", "Make it"
    sentence = (
        "A smaller file that does nearly the same: of each layer what matters most is kept (its "
        "largest singular values)."
    )

    def __init__(self, studio: Studio, card: AdapterCard) -> None:
        super().__init__()
        self._studio, self._card = studio, card
        (known,) = looked_at(studio, [card.path])
        self.size_choice = SizeChoice(max(1, known.rank // 2) if known and known.rank else 8)
        self.size_choice.changed.connect(self.changed)
        studio.inspector.changed.connect(self.changed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.size_choice)

    def wish(self) -> Wish:
        """The adapter at the chosen size."""
        card, size = self._card, self.size_choice
        (known,) = looked_at(self._studio, [card.path])
        lack, now = "", size_words(card.size_bytes)
        makes = f"At most {now}, as it is now."
        if known and known.problem:
            lack = f"{card.path.name}: {known.problem}"
        elif known and size.way == RANK:
            share = size.rank.value() / max(1, known.rank)
            makes = f"About {size_words(card.size_bytes * share)}; it is {now} now."
            lack = f"It is a {known.kind}: choose a smaller rank." if share >= 1 else ""
        return Wish(
            lack=lack,
            makes=makes,
            name=card.path.stem + size.words,
            ending=SUFFIX,
            folder=self._studio.shelf.folder(card.path),
            job=self._job,
        )

    def _job(self, out: Path) -> ResizeJob:
        size = self.size_choice
        source = str(self._card.path)
        return ResizeJob(source=source, out=str(out), rank=size.asked_rank, kept=size.asked_share)


class JoinForm(Form):
    """Several as one."""

    title, go = "Join with another", "Join"
    sentence = "One file that does what all of them do together, each as strongly as you say."

    def __init__(self, studio: Studio, card: AdapterCard) -> None:
        super().__init__()
        self._studio = studio
        self.worn = Worn(studio.shelf)
        self.worn.choose(card.path)
        if len(studio.shelf.cards()) > 1:
            self.worn.add_one()
        self.method = QComboBox()
        for words, sentence in METHODS.values():
            self.method.addItem(words)
            last = self.method.count() - 1
            self.method.setItemData(last, sentence, Qt.ItemDataRole.ToolTipRole)
        self.density = QDoubleSpinBox(minimum=0.05, maximum=1.0, singleStep=0.05, value=0.5)
        self.density.lineEdit().setTextMargins(*FIELD_MARGINS)
        known = looked_at(studio, self._paths)
        rank = max([one.rank for one in known if one and one.rank], default=16)
        self.size_choice = SizeChoice(rank, whole="As large as it must be")
        self._grid = fields(
            [
                ("Adapters", Scrolled(self.worn)),
                ("How", self.method),
                ("Numbers kept", self.density),
                ("Size", self.size_choice),
            ],
            self,
        )
        for signal in (
            self.worn.changed,
            self.worn.moved,
            self.method.currentIndexChanged,
            self.density.valueChanged,
            self.size_choice.changed,
        ):
            signal.connect(self._on_changed)
        studio.inspector.changed.connect(self.changed)
        self._on_changed()

    @property
    def _paths(self) -> list[Path]:
        return [Path(path) for path in self.worn.weights]

    @property
    def _method(self) -> Method:
        return list(METHODS)[self.method.currentIndex()]

    @Slot()
    def _on_changed(self) -> None:
        for column in (0, 1):
            item = self._grid.itemAtPosition(2, column)
            if item and (widget := item.widget()):
                widget.setVisible(self._method != "linear")
        self.changed.emit()

    def wish(self) -> Wish:
        """One adapter of all of them."""
        paths = self._paths
        few = sum(weight > 0 for weight in self.worn.weights.values()) < 2  # noqa: PLR2004
        lack = "Choose two adapters or more, each with a strength above 0." if few else ""
        return Wish(
            lack=lack or families_lack(paths, looked_at(self._studio, paths)),
            makes=f"{METHODS[self._method][1]} {self._size(paths)}",
            name="-and-".join(path.stem for path in paths)[:NAME_LETTERS] or "joined",
            ending=SUFFIX,
            folder=self._studio.shelf.folder(paths[0] if paths else None),
            job=self._job,
        )

    def _size(self, paths: list[Path]) -> str:
        """In words; what a rank takes is known from those that go in."""
        size = self.size_choice
        sizes = [path.stat().st_size for path in paths if path.exists()]
        if size.way == RANK:
            known, rank = looked_at(self._studio, paths), size.rank.value()
            each = [s / one.rank for s, one in zip(sizes, known, strict=False) if one and one.rank]
            about = f", about {size_words(max(each) * rank)}" if each else ""
            return f"One adapter of rank {rank}{about}."
        largest = "about" if size.way == WHOLE and self._method == "linear" else "at most about"
        return f"One adapter, {largest} {size_words(sum(sizes))}."

    def _job(self, out: Path) -> JoinJob:
        size = self.size_choice
        return JoinJob(
            adapters={path: weight for path, weight in self.worn.weights.items() if weight},
            out=str(out),
            method=self._method,
            rank=size.asked_rank,
            kept=size.asked_share,
            density=self.density.value(),
        )
