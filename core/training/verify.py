"""Whether a run's steps come out the same again: its last ones are replayed from a checkpoint."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from core.adapters import files
from core.config import files as run_files
from core.data import batches
from core.errors import RunError
from core.project.layout import Run
from core.protocol.events import Event, Progress, Verified
from core.training import checkpoint, loop, setup
from core.training.checkpoint import ADAPTER_FILE, AVERAGE_FILE, OPTIMIZER_FILE

if TYPE_CHECKING:
    from core.project.layout import Project
    from core.training.control import Control
    from core.training.team import Team


def verify(
    project: Project, run: Run, control: Control, team: Team | None = None
) -> Generator[Event, None, None]:
    """Replay from the checkpoint before the newest, or from the beginning, and compare.

    Nothing of the run is changed. A `team` takes the steps together, as it did in the run.

    Raises:
        ConfigError: There are more processes than pictures in a step.
        RunError: It has no checkpoint.
        UserError: As for a run that is resumed.
    """
    there = run.complete_checkpoints()
    if not there:
        raise RunError(
            f"The run {run.root.name} has no checkpoint to compare with.",
            hint="Checkpoints come every training.checkpoint_every steps.",
        )
    newest = there[-1]
    config = run_files.load(run.config_file)
    if team is not None:
        team.check(config)
    prepared = yield from setup.prepare(project, config, control)
    if prepared is None:
        return
    prepared = replace(prepared, team=team)
    first = 1
    if len(there) > 1:
        first = (yield from checkpoint.load(there[-2], prepared)).step + 1
    last = int(newest.name.removeprefix("step"))
    yield from loop.all_ready(prepared, first)
    plan = batches.plan(prepared.items, prepared.batch_size, config.training.seed, first)
    for step, samples in zip(range(first, last + 1), plan, strict=False):
        if control.stop.is_set():
            return
        yield Progress(phase="Replaying", done=step - first, total=last - first + 1)
        yield from loop.taken(prepared, samples, step)
    with tempfile.TemporaryDirectory() as folder:
        again = checkpoint.save(Run(Path(folder)), prepared, last, planned=True)
        different = _different(newest, again)
        shutil.rmtree(again)
    yield Verified(first_step=first, last_step=last, different=different)


def _different(ours: Path, again: Path) -> list[str]:
    """Which tensors of two checkpoints are not the same to the bit."""
    found = []
    for name in (ADAPTER_FILE, OPTIMIZER_FILE, AVERAGE_FILE):
        if (ours / name).exists() or (again / name).exists():
            one, other = (files.read(folder / name)[0] for folder in (ours, again))
            found += [
                key
                for key in sorted(one.keys() | other.keys())
                if key not in one or key not in other or not torch.equal(one[key], other[key])
            ]
    return found
