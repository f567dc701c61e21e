"""What is set of text encoders and counts for nothing with a base of some family, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.config.facts import Facts
    from core.config.options import RunConfig


def text_encoders(config: RunConfig, facts: Facts) -> str:
    """What a person should know before a run; "" where everything counts."""
    adapter, which = config.adapter, config.adapter.text_encoders
    if which != "usual" and not adapter.text_encoder:
        return (
            f"No text encoder learns: adapter.text_encoders = {which} counts where "
            "adapter.text_encoder = true."
        )
    if adapter.text_encoder and which != "usual" and not facts.taught(config):
        has = "one text encoder alone" if facts.able(config) else "no text encoder"
        return (
            f"{facts.title} has {has} that can learn with these layers: adapter.text_encoders = "
            f"{which} counts for nothing."
        )
    training = config.training
    of_second = {
        "adapter.text_rank_2": adapter.text_rank_2,
        "training.text_encoder_2_learning_rate": training.text_encoder_2_learning_rate,
        "training.text_encoder_2_share": training.text_encoder_2_share,
    }
    idle = [name for name, value in of_second.items() if value]
    if not idle or any(map(facts.is_second, facts.rates(config))):
        return ""
    return (
        f"No second text encoder learns in this run: {' and '.join(idle)} "
        f"{'counts' if len(idle) == 1 else 'count'} for nothing."
    )
