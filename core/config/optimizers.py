"""What is known of each optimizer without loading one: a row each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer as it is chosen; `core/training/optimizers.py` makes it."""

    title: str
    sentence: str
    rate: float = 1.0  # what it takes of AdamW's usual rate
    finds_rate: bool = False  # it finds its own; learning rates are shares of that, 1 the usual one
    averages: bool = False  # it has no need of a schedule: what it gives is an average of its steps

    def usual_rate(self, of_adamw: float) -> float:
        """The learning rate that goes with a base whose rate for AdamW is this."""
        return 1.0 if self.finds_rate else self.rate * of_adamw


OPTIMIZERS = {
    "adamw": Optimizer("AdamW", "What most recipes are written for."),
    "adamw8": Optimizer("AdamW, 8 bit", "AdamW in a quarter of its memory."),
    "paged_adamw8": Optimizer(
        "AdamW, 8 bit, paged", "The same; what does not fit a GPU waits in the main memory."
    ),
    "adafactor": Optimizer("Adafactor", "Keeps rows and columns alone: next to no memory."),
    "lion": Optimizer("Lion", "Learns by signs: half of AdamW's memory, a fifth of its rate.", 0.2),
    "prodigy": Optimizer("Prodigy", "Finds the learning rate by itself.", finds_rate=True),
    "schedule_free": Optimizer(
        "AdamW, schedule-free", "Averages its steps, so that the rate need not fall.", averages=True
    ),
    "came": Optimizer("CAME", "Adafactor's memory, steps as sure as AdamW's."),
}
