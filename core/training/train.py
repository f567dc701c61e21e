"""Train a project: a new run or one that goes on."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters import lora
from core.config import files
from core.config.files import write_beside
from core.data import pixels
from core.errors import RunError, StorageError
from core.project.layout import Project, Run
from core.protocol import wire
from core.protocol.events import (
    AdapterSaved,
    Event,
    Finished,
    Hello,
    PreviewReady,
    Progress,
    RunStarted,
    StepDone,
    StyleMeasured,
    Warned,
)
from core.training import checkpoint, export, loop, preview, setup, style

if TYPE_CHECKING:
    from core.config.options import RunConfig
    from core.training.control import Control
    from core.training.setup import Prepared

STYLE_PICTURES = 64  # of the dataset: more change the measure little and cost time


def train(project: Project, control: Control, resume: str | None = None) -> Iterator[Event]:
    """Train the project's next run, or go on with the run named `resume` ("" is the newest).

    Its events are also written to the run's log, from which a window shows it later.

    Raises:
        UserError: One of its kinds; the message names the file or setting.
    """
    if resume is None:
        config = project.config()
        setup.check_not_empty(setup.scan(project.folders(config)), project.folders(config))
        run = project.new_run(config)
        yield from _logged(run, _go(project, run, config, control, None))
        return
    run = project.run(resume)
    config = files.load(run.config_file)
    folder = run.newest_checkpoint()
    if folder is not None and folder == run.checkpoint(config.training.steps):
        raise RunError(
            f"The run {run.root.name} is complete: all {config.training.steps} steps are done.",
            hint="Start a new run to train longer.",
        )
    _cut_log(run, int(folder.name.removeprefix("step")) if folder else 0)
    yield from _logged(run, _go(project, run, config, control, folder))


def _go(
    project: Project, run: Run, config: RunConfig, control: Control, folder: Path | None
) -> Iterator[Event]:
    prepared = yield from setup.prepare(project, config)
    first_step = 1
    if folder is not None:
        state = checkpoint.load(folder, prepared)
        first_step = state.step + 1
        if state.dataset != prepared.dataset_key:
            yield Warned(
                message="Pictures, captions or their order have changed since this run began; "
                "it goes on with what is there now."
            )
    nets = [prepared.parts.denoiser, *prepared.parts.text_encoders.values()]
    yield RunStarted(
        run=run.root.name,
        steps=config.training.steps,
        first_step=first_step,
        trainable=sum(p.numel() for p in prepared.trainable.parameters),
        total=sum(p.numel() for net in nets for p in net.parameters()),
        pictures=len(prepared.items),
        device=str(prepared.device),
    )
    if first_step == 1:
        yield from preview.draw(run, prepared, 0)
    last = yield from loop.steps(run, prepared, control, first_step)
    if last >= 1:
        yield from _finish(project, run, prepared, last)
    yield Finished(stopped=last < config.training.steps)


def _finish(project: Project, run: Run, prepared: Prepared, step: int) -> Iterator[Event]:
    """Write the adapter, its picture and how far the style has come."""
    config = prepared.config
    header = export.metadata(prepared.family, prepared.parts, config, prepared.items, step)
    path = run.adapter_file(config.name, step)
    export.write(path, lora.take(prepared.nets), prepared.family, header, "kohya")
    picture = run.preview_file(step, 0)
    if picture.exists():
        shutil.copyfile(picture, path.with_suffix(".png"))  # where Forge and A1111 look for it
    yield AdapterSaved(step=step, path=str(path))
    yield Progress(phase="Measuring the style")
    change = measured_style(project, run, prepared, step)
    if change is not None:
        yield StyleMeasured(before=change.before, after=change.after, check=change.check)


def measured_style(
    project: Project, run: Run, prepared: Prepared, step: int
) -> style.StyleChange | None:
    """The change of style from the untrained previews to those of `step`."""
    size = preview.size_of(prepared)
    found = setup.scan(project.folders(prepared.config), decode=False).pictures
    return style.measure(
        lambda picture: prepared.family.style_features(prepared.parts, picture),
        [
            pixels.to_tensor(pixels.fitted(pixels.open_rgb(p.path), size))
            for p in itertools.islice(found, STYLE_PICTURES)
        ],
        preview.read_back(run, prepared, 0),
        preview.read_back(run, prepared, step),
    )


def _logged(run: Run, events: Iterable[Event]) -> Iterator[Event]:
    try:
        log = run.log_file.open("ab")
    except OSError as error:
        raise StorageError.writing(run.log_file, error) from error
    with log:
        for event in events:
            if not isinstance(event, Hello | Progress):
                log.write(wire.to_line(event))
                log.flush()
            yield event


def _cut_log(run: Run, step: int) -> None:
    """Forget what came after the checkpoint: it will come again."""
    kept: list[bytes] = []
    for line in read_log_lines(run):
        event = wire.event_from(line)
        if not isinstance(event, StepDone | PreviewReady) or event.step <= step:
            kept.append(line)
    write_beside(run.log_file, b"".join(kept))


def read_log_lines(run: Run) -> list[bytes]:
    """The whole lines of a run's log; a half line at the end means that it was killed."""
    try:
        content = run.log_file.read_bytes()
    except FileNotFoundError:
        return []
    return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
