"""What a worker does for each kind of job."""

from __future__ import annotations

import contextlib
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.merging import Size
from core.errors import AdapterError, MemoryFullError, StorageError
from core.project.layout import Project, named_base
from core.protocol.commands import (
    BakeJob,
    Command,
    Draw,
    ExportJob,
    ExtractJob,
    FileJob,
    InspectJob,
    JoinJob,
    MemoryJob,
    PreviewNow,
    RateJob,
    ResizeJob,
    SampleJob,
    ShareJob,
    Stop,
    TrainJob,
)
from core.protocol.events import (
    AdaptersCompared,
    Event,
    FileMade,
    Finished,
    MemoryForeseen,
    NotDrawn,
    PictureDrawn,
    Progress,
    Proposed,
    Warned,
)
from core.training import reworking, sample, train
from core.training.control import Control

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

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
    project, resume = Project(Path(job.project)), job.resume or None
    if job.processes == 1:
        yield from train.train(project, control, resume)
        return
    from core.training.team import Places, team  # most runs have no need of it

    with team(project, Places(job.processes), control) as others:
        yield from train.train(project, control, resume, others)


def share_job(job: ShareJob, pipe: Pipe) -> Iterator[Event]:
    """Compute a share of another process's steps; its end ends this one."""
    from core.training.member import share

    control = Control()

    def on_command(command: Command | None) -> None:
        if command is None or isinstance(command, Stop):
            control.stop.set()

    pipe.listen(on_command)
    yield from share(job, control)


def sample_job(job: SampleJob, pipe: Pipe) -> Iterator[Event]:
    """Draw pictures until the app has no more wishes."""
    wishes: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
    pipe.listen(wishes.put)
    yield Progress(phase="Loading the base model")
    base = named_base(job.base, Path.cwd(), job.vae, job.prediction, job.rest, job.texts)
    sampler = sample.load(base)
    for note in sampler.model.notes:
        yield Warned(message=note)
    yield Progress(phase="Ready")
    while isinstance(wish := _newest(wishes), Draw):
        try:
            yield from _drawn(sampler, wish)
        except (
            AdapterError,
            MemoryFullError,
            StorageError,
        ) as error:  # the base is as good as before
            yield NotDrawn(path=wish.out, message=str(error))
    yield Finished()


def _drawn(sampler: sample.Sampler, wish: Draw) -> Iterator[Event]:
    worn = {Path(path): weight for path, weight in wish.adapters.items()}
    acting = [path for path, weight in worn.items() if weight]
    if len(acting) > 1 and sampler.compared != acting:
        yield Progress(phase="Comparing the adapters")
        warnings = sampler.compare(acting)
        yield AdaptersCompared(paths=[str(path) for path in acting], warnings=warnings)
    yield Progress(phase="Drawing")
    sampler.draw(
        Path(wish.out),
        sample.Wish(
            prompt=wish.prompt,
            seed=wish.seed,
            adapters=worn,
            width_px=wish.width_px,
            height_px=wish.height_px,
            inference_steps=wish.inference_steps,
            guidance=wish.guidance,
            guidance_rescale=wish.guidance_rescale,
        ),
    )
    yield PictureDrawn(
        path=wish.out,
        prompt=wish.prompt,
        seed=wish.seed,
        weight=next(iter(wish.adapters.values()), 0.0),
        adapters=wish.adapters,
    )


def _newest(wishes: queue.SimpleQueue[Command | None]) -> Command | None:
    """Wait for a wish; of several Draws that wait only the newest counts."""
    wish = wishes.get()
    while isinstance(wish, Draw) and not wishes.empty():
        wish = wishes.get()
    return wish


def file_job(job: FileJob, pipe: Pipe) -> Iterator[Event]:
    """Write one file; Stop and the app's end leave nothing of it behind."""
    stop = threading.Event()

    def on_command(command: Command | None) -> None:
        if command is None or isinstance(command, Stop):
            stop.set()

    pipe.listen(on_command)
    events = _writing(job)
    with contextlib.closing(events):
        for event in events:
            yield event
            if stop.is_set() and not isinstance(event, FileMade):  # which is there, whole
                yield Finished(stopped=True)
                return
    yield Finished()


def _writing(job: FileJob) -> Generator[Event]:
    match job:
        case ExportJob():
            yield from reworking.exported(Path(job.source), job.format, Path(job.out))
        case ResizeJob():
            size = Size(job.rank, job.kept)
            yield from reworking.resized(Path(job.source), size, Path(job.out))
        case JoinJob():
            how = reworking.How(job.method, Size(job.rank, job.kept), job.density)
            yield from reworking.joined(_weighted(job.adapters), how, Path(job.out))
        case BakeJob():
            base = named_base(job.base, Path.cwd(), rest=job.rest, texts=job.texts)
            yield from reworking.baked(_weighted(job.adapters), base, Path(job.out))
        case ExtractJob():
            tuned, parent = (
                named_base(path, Path.cwd(), rest=job.rest, texts=job.texts)
                for path in (job.tuned, job.parent)
            )
            yield from reworking.extracted(
                tuned,
                parent,
                Size(job.rank, job.kept),
                job.targets,
                Path(job.out),
                convolutions=job.convolutions,
            )


def _weighted(adapters: Mapping[str, float]) -> list[tuple[Path, float]]:
    return [(Path(path), weight) for path, weight in adapters.items()]


def memory_job(job: MemoryJob) -> Iterator[Event]:
    """Tell what a run with a project's settings needs; it is ended, not stopped."""
    from core.training.foresight import foreseen  # no other job has need of it

    project = Project(Path(job.project))
    yield Progress(phase="Counting")
    found = foreseen(project, project.config())
    room, fit = found.room, found.fit
    changes = fit.changes if fit else ()
    yield MemoryForeseen(
        device=room.device,
        needed=found.whole,
        total=room.total,
        free=room.free,
        proposed=[Proposed(option=c.option, value=c.value, why=c.why) for c in changes],
        then=fit.bytes if fit else 0,
        fits=fit.fits if fit else True,
    )
    yield Finished()


def rate_job(job: RateJob, pipe: Pipe) -> Iterator[Event]:
    """Try learning rates; Stop and the app's end are seen between two steps."""
    from core.training import rate_finder  # no other job has need of it

    control = Control()

    def on_command(command: Command | None) -> None:
        if command is None or isinstance(command, Stop):
            control.stop.set()

    pipe.listen(on_command)
    project = Project(Path(job.project))
    yield from rate_finder.find(project, project.config(), control)


def inspect_job(job: InspectJob, pipe: Pipe) -> Iterator[Event]:
    """Tell what adapter files are, one after the other."""
    del pipe
    for number, path in enumerate(job.files):
        yield Progress(phase="Looking at adapters", done=number, total=len(job.files))
        yield reworking.inspected(Path(path))
    yield Finished()
