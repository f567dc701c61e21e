"""What a person teaches, as settings: the preset cards."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from core.config.facts import SD1, Facts
from core.config.optimizers import OPTIMIZERS
from core.config.options import Optimizer, RunConfig


@dataclass(frozen=True, slots=True)
class Preset:
    """A card: its words, and the settings it stands for."""

    id: str
    title: str
    sentence: str
    steps: int
    rank: int
    rate: float  # times the base model's own
    text_encoder_rate: float  # the same
    caption_dropout: float


PRESETS = (
    Preset(
        id="style",
        title="Art style",
        sentence="How pictures are drawn: line, colour, light.",
        steps=1500,
        rank=16,
        rate=1.0,
        text_encoder_rate=0.5,
        caption_dropout=0.1,
    ),
    Preset(
        id="character",
        title="Character",
        sentence="One person or figure, in any scene.",
        steps=1200,
        rank=32,
        rate=1.0,
        text_encoder_rate=0.5,
        caption_dropout=0.05,
    ),
    Preset(
        id="object",
        title="Object",
        sentence="One thing, from all sides.",
        steps=1000,
        rank=16,
        rate=1.0,
        text_encoder_rate=0.2,
        caption_dropout=0.05,
    ),
    Preset(
        id="quick",
        title="Quick try",
        sentence="A few minutes, to see whether it works.",
        steps=200,
        rank=8,
        rate=3.0,
        text_encoder_rate=0.5,
        caption_dropout=0.1,
    ),
)

_PLAIN = SD1  # the family that the options' own defaults are for
RATE_DIGITS = 9  # after the point: ten times 3e-4 is 3e-3, not a little less


def apply(preset: Preset, config: RunConfig, facts: Facts) -> RunConfig:
    """`config` with the preset's settings for a base of these facts; everything else stays."""
    row = OPTIMIZERS[config.training.optimizer]
    usual = row.usual_rate(facts.learning_rate)
    rate, text_rate = preset.rate * usual, preset.text_encoder_rate * usual
    if row.finds_rate:
        rate = text_rate = usual
    return replace(
        config,
        dataset=replace(config.dataset, caption_dropout=preset.caption_dropout),
        adapter=replace(
            config.adapter,
            rank=preset.rank,
            alpha=float(preset.rank),
            text_encoder=facts.trains_text,
        ),
        training=replace(
            config.training,
            steps=preset.steps,
            warmup_steps=0,
            learning_rate=round(rate, RATE_DIGITS),
            text_encoder_learning_rate=round(text_rate, RATE_DIGITS),
            text_encoder_2_learning_rate=0.0,
        ),
    )


def usual(config: RunConfig, facts: Facts) -> RunConfig:
    """What `config` would be if nothing but its base, optimizer and preset had been chosen."""
    preset = next((p for p in PRESETS if p.steps == config.training.steps), PRESETS[0])
    plain = RunConfig(
        name=config.name,
        base=config.base,
        vae=config.vae,
        rest=config.rest,
        texts=config.texts,
    )
    plain = on_base(plain, config.base, _PLAIN, facts)
    return on_optimizer(apply(preset, plain, facts), config.training.optimizer, facts)


def matching(config: RunConfig, facts: Facts) -> Preset | None:
    """The preset that `config` follows, if it follows one."""
    return next((preset for preset in PRESETS if apply(preset, config, facts) == config), None)


def on_base(config: RunConfig, base: str, before: Facts, after: Facts) -> RunConfig:
    """`config` on another base; what fits only one of the two follows.

    Where their facts differ, the new base's count: resolution, batch size and the way previews are
    drawn. Learning rates keep their proportion to the base's own. Layers that the new one has not
    give way.
    """
    row = OPTIMIZERS[config.training.optimizer]
    times = row.usual_rate(after.learning_rate) / row.usual_rate(before.learning_rate)

    def rate(value: float) -> float:
        return round(value * times, RATE_DIGITS)

    def of(ours: float, old: float, new: float) -> float:
        return ours if old == new else new

    training, preview = config.training, config.preview
    return replace(
        config,
        base=base,
        adapter=replace(
            config.adapter,
            text_encoder=bool(
                of(config.adapter.text_encoder, before.trains_text, after.trains_text)
            ),
            targets=config.adapter.targets
            if config.adapter.targets in after.targets
            else "attention",
            conv_rank=config.adapter.conv_rank if after.convolutions else 0,
        ),
        dataset=replace(
            config.dataset,
            resolution_px=int(
                of(config.dataset.resolution_px, before.resolution_px, after.resolution_px)
            ),
        ),
        training=replace(
            training,
            batch_size=int(of(training.batch_size, before.batch_size, after.batch_size)),
            learning_rate=rate(training.learning_rate),
            text_encoder_learning_rate=rate(training.text_encoder_learning_rate),
            text_encoder_2_learning_rate=rate(training.text_encoder_2_learning_rate),
        ),
        preview=replace(
            preview,
            guidance=of(preview.guidance, before.guidance, after.guidance),
            guidance_rescale=of(
                preview.guidance_rescale, before.guidance_rescale, after.guidance_rescale
            ),
        ),
    )


def on_optimizer(config: RunConfig, name: Optimizer, facts: Facts) -> RunConfig:
    """`config` with another optimizer; what fits only one of the two follows.

    Rates keep their proportion to the usual one. One that finds its rate by itself has one for all
    that learns; one that averages its steps has a constant rate.
    """
    training = config.training
    old, new = OPTIMIZERS[training.optimizer], OPTIMIZERS[name]
    times = new.usual_rate(facts.learning_rate) / old.usual_rate(facts.learning_rate)
    rate = new.usual_rate(0) if new.finds_rate else training.learning_rate * times
    text_rate = training.text_encoder_learning_rate
    text_rate = (rate if text_rate else 0.0) if new.finds_rate else text_rate * times
    if old.finds_rate and not new.finds_rate:
        text_rate *= PRESETS[0].text_encoder_rate
    second = 0.0 if old.finds_rate or new.finds_rate else training.text_encoder_2_learning_rate
    return replace(
        config,
        training=replace(
            training,
            optimizer=name,
            learning_rate=round(rate, RATE_DIGITS),
            text_encoder_learning_rate=round(text_rate, RATE_DIGITS),
            text_encoder_2_learning_rate=round(second * times, RATE_DIGITS),
            schedule="constant" if new.averages else training.schedule,
            average=0.0 if new.averages else training.average,
            up_rate_factor=1.0 if new.finds_rate else training.up_rate_factor,
            text_encoder_share=1.0 if new.finds_rate else training.text_encoder_share,
            text_encoder_2_share=0.0 if new.finds_rate else training.text_encoder_2_share,
        ),
    )
