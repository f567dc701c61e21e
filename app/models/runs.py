"""The project's runs; logs are read by a thread, a live run feeds its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.models.background import Background, Work
from app.models.estimate import estimate_seconds
from app.models.run_record import RunRecord, read
from core.config.options import DEMO_BASE, RunConfig
from core.project.layout import Project, Run
from core.protocol.events import (
    Event,
    HeldOutMeasured,
    PreviewReady,
    RunStarted,
    StepDone,
    StyleMeasured,
)


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """One adapter file with what is known of it."""

    path: Path
    run: str  # "" where it is of none
    step: int
    size_bytes: int
    picture: Path | None
    style: StyleMeasured | None
    only_here: bool = False  # no other program has its base model
    trigger: str = ""

    @property
    def words(self) -> str:
        """One adapter in a list."""
        return f"{self.run}, step {self.step:,}" if self.run else self.path.stem


def file_card(path: Path) -> AdapterCard:
    """Of a file that no run has made."""
    picture = path.with_suffix(".png")  # as other programs keep them beside an adapter
    return AdapterCard(
        path=path,
        run="",
        step=0,
        size_bytes=path.stat().st_size,
        picture=picture if picture.exists() else None,
        style=None,
    )


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
        self._records: dict[str, RunRecord] = {}
        self._live: RunRecord | None = None
        self.shown: RunRecord | None = None
        self.picked: Path | None = None  # the adapter to draw with, where one was chosen
        self._reader = Background(self)

    @property
    def project(self) -> Project | None:
        return self._project

    @property
    def reading(self) -> bool:
        """Whether logs are still being read."""
        return self._reader.busy

    def open(self, project: Project | None) -> None:
        """Show a project's newest run that has got anywhere, once it is read."""
        self._reader.stop()
        self._project, self._live, self.shown, self.picked = project, None, None, None
        self._records = {}
        self.chosen.emit()
        self._tell_all()
        if project:
            runs = [run for run in project.runs() if run.began]  # others wait in the queue
            self._reader.start(
                "Reading the runs",
                lambda work: _read_all(runs, work),
                lambda records, _problem: self._on_read(project, records),
            )

    def finish(self) -> None:
        """Wait for the thread; before the program ends."""
        self._reader.stop()
        self._reader.finish()

    def names(self) -> list[str]:
        """All runs' folder names, oldest first."""
        return list(self._records)

    def show(self, name: str) -> None:
        """Show one run, also while another goes on."""
        if name in self._records and (self.shown is None or self.shown.name != name):
            self.shown, self.picked = self._records[name], None
            self.chosen.emit()
            self.reset.emit()

    def pick(self, adapter: Path) -> None:
        """Choose an adapter to draw with."""
        self.picked = adapter
        self.adapters_changed.emit()

    def take(self, event: Event, run: str) -> None:
        """What a live run tells."""
        if self._project is None or not run:
            return
        if self._live is None or self._live.name != run or isinstance(event, RunStarted):
            self._live = self.shown = self._records[run] = read(self._project.run(run))
            self.reset.emit()
        if not self._live.take(event):
            return
        match event:
            case StepDone() | HeldOutMeasured():
                if self.shown is self._live:
                    self.stepped.emit()
            case PreviewReady():
                if self.shown is self._live:
                    self.previewed.emit()
            case _:
                self.adapters_changed.emit()

    def resumable(self) -> RunRecord | None:
        """The run that is shown, if it is unfinished, else the newest, if that is."""
        records = (self.shown, self._newest())
        return next((record for record in records if record and record.unfinished), None)

    def estimate_seconds(self, config: RunConfig) -> float | None:
        """How long a run would take, by the newest one that had as much to do in a step."""
        for name in reversed(self.names()):
            record = self._records[name]
            if record.config and _load_of(record.config) == _load_of(config):
                seconds = estimate_seconds(config, record)
                if seconds is not None:
                    return seconds
        return None

    def adapters(self) -> list[AdapterCard]:
        """All adapter files of the project, newest first; then what was made of them by hand."""
        cards: list[AdapterCard] = []
        for name in reversed(self.names()):
            record = self._records[name]
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
                        style=record.styles.get(saved.step),
                        only_here=record.config is not None and record.config.base == DEMO_BASE,
                        trigger=record.config.dataset.trigger if record.config else "",
                    )
                )
        made = self._project.made_adapters() if self._project else []
        return cards + [file_card(path) for path in made]

    def _newest(self) -> RunRecord | None:
        return self._records[self.names()[-1]] if self._records else None

    def _on_read(self, project: Project, records: object) -> None:
        if project != self._project or not isinstance(records, list):
            return
        self._records = {r.name: r for r in records} | self._records  # a live run knows more
        if self.shown is None and self._records:
            told = [name for name in self.names() if self._records[name].told]
            self.shown = self._records[told[-1]] if told else self._newest()
        self._tell_all()

    def _tell_all(self) -> None:
        self.reset.emit()
        self.adapters_changed.emit()


def _read_all(runs: list[Run], work: Work) -> list[RunRecord]:
    records: list[RunRecord] = []
    for number, run in enumerate(runs):
        if work.stopped:
            break
        work.tell(number, len(runs))
        records.append(read(run))
    return records


def _load_of(config: RunConfig) -> tuple[object, ...]:
    """What decides how long a step takes."""
    return (
        config.base,
        config.dataset.resolution_px,
        config.training.batch_size,
        config.training.precision,
        config.adapter.text_encoder,
    )
