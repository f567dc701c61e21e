"""Train a project: a new run or one that goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters import files, injection, report
from core.config import files as run_files
from core.config.files import write_beside
from core.data import pixels
from core.errors import (
    BaseModelError,
    DivergedError,
    MemoryFullError,
    RunError,
    StorageError,
    UserError,
    naming_full_memory,
)
from core.project import lock
from core.project.layout import Project, Run
from core.protocol import wire
from core.protocol.events import (
    AdapterSaved,
    CheckpointSaved,
    Event,
    Failed,
    Finished,
    HeldOutMeasured,
    Hello,
    PreviewReady,
    Progress,
    RunStarted,
    StepDone,
    StyleMeasured,
    Warned,
)
from core.training import checkpoint, export, heldout, loop, manifest, preview, setup, style
from core.training.clock import Clock
from core.training.log import event_of, read_log_lines

if TYPE_CHECKING:
    from torch import Tensor

    from core.config.options import RunConfig
    from core.training.control import Control
    from core.training.setup import Prepared
    from core.training.team import Team

MOST_RETURNS = 5  # of a run that diverges: by then its rate is a thirtieth
STYLE_PICTURES = 64  # of the dataset: more change the measure little and cost time


def train(
    project: Project, control: Control, resume: str | None = None, team: Team | None = None
) -> Iterator[Event]:
    """Train the project's next run, or go on with the run named `resume` ("" is the newest).

    Its events are also written to the run's log, from which a window shows it later. A new run's
    folder is made once everything it needs is loaded; while it is trained no other program can
    train it. A `team` takes the steps together.

    Raises:
        UserError: One of its kinds; the message names the file or setting.
    """
    with naming_full_memory("Lower batch size, resolution or rank, or close other programs."):
        if resume is None:
            yield from _begin(project, control, team)
        else:
            yield from _go_on(project, project.run(resume), control, team)


def _begin(project: Project, control: Control, team: Team | None) -> Iterator[Event]:
    config = project.config()
    if team is not None:
        team.check(config)
    prepared = yield from setup.prepare(project, config, control)
    if prepared is None:
        yield Finished(stopped=True)
        return
    run = project.new_run(prepared.config)
    frozen = run_files.load(run.config_file)
    prepared = replace(prepared, config=frozen, team=team)
    manifest.write(run, prepared)
    with lock.training(run):
        yield from _logged(run, _train(run, prepared, control, first_step=1))


def _go_on(project: Project, run: Run, control: Control, team: Team | None) -> Iterator[Event]:
    with lock.training(run):
        config = run_files.load(run.config_file)
        if team is not None:
            team.check(config)
        folder = _unfinished_checkpoint(run, config)
        run.sweep()
        try:
            prepared = yield from setup.prepare(project, config, control)
        except BaseModelError as error:  # its settings are frozen, but a base may have moved
            hint = f"{error.hint} If it has moved, say where in {run.config_file}."
            raise BaseModelError(error.message, hint=hint) from error
        if prepared is None:
            yield Finished(stopped=True)
            return
        prepared = replace(prepared, team=team)
        step = 0
        if folder is not None:
            step = (yield from checkpoint.load(folder, prepared)).step
        elif not run.began:  # it waited in the queue: only now is known what it is made of
            run_files.save(prepared.config, run.config_file)
            manifest.write(run, prepared)
        _cut_log(run, step)
        yield from _logged(run, _train(run, prepared, control, first_step=step + 1))


def _undrawn(run: Run, prepared: Prepared, step: int) -> list[range]:
    """The previews of `step` that are not there, or of which the log knows nothing."""
    told = {
        event.index
        for line in read_log_lines(run)
        if isinstance(event := event_of(line), PreviewReady) and event.step == step
    }
    drawn = {index for index in told if run.preview_file(step, index).exists()}
    return [part for part in preview.parts_of(prepared) if not drawn.issuperset(part)]


def _previews_due(run: Run, config: RunConfig, step: int) -> bool:
    """Whether there should be previews of `step`: also some that were wished for, and begun."""
    planned = step == config.training.steps or loop.due(step, config.preview.every)
    files = [run.preview_file(step, index) for index in range(len(config.preview.prompts))]
    return step > 0 and (planned or any(path.exists() for path in files))


def _unfinished_checkpoint(run: Run, config: RunConfig) -> Path | None:
    """Where `run` goes on; None is from its beginning.

    Raises:
        RunError: There is nothing left to do, or nothing to go on from.
    """
    if run.complete(config):
        raise RunError(
            f"The run {run.root.name} is complete: all {config.training.steps} steps are done.",
            hint="Start a new run to train longer.",
        )
    newest = run.newest_checkpoint()
    if newest is None and run.newest_adapter() is not None:
        raise RunError(
            f"The checkpoints of the run {run.root.name} are gone, so it cannot go on.",
            hint=f"Start a new run, or put them back into {run.checkpoints}.",
        )
    return newest


def _train(run: Run, prepared: Prepared, control: Control, *, first_step: int) -> Iterator[Event]:
    config = prepared.config
    yield _started(run, prepared, first_step)
    last, steps = first_step - 1, config.training.steps
    untrained = _undrawn(run, prepared, preview.UNTRAINED)
    clock = Clock(config, untrained=sum(map(len, untrained)))
    if last == steps:
        yield from preview.draw(run, prepared, control, clock, preview.UNTRAINED, untrained)
    if _previews_due(run, config, last):
        yield from preview.draw(run, prepared, control, clock, last, _undrawn(run, prepared, last))
    if last < steps and not control.stop.is_set():
        yield from loop.all_ready(prepared, first_step)
    if last < steps and not control.stop.is_set():
        last = yield from _steps(run, prepared, control, first_step, (clock, untrained))
    if last >= first_step or last == steps:
        yield from _finish(run, prepared, control, last)
    yield Finished(stopped=not run.complete(config))


def _steps(
    run: Run,
    prepared: Prepared,
    control: Control,
    first_step: int,
    with_them: tuple[Clock, Sequence[range]],
) -> Generator[Event, None, int]:
    """All steps; a run that diverges may go back, some times, and on at half the rate."""
    clock, untrained = with_them
    for _ in range(MOST_RETURNS):
        try:
            return (yield from loop.steps(run, prepared, control, first_step, clock, untrained))
        except DivergedError as error:
            newest = run.newest_checkpoint()
            if prepared.config.training.on_divergence == "stop" or newest is None:
                raise
            words = error.message
        left = checkpoint.slowed(prepared) / 2  # of what it had, not of what the checkpoint had
        first_step = (yield from checkpoint.load(newest, prepared)).step + 1
        checkpoint.slow(prepared, left)
        _cut_log(run, first_step - 1)
        untrained = _undrawn(run, prepared, preview.UNTRAINED)
        yield Warned(
            message=f"{words} The run goes back to step {first_step - 1:,} and on at "
            f"{left:.3g} of its learning rates."
        )
    return (yield from loop.steps(run, prepared, control, first_step, clock, untrained))


def _started(run: Run, prepared: Prepared, first_step: int) -> RunStarted:
    adapter = injection.take(prepared.nets)
    return RunStarted(
        run=run.root.name,
        steps=prepared.config.training.steps,
        first_step=first_step,
        trainable=sum(p.numel() for p in prepared.trainable.parameters.values()),
        total=sum(p.numel() for net in prepared.nets.values() for p in net.parameters()),
        adapter=report.in_words(adapter),
        file_bytes=export.file_bytes(adapter),
        pictures=len(prepared.own),
        device=prepared.device,
    )


def _finish(run: Run, prepared: Prepared, control: Control, step: int) -> Iterator[Event]:
    """Write the adapter and its picture and, unless in a hurry, how far the style has come.

    The adapter comes last: where it is, everything else of the run is there, too.
    """
    if not control.stop.is_set():
        yield Progress(phase="Measuring the style")
        with contextlib.suppress(_StoppedError):
            try:
                with naming_full_memory():
                    change = measured_style(run, prepared, control, step)
            except MemoryFullError as error:  # no reason to go without an adapter
                yield Warned(message=f"The style was not measured. {error.message}")
                change = None
            if change is not None:
                yield StyleMeasured(
                    step=step, before=change.before, after=change.after, check=change.check
                )
    if best := heldout.overfitting(run, step):
        with prepared.trainable.holding(files.read(run.best_file(best))[0]):
            yield _exported(run, prepared, best)
    with prepared.trainable.learnt():
        yield _exported(run, prepared, step)


def _exported(run: Run, prepared: Prepared, step: int) -> AdapterSaved:
    """Write the adapter that the nets carry, and its picture, where Forge and A1111 look for it."""
    path = run.adapter_file(prepared.config.name, step)
    if picture := run.newest_preview(step, 0):
        write_beside(path.with_suffix(".png"), picture.read_bytes())
    adapter = injection.take(prepared.nets)
    header = export.header_of(prepared, adapter, title=path.stem, step=step)
    export.write(path, adapter, prepared.model.facts, header, "usual")
    return AdapterSaved(step=step, path=str(path))


class _StoppedError(Exception):
    """Ends a measurement whose result nobody waits for."""


def measured_style(
    run: Run, prepared: Prepared, control: Control, step: int
) -> style.StyleChange | None:
    """The change of style from the untrained previews to those of `step`."""

    def features(picture: Tensor) -> list[Tensor]:
        if control.stop.is_set():
            raise _StoppedError
        return prepared.model.family.style_features(prepared.model, picture)

    size = preview.size_of(prepared)
    pictures: list[Tensor] = []
    for item in prepared.own[:STYLE_PICTURES]:
        with contextlib.suppress(OSError):  # gone or damaged since it was encoded
            pictures.append(pixels.to_tensor(pixels.fitted(pixels.open_rgb(item.path), size)))
    return style.measure(
        features,
        pictures,
        preview.read_back(run, prepared, 0),
        preview.read_back(run, prepared, step),
    )


def _logged(run: Run, events: Iterable[Event]) -> Iterator[Event]:
    """Write down what happens, also how it failed, and pass it on."""
    try:
        log = run.log_file.open("ab", buffering=0)
    except OSError as error:
        raise StorageError.writing(run.log_file, error) from error

    def write(event: Event) -> None:
        try:
            log.write(wire.to_line(event))
        except OSError as error:
            raise StorageError.writing(run.log_file, error) from error

    with log:
        try:
            for event in events:
                if not isinstance(event, Hello | Progress):
                    write(event)
                yield event
        except UserError as error:
            with contextlib.suppress(StorageError):  # a full disk is told by the other one
                write(Failed(code=error.code, message=error.message, hint=error.hint))
            raise


def _cut_log(run: Run, step: int) -> None:
    """Forget what came after the checkpoint, and previews that are gone: they come again."""
    kept: list[bytes] = []
    for line in read_log_lines(run):
        match event_of(line):
            case StepDone(step=at) | CheckpointSaved(step=at) | HeldOutMeasured(step=at) if (
                at > step
            ):
                continue
            case PreviewReady(step=at, index=index) if (
                at > step or not run.preview_file(at, index).exists()
            ):
                continue
            case StyleMeasured(step=at) if at >= step > 0:
                continue
            case _:
                kept.append(line)
    write_beside(run.log_file, b"".join(kept))
