"""A run made longer: it goes on where it is, also when it was finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.config import files
from core.errors import ConfigError, RunError

if TYPE_CHECKING:
    from core.project.layout import Run


def prolong(run: Run, steps: int) -> str:
    """Make `run` so many steps long; what there is to know of it, in words.

    Raises:
        RunError: It has gone further, or has no checkpoint to go on from.
        ConfigError: Its settings cannot be read.
        StorageError: They cannot be written.
    """
    config = files.load(run.config_file)
    newest = run.newest_checkpoint()
    if newest is None:
        raise RunError(
            f"The run {run.root.name} has no checkpoint to go on from.", hint="Start a new run."
        )
    there = int(newest.name.removeprefix("step"))
    if steps <= there:
        raise RunError(
            f"The run {run.root.name} is at step {there:,} already.",
            hint=f"Name more than {there:,} steps.",
        )
    before, training = config.training.steps, config.training
    if training.warmup_steps >= steps:
        raise ConfigError(
            f"The run warms up for {training.warmup_steps:,} steps.", hint="Name more steps."
        )
    files.save(replace(config, training=replace(training, steps=steps)), run.config_file)
    said = (
        f"{run.root.name} is {steps:,} steps long now, {before:,} before; it goes on from step "
        f"{there:,}."
    )
    if training.schedule == "constant":
        return said
    return (
        f"{said} Its learning rate follows the {training.schedule} schedule of the new length, "
        "which is not as it fell so far."
    )
