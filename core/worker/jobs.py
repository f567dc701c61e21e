"""What a worker does for each kind of job."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters import files as adapter_files
from core.adapters import report
from core.base.opening import facts_of
from core.config import files
from core.errors import RunError
from core.project.layout import Project, Run, named_base
from core.protocol.commands import (
    Command,
    Draw,
    ExportJob,
    PreviewNow,
    SampleJob,
    Stop,
    TrainJob,
)
from core.protocol.events import AdapterSaved, Event, Finished, PictureDrawn, Progress, Warned
from core.training import export, sample, train
from core.training.control import Control

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.config.facts import Facts
    from core.config.options import RunConfig
    from core.worker.pipe import Pipe


def train_job(job: TrainJob, pipe: Pipe) -> Iterator[Event]:
    """Train; the app's end, like Stop, saves and ends the run."""
    control = Control()

    def on_command(command: Command | None) -> None:
        match command:
            case None | Stop():
                control.stop.set()
            case PreviewNow():
                control.preview.set()
            case _:
                pass

    pipe.listen(on_command)
    yield from train.train(Project(Path(job.project)), control, job.resume or None)


def sample_job(job: SampleJob, pipe: Pipe) -> Iterator[Event]:
    """Draw pictures until the app has no more wishes."""
    wishes: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
    pipe.listen(wishes.put)
    yield Progress(phase="Loading the base model")
    base = named_base(job.base, Path.cwd(), job.vae, job.prediction, job.rest)
    sampler = sample.load(base)
    for note in sampler.model.notes:
        yield Warned(message=note)
    yield Progress(phase="Ready")
    while isinstance(wish := _newest(wishes), Draw):
        yield Progress(phase="Drawing")
        sampler.draw(
            Path(wish.out),
            sample.Wish(
                prompt=wish.prompt,
                seed=wish.seed,
                adapters={Path(path): weight for path, weight in wish.adapters.items()},
                width_px=wish.width_px,
                height_px=wish.height_px,
                inference_steps=job.inference_steps,
                guidance=job.guidance,
                guidance_rescale=job.guidance_rescale,
            ),
        )
        weight = next(iter(wish.adapters.values()), 0.0)
        yield PictureDrawn(path=wish.out, prompt=wish.prompt, seed=wish.seed, weight=weight)
    yield Finished()


def _newest(wishes: queue.SimpleQueue[Command | None]) -> Command | None:
    """Wait for a wish; of several Draws that wait only the newest counts."""
    wish = wishes.get()
    while isinstance(wish, Draw) and not wishes.empty():
        wish = wishes.get()
    return wish


def export_job(job: ExportJob, pipe: Pipe) -> Iterator[Event]:
    """Write a run's adapter in another format."""
    del pipe
    yield Progress(phase="Exporting")
    path = export_to(Path(job.source), job.format, Path(job.out))
    yield AdapterSaved(step=0, path=str(path), readers="; ".join(export.proof(path)))
    yield Finished()


def export_to(source: Path, layout: export.Layout, out: Path) -> Path:
    """Convert `source`: a file in a run's `adapters`, or the run's folder for its newest one.

    Raises:
        AdapterError, RunError, ConfigError: It cannot be read, or lies in no run.
        StorageError: `out` cannot be written.
    """
    source = source.absolute()
    run = Run(source if source.is_dir() else source.parent.parent)
    if not run.config_file.exists():
        raise RunError(
            f"{source} is neither a run nor one of its adapters.",
            hint="Give a folder of a project's runs, or a file in its adapters folder.",
        )
    config = files.load(run.config_file)
    adapter_file = run.newest_adapter() if source.is_dir() else source
    if adapter_file is None:
        raise RunError(f"The run {run.root} has no adapter yet.", hint="Resume and stop it.")
    export.convert(adapter_file, _facts(config, run, adapter_file), layout, out)
    return out


def _facts(config: RunConfig, run: Run, adapter_file: Path) -> Facts:
    """Of the run's base; where that is gone, of the family that the file says."""
    told = report.family_of(*adapter_files.read(adapter_file))
    of_base = facts_of(config.base, run.root.parent.parent)
    return of_base if of_base.family == told.family else told
