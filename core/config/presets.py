"""What a person teaches, as settings: the preset cards."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from core.config.options import DEMO_BASE, RunConfig


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
    Preset(
        id="style",
        title="Art style",
        sentence="How pictures are drawn: line, colour, light.",
        steps=1500,
        rank=16,
        learning_rate=1e-4,
        text_encoder_learning_rate=5e-5,
        caption_dropout=0.1,
    ),
    Preset(
        id="character",
        title="Character",
        sentence="One person or figure, in any scene.",
        steps=1200,
        rank=32,
        learning_rate=1e-4,
        text_encoder_learning_rate=5e-5,
        caption_dropout=0.05,
    ),
    Preset(
        id="object",
        title="Object",
        sentence="One thing, from all sides.",
        steps=1000,
        rank=16,
        learning_rate=1e-4,
        text_encoder_learning_rate=2e-5,
        caption_dropout=0.05,
    ),
    Preset(
        id="quick",
        title="Quick try",
        sentence="A few minutes, to see whether it works.",
        steps=200,
        rank=8,
        learning_rate=3e-4,
        text_encoder_learning_rate=5e-5,
        caption_dropout=0.1,
    ),
)

RATE_DIGITS = 9  # after the point: ten times 3e-4 is 3e-3, not a little less
DEMO_RATE_FACTOR = 10  # 18 million numbers bear, and need, a higher rate than 860 million


def apply(preset: Preset, config: RunConfig) -> RunConfig:
    """`config` with the preset's settings; everything else stays."""
    factor = DEMO_RATE_FACTOR if config.base == DEMO_BASE else 1
    return replace(
        config,
        dataset=replace(config.dataset, caption_dropout=preset.caption_dropout),
        adapter=replace(config.adapter, rank=preset.rank, alpha=float(preset.rank)),
        training=replace(
            config.training,
            steps=preset.steps,
            warmup_steps=0,
            learning_rate=round(factor * preset.learning_rate, RATE_DIGITS),
            text_encoder_learning_rate=round(
                factor * preset.text_encoder_learning_rate, RATE_DIGITS
            ),
        ),
    )


def matching(config: RunConfig) -> Preset | None:
    """The preset that `config` follows, if it follows one."""
    return next((preset for preset in PRESETS if apply(preset, config) == config), None)
