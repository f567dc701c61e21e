"""Several processes that take each step together: real ones, over real sockets."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.config import files
from core.errors import ConfigError, DivergedError, ProcessLostError
from core.project.layout import Project
from core.protocol.events import (
    CheckpointSaved,
    Event,
    Failed,
    Finished,
    PreviewReady,
    RunStarted,
    StepDone,
    Warned,
)
from core.training.control import Control
from core.training.team import Places, Team, team
from core.training.train import train

ROOT = Path(__file__).parents[2]
# Sums of the same numbers in another order: what a step of float32 loses by it, with room.
BOUND = 1e-4


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def of(kind, events: list[Event]) -> list:
    return [e for e in events if isinstance(e, kind)]


@contextmanager
def several(project: Project, processes: int, control: Control) -> Iterator[Team]:
    with team(project, Places(processes), control) as others:
        yield others


def together(project: Project, processes: int = 2, resume: str | None = None) -> list[Event]:
    control = Control()
    with several(project, processes, control) as others:
        return list(train(project, control, resume, others))


def curve(events: list[Event]) -> list[tuple[float, float]]:
    return [(e.loss, e.grad_norm) for e in of(StepDone, events)]


def test_two_processes_give_the_curve_of_one(project: Project) -> None:
    change(project, "training.batch_size=3", "training.steps=6", "training.precision=float32")
    began = time.monotonic()
    alone = list(train(project, Control()))
    between = time.monotonic()
    both = together(project)
    print(between - began, time.monotonic() - between)
    print([a[0] / b[0] - 1 for a, b in zip(curve(alone), curve(both), strict=True)])
    print([a[1] / b[1] - 1 for a, b in zip(curve(alone), curve(both), strict=True)])
