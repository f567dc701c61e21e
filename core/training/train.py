"""Train a project: a new run or one that goes on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters import lora
from core.config import files
from core.config.files import write_beside
from core.data import pixels
from core.errors import RunError, StorageError, naming_full_memory
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
    from torch import Tensor

    from core.config.options import RunConfig
    from core.training.control import Control
    from core.training.setup import Prepared

STYLE_PICTURES = 64  # of the dataset: more change the measure little and cost time


def train(project: Project, control: Control, resume: str | None = None) -> Iterator[Event]:
    """Train the project's next run, or go on with the run named `resume` ("" is the newest).

    Its events are also written to the run's log, from which a window shows it later. A new run's
    folder is made once everything it needs is loaded.

    Raises:
        UserError: One of its kinds; the message names the file or setting.
    """
    run = None if resume is None else project.run(resume)
    config = project.config() if run is None else files.load(run.config_file)
    folder = None if run is None else _unfinished_checkpoint(run, config)
    with naming_full_memory("Lower batch size, resolution or rank, or close other programs."):
        prepared = yield from setup.prepare(project, config, control)
        if prepared is None:
            yield Finished(stopped=True)
            return
        first_step = 1
        if run is None:
            run = project.new_run(prepared.config)
        elif folder is None:
            _cut_log(run, 0)
        else:
            state = checkpoint.load(folder, prepared)
            first_step = state.step + 1
            _cut_log(run, state.step)
            if state.dataset != prepared.dataset_key:
                yield Warned(
                    message="Pictures, captions or their order have changed since this run began; "
                    "it goes on with what is there now."
                )
        yield from _logged(run, _go(run, prepared, control, first_step))


def _unfinished_checkpoint(run: Run, config: RunConfig) -> Path | None:
    if run.complete(config):
        raise RunError(
            f"The run {run.root.name} is complete: all {config.training.steps} steps are done.",
            hint="Start a new run to train longer.",
        )
    return run.newest_checkpoint()


def _go(run: Run, prepared: Prepared, control: Control, first_step: int) -> Iterator[Event]:
    config = prepared.config
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
    last, steps = first_step - 1, config.training.steps
    clock = loop.Clock(steps, config.preview.every, config.training.checkpoint_every)
    if last == 0 or _cut_short(run, config, last):
        began = time.monotonic()
        yield from preview.draw(run, prepared, control, last)
        clock.previews_took(time.monotonic() - began)
    if last < steps and not control.stop.is_set():
        last = yield from loop.steps(run, prepared, control, first_step, clock)
    if last >= first_step or last == steps:
        yield from _finish(run, prepared, control, last)
    yield Finished(stopped=not run.complete(config))


def _cut_short(run: Run, config: RunConfig, step: int) -> bool:
    """Whether the run ended while it drew the previews of `step`, or before its last ones."""
    paths = [run.preview_file(step, index) for index in range(len(config.preview.prompts))]
    there = [path.exists() for path in paths]
    return not all(there) and (any(there) or step == config.training.steps)


def _finish(run: Run, prepared: Prepared, control: Control, step: int) -> Iterator[Event]:
    """Write the adapter, its picture and, unless in a hurry, how far the style has come."""
    config = prepared.config
    header = export.metadata(prepared.family, prepared.parts, config, prepared.items, step)
    path = run.adapter_file(config.name, step)
    export.write(path, lora.take(prepared.nets), prepared.family, header, "kohya")
    if picture := run.newest_preview(step, 0):  # where Forge and A1111 look for it
        write_beside(path.with_suffix(".png"), picture.read_bytes())
    yield AdapterSaved(step=step, path=str(path))
    if control.stop.is_set():
        return
    yield Progress(phase="Measuring the style")
    with contextlib.suppress(_StoppedError):
        change = measured_style(run, prepared, control, step)
        if change is not None:
            yield StyleMeasured(before=change.before, after=change.after, check=change.check)


class _StoppedError(Exception):
    """Ends a measurement whose result nobody waits for."""


def measured_style(
    run: Run, prepared: Prepared, control: Control, step: int
) -> style.StyleChange | None:
    """The change of style from the untrained previews to those of `step`."""

    def features(picture: Tensor) -> list[Tensor]:
        if control.stop.is_set():
            raise _StoppedError
        return prepared.family.style_features(prepared.parts, picture)

    size = preview.size_of(prepared)
    pictures: list[Tensor] = []
    for item in prepared.items[:STYLE_PICTURES]:
        with contextlib.suppress(OSError):  # gone or damaged since it was encoded
            pictures.append(pixels.to_tensor(pixels.fitted(pixels.open_rgb(item.path), size)))
    return style.measure(
        features,
        pictures,
        preview.read_back(run, prepared, 0),
        preview.read_back(run, prepared, step),
    )


def _logged(run: Run, events: Iterable[Event]) -> Iterator[Event]:
    try:
        log = run.log_file.open("ab", buffering=0)
    except OSError as error:
        raise StorageError.writing(run.log_file, error) from error
    with log:
        for event in events:
            if not isinstance(event, Hello | Progress):
                try:
                    log.write(wire.to_line(event))
                except OSError as error:
                    raise StorageError.writing(run.log_file, error) from error
            yield event


def _cut_log(run: Run, step: int) -> None:
    """Forget what came after the checkpoint: it will come again."""
    kept: list[bytes] = []
    for line in read_log_lines(run):
        with contextlib.suppress(wire.WireError):  # another version's
            event = wire.event_from(line)
            if isinstance(event, StepDone | PreviewReady) and event.step > step:
                continue
        kept.append(line)
    write_beside(run.log_file, b"".join(kept))


def read_log_lines(run: Run) -> list[bytes]:
    """The whole lines of a run's log; a half line at the end means that it was killed."""
    try:
        content = run.log_file.read_bytes()
    except FileNotFoundError:
        return []
    return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
