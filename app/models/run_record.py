"""What one run has told so far, read from its log; a log may hold anything."""

from __future__ import annotations

import contextlib
import math
from array import array
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from core.config import files
from core.config.options import RunConfig
from core.errors import UserError
from core.project.layout import Run
from core.protocol import wire
from core.protocol.events import (
    AdapterSaved,
    Event,
    HeldOutMeasured,
    PreviewReady,
    StepDone,
    StyleMeasured,
)

PACE_STEPS = 50  # the newest of a run tell how long a step takes
SMOOTHING = 0.9  # of the loss: a mean over about ten steps
MOST_STEPS = 10**9  # of a sound log; a chart has no room for more
MOST_PROMPTS = 10_000
NAME_BYTES = 255  # that file systems allow


@dataclass(slots=True)
class RunRecord:
    """Losses, previews and adapters of a run."""

    run: Run
    config: RunConfig | None = None  # None where it cannot be read: it cannot be resumed either
    steps: array[int] = field(default_factory=lambda: array("q"))
    losses: array[float] = field(default_factory=lambda: array("d"))
    smoothed: array[float] = field(default_factory=lambda: array("d"))
    step_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=PACE_STEPS))
    left: tuple[int, float] = (0, 0.0)  # after which step, and how many seconds it then said
    previews: dict[int, dict[int, PreviewReady]] = field(default_factory=dict)  # index, step
    adapters: list[AdapterSaved] = field(default_factory=list)
    styles: dict[int, StyleMeasured] = field(default_factory=dict)  # by step
    held_out: dict[int, HeldOutMeasured] = field(default_factory=dict)  # by step, in their order

    @property
    def name(self) -> str:
        return self.run.root.name

    @property
    def told(self) -> bool:
        """Whether it has got anywhere."""
        return bool(self.steps or self.previews)

    @property
    def step(self) -> int:
        """The last one that was taken; 0 before the first."""
        return self.steps[-1] if self.steps else 0

    @property
    def unfinished(self) -> bool:
        """Whether it can be gone on with."""
        return self.config is not None and not self.run.complete(self.config)

    @property
    def saved_step(self) -> int:
        """The one that it goes on from; 0 is the start."""
        checkpoint = self.run.newest_checkpoint()
        return int(checkpoint.name.removeprefix("step")) if checkpoint else 0

    @property
    def style(self) -> StyleMeasured | None:
        """The newest adapter's."""
        return self.styles.get(self.adapters[-1].step) if self.adapters else None

    @property
    def verdict(self) -> str:
        """What the pictures held out say of it, in words; "" where there are none."""
        return next(reversed(self.held_out.values())).verdict if self.held_out else ""

    def take(self, event: Event) -> bool:
        """Add what an event tells; False if it tells nothing that lasts, or that can be."""
        match event:
            case StepDone():
                return self._take_step(event)
            case PreviewReady(index=index, step=step):
                if not (0 <= index < MOST_PROMPTS and 0 <= step <= MOST_STEPS):
                    return False
                self.previews.setdefault(index, {})[step] = event
            case AdapterSaved(path=path):
                if not _is_file_name(_name_of(path)):
                    return False
                self.adapters = [a for a in self.adapters if a.path != path] + [event]
            case HeldOutMeasured():
                return self._take_held_out(event)
            case StyleMeasured(step=step, before=before, after=after, check=check):
                if not all(map(math.isfinite, (before, after, check))):
                    return False
                if step or self.adapters:
                    self.styles[step or self.adapters[-1].step] = event
            case _:
                return False
        return True

    def _take_step(self, event: StepDone) -> bool:
        step, loss, seconds = event.step, event.loss, event.seconds
        if step > MOST_STEPS or not math.isfinite(loss):
            return False
        if math.isfinite(seconds) and seconds >= 0:
            self.step_seconds.append(seconds)
        if math.isfinite(event.seconds_left) and event.seconds_left > 0:
            self.left = (step, event.seconds_left)
        self._forget_from(step)
        before = self.smoothed[-1] if self.smoothed else loss
        self.steps.append(step)
        self.losses.append(loss)
        self.smoothed.append(SMOOTHING * before + (1 - SMOOTHING) * loss)
        return True

    def _take_held_out(self, event: HeldOutMeasured) -> bool:
        if not math.isfinite(event.loss):
            return False
        for later in [step for step in self.held_out if step >= event.step]:
            del self.held_out[later]  # a resumed run measures anew
        self.held_out[event.step] = event
        return True

    def _forget_from(self, step: int) -> None:
        """A resumed run does the steps after its checkpoint again."""
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            self.losses.pop()
            self.smoothed.pop()

    def newest_previews(self, step: int = MOST_STEPS) -> list[PreviewReady]:
        """The last picture of each prompt up to a step, in the order of the prompts."""
        newest: list[PreviewReady] = []
        for _, row in sorted(self.previews.items()):
            if there := [drawn for drawn in row if drawn <= step]:
                newest.append(row[max(there)])
        return newest

    def picture_file(self, preview: PreviewReady) -> Path:
        """Where a preview's picture lies; the log's own path may be that of a copied project."""
        return self.run.preview_file(preview.step, preview.index)

    def adapter_file(self, saved: AdapterSaved) -> Path:
        """Where an adapter lies, likewise."""
        return self.run.adapters / _name_of(saved.path)

    def preview_steps(self) -> list[int]:
        """All steps with previews, in order."""
        return sorted({step for row in self.previews.values() for step in row})


def read(run: Run) -> RunRecord:
    """A run's record from its log; lines of other versions are passed over."""
    record = RunRecord(run)
    with contextlib.suppress(UserError):
        record.config = files.load(run.config_file)
    try:
        content = run.log_file.read_bytes()
    except OSError:
        return record
    for line in content.splitlines():
        with contextlib.suppress(ValueError, RecursionError):  # a WireError is a ValueError
            record.take(wire.event_from(line))
    return record


def style_words(style: StyleMeasured) -> str:
    """The change of style in words, beside its own check."""
    return f"{style.change} (check: tells them from untrained ones in {style.check:.0%} of pairs)"


def _name_of(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _is_file_name(name: str) -> bool:
    return 0 < len(name.encode(errors="replace")) <= NAME_BYTES and "\0" not in name
