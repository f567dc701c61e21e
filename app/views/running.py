"""Starts, stops and resumes runs, and tells how they go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from app.models.run_record import RunRecord
from app.models.studio import Studio
from app.process.session import State
from core.protocol.events import Event, Failed, Finished, Warned

PLACE = "Train"


class Running(QObject):
    """What can be done with a run, from every page."""

    def __init__(self, studio: Studio, save: Callable[[], int], parent: QObject) -> None:
        """`save` writes what was typed anywhere; it returns how much could not be written."""
        super().__init__(parent)
        self._studio, self._session, self._save = studio, studio.session, save
        self._warnings: list[str] = []
        add = studio.actions.add
        self._train = add("train", "Train", self.train, place=PLACE, keys=("Ctrl+Return",))
        self._resume = add("resume", "Resume", self.resume, place=PLACE)
        self._stop = add("stop", "Stop", studio.session.stop_or_end_now, place=PLACE)
        self._preview = add("preview", "Preview now", studio.session.preview_now, place=PLACE)
        studio.session.changed.connect(self._on_changed)
        studio.session.said.connect(self._on_said)
        studio.session.failed.connect(self._on_failed)
        studio.session.ended.connect(self._warnings.clear)
        studio.settings.changed.connect(self._on_changed)
        studio.dataset.refreshed.connect(self._on_changed)
        studio.dataset.busy_changed.connect(self._on_changed)
        studio.runs.reset.connect(self._on_changed)
        studio.runs.adapters_changed.connect(self._on_changed)
        self._on_changed()

    def train(self) -> None:
        """Start the project's next run."""
        self._start("")

    def resume(self) -> None:
        """Go on with the run that is shown, or the newest, if it is unfinished."""
        if record := self._studio.runs.resumable():
            self._start(record.name)

    def _start(self, resume: str) -> None:
        project = self._studio.workspace.project
        if project is not None and self.all_written():
            self._studio.session.train(project.root.absolute(), resume)

    def all_written(self) -> bool:
        """Write what a run would read; what cannot be is told: no run on what is not meant."""
        settings = self._studio.settings
        self._studio.news.cleared.emit()
        unsaved = self._save()
        if not settings.saved:
            settings.save()  # once more
        return not unsaved and settings.saved

    @Slot()
    def _on_changed(self) -> None:
        session, busy = self._session, self._session.busy
        there = not busy and self._studio.settings.config is not None
        self._train.setEnabled(there and not any(one.needed for one in self._studio.lacks()))
        self._train.setVisible(not busy)
        resumable = None if busy else self._studio.runs.resumable()
        self._resume.setVisible(resumable is not None)
        if resumable:
            self._resume.setText(_resume_words(resumable))
        self._stop.setVisible(busy)
        self._stop.setEnabled(session.stoppable)
        self._stop.setText("End now" if session.slow_to_stop else "Stop")
        self._preview.setVisible(session.state is State.RUNNING)
        self._preview.setEnabled(not session.previews_wished)

    @Slot(object)
    def _on_said(self, event: Event) -> None:
        studio, here = self._studio, self._studio.run_is_ours
        elsewhere = self._session.project or Path()
        whose = "" if here else f"{elsewhere.name}: "
        if here:
            studio.runs.take(event, self._session.run)
        match event:
            case Warned(message=message):
                self._warnings.append(whose + message)
                count = len(self._warnings)
                more = f" And {count - 1} more." if count > 1 else ""
                studio.news.note(
                    self._warnings[0] + more,
                    action="Show findings" if studio.dataset.findings.all else "",
                    on_action=studio.actions["dataset.findings"].trigger
                    if studio.dataset.findings.all
                    else None,
                    lasting=True,
                )
            case Finished(stopped=False) if not here:
                studio.news.note(
                    f"{whose}The adapter is ready.",
                    action="Open the project",
                    on_action=lambda: studio.workspace.open(elsewhere),
                    lasting=True,
                )
            case Finished(stopped=False):
                studio.news.note(
                    "Done. The adapter is ready.",
                    action="Show the run",
                    on_action=studio.actions["page.train"].trigger,
                )
            case Finished(stopped=True) if self._session.step:
                studio.news.note(f"{whose}Stopped and saved at step {self._session.step:,}.")
            case _:
                pass

    @Slot(object, bool)
    def _on_failed(self, failure: Failed, resumable: bool) -> None:  # noqa: FBT001 - a signal's
        if self._studio.run_is_ours and resumable and self._studio.runs.resumable():
            self._studio.news.failed(failure, action="Resume", on_action=self.resume)
        else:
            self._studio.news.failed(failure)


def _resume_words(record: RunRecord) -> str:
    saved = record.saved_step
    return f"Resume from step {saved:,}" if saved else "Start this run again"
