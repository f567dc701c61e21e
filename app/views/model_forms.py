"""What is made of base models: one with adapters in it, and what a fine-tune changed."""

from __future__ import annotations

import shutil
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QComboBox

from app import settings
from app.models.runs import AdapterCard
from app.models.studio import Studio
from app.views.adapter_forms import NAME_LETTERS, SUFFIX
from app.views.base_field import BaseField
from app.views.making_dialog import Form, Wish
from app.views.making_fields import (
    RANK,
    SizeChoice,
    bytes_of,
    families_lack,
    fields,
    looked_at,
    size_words,
)
from app.views.worn import Worn
from app.widgets.scrolled import Scrolled
from core.config.facts import FAMILIES
from core.config.options import DEMO_BASE
from core.protocol.commands import BakeJob, ExtractJob, Layers

LAYERS: dict[Layers, str] = {
    "attention": "Attention",
    "transformer": "Attention and feed-forward",
    "linear": "All linear layers",
}


class BakeForm(Form):
    """A base model with adapters in it."""

    title, go = "Put into a base model", "Make the model"
    sentence = (
        "A whole model that draws as the base does with the adapters loaded, for any program. The "
        "base stays as it is."
    )

    def __init__(self, studio: Studio, card: AdapterCard) -> None:
        super().__init__()
        self._studio = studio
        self.worn = Worn(studio.shelf)
        self.worn.choose(card.path)
        self.base = BaseField(studio, "the base model")
        fields([("Adapters", Scrolled(self.worn)), ("Into", self.base)], self)
        self._size_bytes = 0  # of the base
        self.base.chosen.connect(self._on_base_chosen)
        self.base.use_project()
        for signal in (self.worn.changed, self.worn.moved, self.base.chosen):
            signal.connect(self.changed)
        studio.inspector.changed.connect(self.changed)

    @Slot()
    def _on_base_chosen(self) -> None:
        self._size_bytes = bytes_of(self.base.base.path) if self.base.base else 0

    def wish(self) -> Wish:
        """A copy of the base; beside it, but for the demo's, which lies in the program."""
        path, base = self.base.path, self.base.base
        there = path not in ("", DEMO_BASE)
        folder = Path(path).parent if there else settings.models_folder()
        stem = Path(path).stem if there else "demo-base" if path else "model"
        worn = "-".join(Path(path).stem for path in self.worn.weights)
        return Wish(
            lack=self._lack() or _no_room(self._size_bytes, folder),
            makes=f"A model of {size_words(self._size_bytes)}, in the base's form and precision.",
            name=f"{stem}-with-{worn}"[:NAME_LETTERS],
            ending=SUFFIX if base and base.path.is_file() else "",
            folder=folder,
            job=self._job,
        )

    def _lack(self) -> str:
        if not any(self.worn.weights.values()):
            return "Choose an adapter, with a strength above 0."
        if self.base.base is None:
            return self.base.lack
        of_base = self.base.base.facts.family
        family = next(row.title for row in FAMILIES if row.family == of_base)
        paths = [Path(path) for path in self.worn.weights]
        return families_lack(paths, looked_at(self._studio, paths), family)

    def _job(self, out: Path) -> BakeJob:
        weights = {path: weight for path, weight in self.worn.weights.items() if weight}
        return BakeJob(
            adapters=weights,
            base=self.base.path,
            rest=self.base.rest,
            texts=self.base.texts,
            out=str(out),
        )


class ExtractForm(Form):
    """What a fine-tune changed."""

    title, go = "Take an adapter out of a model", "Take it out"
    sentence = (
        "What a fine-tuned model has learnt beyond the one that it was made from, as an adapter. "
        "Both stay as they are."
    )

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self.tuned = BaseField(studio, "the fine-tuned model")
        self.parent_base = BaseField(studio, "the model that it was made from")
        self.size_choice = SizeChoice(32)
        self.layers = QComboBox()
        self.layers.addItems(list(LAYERS.values()))
        self.layers.setCurrentIndex(list(LAYERS).index("transformer"))
        self.convolutions = QCheckBox("Convolutions, too")
        fields(
            [
                ("Fine-tuned", self.tuned),
                ("Made from", self.parent_base),
                ("Size", self.size_choice),
                ("Layers", self.layers),
                ("", self.convolutions),
            ],
            self,
        )
        for signal in (
            self.tuned.chosen,
            self.parent_base.chosen,
            self.size_choice.changed,
            self.layers.currentIndexChanged,
            self.convolutions.toggled,
        ):
            signal.connect(self.changed)

    def wish(self) -> Wish:
        """One adapter."""
        tuned, size = self.tuned.path, self.size_choice
        rank, share = size.rank.value(), size.share.value()
        limit = f"of rank {rank} at most" if size.way == RANK else f"as small as keeps {share} %"
        return Wish(
            lack=self._lack(),
            makes=f"One adapter, {limit}. How large it is, is told once it is made.",
            name=f"{Path(tuned).stem or 'tuned'}{size.words}",
            ending=SUFFIX,
            folder=self._studio.shelf.folder(Path(tuned) if tuned not in ("", DEMO_BASE) else None),
            job=self._job,
        )

    def _lack(self) -> str:
        tuned, parent = self.tuned.base, self.parent_base.base
        if tuned is None or parent is None:
            return self.tuned.lack or self.parent_base.lack
        if tuned.facts.family != parent.facts.family:
            return (
                f"{tuned.path.name} is a {tuned.facts.title}, {parent.path.name} a "
                f"{parent.facts.title}. Choose the model that it was made from."
            )
        return "Both are the same model." if tuned.path == parent.path else ""

    def _job(self, out: Path) -> ExtractJob:
        return ExtractJob(
            tuned=self.tuned.path,
            parent=self.parent_base.path,
            out=str(out),
            rank=self.size_choice.asked_rank,
            kept=self.size_choice.asked_share,
            targets=list(LAYERS)[self.layers.currentIndex()],
            convolutions=self.convolutions.isChecked(),
            rest=self.tuned.rest or self.parent_base.rest,
            texts=self.tuned.texts or self.parent_base.texts,
        )


def _no_room(size_bytes: int, folder: Path) -> str:
    """A model is large: a disk that is too small for it is named before, not after."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), Path.home())
    free = shutil.disk_usage(there).free
    if size_bytes < free:
        return ""
    return (
        f"It needs {size_words(size_bytes)} in {folder}, where {size_words(free)} are free. Make "
        "room there, or choose another base."
    )
