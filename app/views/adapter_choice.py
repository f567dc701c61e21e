"""What kind of adapter is trained, on which layers, and from where it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from app.models.run_settings import Values
from app.models.studio import Studio
from app.widgets.choice import Choice

PLACE = "Train"
KINDS: Mapping[str, tuple[str, str]] = {  # what it is called, and what is to be known of it
    "lora": ("LoRA", "What every program reads."),
    "dora": ("DoRA", "Closer to full fine-tuning, slower. diffusers reads it otherwise."),
    "loha": ("LoHa", "More ranks in as many numbers. Not for diffusers."),
    "lokr": ("LoKr", "Very small files. Not for diffusers, nor always for InvokeAI."),
    "oft": ("OFT", "Turns what is there. Programs read it only merged into a model."),
}
TARGETS: Mapping[str, tuple[str, str]] = {
    "attention": ("Attention", "The usual choice, as diffusers trains."),
    "transformer": ("Attention and feed-forward", "As kohya trains: larger, learns more."),
    "linear": ("All linear layers", "The largest without convolutions."),
    "style": ("Style block only", "One block: style, hardly any content (B-LoRA)."),
    "content": ("Content block only", "One block: content, hardly any style (B-LoRA)."),
}


def with_kind(kind: str) -> Values:
    """What else a kind sets, so that no option is left that it does not have."""
    values: dict[str, object] = {}
    if kind != "lora":
        values["adapter.init"] = "usual"
    if kind in ("loha", "lokr"):
        values["adapter.dropout"] = 0.0
    else:
        values |= {"adapter.rank_dropout": 0.0, "adapter.module_dropout": 0.0}
    if kind == "oft":
        values |= {
            "adapter.conv_rank": 0,
            "adapter.rank_stabilized": False,
            "training.max_weight_norm": 0.0,
        }
    return values


class StartChoice(Choice):
    """The adapter that a run goes on from."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__("Change what the run goes on from", parent)
        self._settings = studio.settings
        add, choose = studio.actions.add, "Go on from an adapter file..."
        self.menu.addAction(add("adapter.start", choose, self._on_file_wished, place=PLACE))
        anew = add("adapter.anew", "Begin anew", lambda: self.use(""), place=PLACE)
        self.menu.addAction(anew)
        self._settings.changed.connect(self._on_changed)
        self._on_changed()

    def use(self, path: str) -> None:
        """Go on from a file, or from nothing for ""."""
        none = {"adapter.dropout": 0.0, "adapter.rank_dropout": 0.0, "adapter.module_dropout": 0.0}
        self._settings.change({"adapter.start": path, **(none if path else {})})

    @Slot()
    def _on_changed(self) -> None:
        config = self._settings.config
        if config is None:
            return
        start = config.adapter.start
        words = f"{Path(start).name}: its kind, rank and layers count" if start else "Nothing: anew"
        self.show_chosen(words, start, anything=bool(start))

    @Slot()
    def _on_file_wished(self) -> None:
        file, _ = QFileDialog.getOpenFileName(
            self, "Choose an adapter to go on from", "", "Adapters (*.safetensors)"
        )
        if file:
            self.use(str(Path(file)))
