"""What a person teaches, as settings: the preset cards."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from core.config.options import RunConfig


@dataclass(frozen=True, slots=True)
class Preset:
    """A card: its words, and the settings it stands for."""

    id: str
    title: str
    sentence: str
    steps: int
    rank: int
    learning_rate: float
    text_encoder_learning_rate: float
    caption_dropout: float


PRESETS = (
    Preset("style", "Art style", "How pictures are drawn: line, colour, light.", 1500, 16, 1e-4, 5e-5, 0.1),
    Preset("character", "Character", "One person or figure, in any scene.", 1200, 32, 1e-4, 5e-5, 0.05),
    Preset("object", "Object", "One thing, from all sides.", 1000, 16, 1e-4, 2e-5, 0.05),
    Preset("quick", "Quick try", "A few minutes, to see whether it works.", 200, 8, 3e-4, 5e-5, 0.1),
)  # fmt: skip


def apply(preset: Preset, config: RunConfig) -> RunConfig:
    """`config` with the preset's settings; everything else stays."""
    return replace(
        config,
        dataset=replace(config.dataset, caption_dropout=preset.caption_dropout),
        adapter=replace(config.adapter, rank=preset.rank, alpha=float(preset.rank)),
        training=replace(
            config.training,
            steps=preset.steps,
            warmup_steps=0,
            learning_rate=preset.learning_rate,
            text_encoder_learning_rate=preset.text_encoder_learning_rate,
        ),
    )
