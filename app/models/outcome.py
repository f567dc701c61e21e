"""What became of a run that goes on no longer, in a sentence."""

from __future__ import annotations

from app.figures import count_of
from app.models.run_record import RunRecord, style_words


def outcome(record: RunRecord) -> str:
    """How far it came, and what can be done with it."""
    if not record.unfinished:
        style = f" The previews are {style_words(record.style)}." if record.style else ""
        verdict = f" {record.verdict}" if record.verdict else ""
        return f"Done after {count_of(record.step, 'step')}: the adapter is ready.{style}{verdict}"
    steps = record.config.training.steps if record.config else 0
    if saved := record.saved_step:
        verdict = f" {record.verdict}" if record.verdict else ""
        return (
            f"Stopped at step {record.step:,} of {steps:,}. All up to step {saved:,} is saved."
            f"{verdict}"
        )
    return "It ended before anything was saved."
