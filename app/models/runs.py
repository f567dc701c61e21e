"""Runs, read from their logs and fed by a live one: losses, previews, adapters."""

from __future__ import annotations

import contextlib
import statistics
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.config import files
from core.config.options import RunConfig
from core.errors import UserError
from core.project.layout import Project, Run
from core.protocol import wire
from core.protocol.events import (
    AdapterSaved,
    Event,
    PreviewReady,
    RunStarted,
    StepDone,
    StyleMeasured,
)

PACE_STEPS = 50  # the newest of a run tell how long a step takes
SMOOTHING = 0.9  # of the loss: a mean over about ten steps


@dataclass(slots=True)
class RunRecord:
    """What one run has told so far."""

    run: Run
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    step_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=PACE_STEPS))
    previews: dict[int, dict[int, PreviewReady]] = field(default_factory=dict)  # index, step
    adapters: list[AdapterSaved] = field(default_factory=list)
    styles: dict[str, StyleMeasured] = field(default_factory=dict)  # by adapter path

    @property
    def name(self) -> str:
        return self.run.root.name

    @property
    def style(self) -> StyleMeasured | None:
        """The newest adapter's."""
        return self.styles.get(self.adapters[-1].path) if self.adapters else None

    def take(self, event: Event) -> bool:
        """Add what an event tells; False if it tells nothing that lasts."""
        match event:
            case StepDone(step=step, loss=loss, seconds=seconds):
                self.step_seconds.append(seconds)
                self._forget_from(step)
                before = self.smoothed[-1] if self.smoothed else loss
                self.steps.append(step)
                self.losses.append(loss)
                self.smoothed.append(SMOOTHING * before + (1 - SMOOTHING) * loss)
            case PreviewReady(index=index, step=step):
                self.previews.setdefault(index, {})[step] = event
            case AdapterSaved():
                self.adapters = [a for a in self.adapters if a.path != event.path] + [event]
            case StyleMeasured():
                if self.adapters:
                    self.styles[self.adapters[-1].path] = event
            case _:
                return False
        return True

    def _forget_from(self, step: int) -> None:
        """A resumed run does the steps after its checkpoint again."""
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            self.losses.pop()
            self.smoothed.pop()

    def newest_previews(self) -> list[PreviewReady]:
        """The last picture of each prompt, in the order of the prompts."""
        return [self.previews[index][max(self.previews[index])] for index in sorted(self.previews)]

    def picture_file(self, preview: PreviewReady) -> Path:
        """Where a preview's picture lies; the log's own path may be that of a copied project."""
        return self.run.preview_file(preview.step, preview.index)

    def adapter_file(self, saved: AdapterSaved) -> Path:
        """Where an adapter lies, likewise."""
        return self.run.adapters / saved.path.replace("\\", "/").rpartition("/")[2]

    def preview_steps(self) -> list[int]:
        """All steps with previews, in order."""
        return sorted({step for row in self.previews.values() for step in row})


def read(run: Run) -> RunRecord:
    """A run's record from its log; lines of other versions are passed over."""
    record = RunRecord(run)
    try:
        content = run.log_file.read_bytes()
    except OSError:
        return record
    for line in content.splitlines():
        with contextlib.suppress(wire.WireError):
            record.take(wire.event_from(line))
    return record


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """One adapter file with what is known of it."""

    path: Path
    run: str
    step: int
    size_bytes: int
    picture: Path | None
    style: StyleMeasured | None


class Runs(QObject):
    """The project's runs; one of them is shown."""

    chosen = Signal()  # the person turned to another project or run; before `reset`
    reset = Signal()  # another run is shown
    stepped = Signal()  # the shown run has a new loss
    previewed = Signal()  # the shown run has a new preview
    adapters_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project: Project | None = None
        self._records: dict[str, tuple[tuple[int, int], RunRecord]] = {}
        self._live: RunRecord | None = None
        self.shown: RunRecord | None = None

    def open(self, project: Project | None) -> None:
        """Show a project's newest run that has got anywhere."""
        self._project, self._live = project, None
        self._records.clear()
        records = [self._record(run) for run in project.runs()] if project else []
        told = [record for record in records if record.steps or record.previews]
        self.shown = (told or records or [None])[-1]
        self.chosen.emit()
        self.reset.emit()
        self.adapters_changed.emit()

    def names(self) -> list[str]:
        """All runs' folder names, oldest first."""
        return [run.root.name for run in self._project.runs()] if self._project else []

    def show(self, name: str) -> None:
        """Show one run, also while another goes on."""
        if self._project and (self.shown is None or self.shown.name != name):
            live = self._live
            self.shown = live if live and live.name == name else self._record_of(name)
            self.chosen.emit()
            self.reset.emit()

    def take(self, event: Event, run: str) -> None:
        """What a live run tells."""
        if self._project is None or not run:
            return
        if self._live is None or isinstance(event, RunStarted):
            self._live = self.shown = read(self._project.run(run))
            self.reset.emit()
        if not self._live.take(event):
            return
        match event:
            case StepDone():
                if self.shown is self._live:
                    self.stepped.emit()
            case PreviewReady():
                if self.shown is self._live:
                    self.previewed.emit()
            case _:
                self.adapters_changed.emit()

    def _record_of(self, name: str) -> RunRecord | None:
        return self._record(self._project.run(name)) if self._project else None

    def _record(self, run: Run) -> RunRecord:
        """Read once, as long as its log does not change."""
        try:
            status = run.log_file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except OSError:
            stamp = (0, 0)
        name = run.root.name
        if name not in self._records or self._records[name][0] != stamp:
            self._records[name] = (stamp, read(run))
        return self._records[name][1]

    def resumable(self) -> str:
        """The newest run's name if it is unfinished, else ""."""
        runs = self._project.runs() if self._project else []
        if not runs:
            return ""
        return "" if _complete(runs[-1]) else runs[-1].root.name

    def pace_seconds(self, config: RunConfig) -> float | None:
        """How long a step took in the newest run that had as much to do in one."""
        for run in reversed(self._project.runs() if self._project else []):
            record = self._record(run)
            with contextlib.suppress(UserError):
                if record.step_seconds and _load_of(files.load(run.config_file)) == _load_of(
                    config
                ):
                    return statistics.median(record.step_seconds)
        return None

    def adapters(self) -> list[AdapterCard]:
        """All adapter files of the project, newest first."""
        cards: list[AdapterCard] = []
        for run in reversed(self._project.runs() if self._project else []):
            record = self._record(run)
            for saved in reversed(record.adapters):
                path = record.adapter_file(saved)
                if not path.exists():
                    continue
                picture = path.with_suffix(".png")
                cards.append(
                    AdapterCard(
                        path=path,
                        run=record.name,
                        step=saved.step,
                        size_bytes=path.stat().st_size,
                        picture=picture if picture.exists() else None,
                        style=record.styles.get(saved.path),
                    )
                )
        return cards


def _load_of(config: RunConfig) -> tuple[object, ...]:
    """What decides how long a step takes."""
    return (
        config.base,
        config.dataset.resolution_px,
        config.training.batch_size,
        config.training.precision,
        config.adapter.text_encoder,
    )


def _complete(run: Run) -> bool:
    try:
        config = files.load(run.config_file)
    except UserError:
        return True  # there is nothing to go on with
    return run.complete(config)
