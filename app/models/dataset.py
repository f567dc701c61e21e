"""The dataset: what is there, and what is done to it, with an undo stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from app.figures import count_of
from app.models import moves
from app.models.background import Background, Work
from app.models.findings import Findings
from app.models.gradual import Gradual, Steps
from app.models.importer import Imported, Made, copy_all, save_picture
from app.models.picture_rows import PictureRows
from app.models.pictures import Thumbnails
from app.models.rewriting import Changes, Noting, rewrite
from app.models.scanner import Look, Scanner
from app.models.undoing import Undoing
from app.models.watcher import Watcher
from core.data import captions, focus, health, scan, steps, wording
from core.data.cropping import Shares
from core.data.focus import Point
from core.data.history import Entry, Notes
from core.data.scan import Finding, Picture
from core.data.steps import Aim, Move, Outcome, Text
from core.errors import StorageError, UserError
from core.project.layout import Project

SETTLE_MS = 150  # of changes by other programs, which seldom come alone
LESS_OFTEN = 5  # times as long as a scan took: until the next one that nobody asked for


@dataclass(frozen=True, slots=True)
class _Last:
    """The caption or the crop that was changed last: to go on with it is no step of its own."""

    step: int
    path: Path
    text: str
    change: Text | Aim


class Dataset(QObject):
    """The open project's pictures. Files are looked at, copied and moved by threads."""

    refreshed = Signal()  # pictures or findings are new
    touched = Signal(object)  # the Path of a picture that an undo or redo changed
    busy_changed = Signal()  # see `busy`
    imported = Signal(object)  # an Imported
    noted = Signal(str)  # something worth knowing, in words
    focused = Signal(object)  # the Path of a picture of which a crop keeps another part
    failed = Signal(str)  # something could not be written; in words

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self.rows = PictureRows(thumbnails, self)
        self.findings = Findings(self)
        self.focus: dict[Path, Point] = {}  # what crops keep of pictures, where it was said
        self.busy = ""  # what goes on in the background, in words
        self._to_show: dict[Path, str] = {}  # captions that the rows do not show yet
        self._reshown: dict[Path, Picture] = {}  # of which the findings do not know yet
        self._showing = Gradual(self)
        self._written: dict[Path, str] = {}  # captions since the scan began, which it may not know
        self._removed: set[Path] = set()  # pictures, likewise
        self._leaving: set[Path] = set()  # those that are being moved
        self._imports = 0  # that have not ended
        self._scanner = Scanner(self.rows.snapshot, self)
        self._files = Background(self)
        self.undoing = Undoing(self._files, self)
        self.undo_stack = self.undoing.stack
        self._last: _Last | None = None
        self.undoing.travelled.connect(self._on_travelled)
        self.undoing.lost.connect(self.failed)
        self._watcher = Watcher(self)
        self._watcher.changed.connect(self._on_changed_outside)
        self._soon = QTimer(self, singleShot=True)
        self._soon.timeout.connect(self._on_settled)
        self._scan_began = self._scan_took = 0.0
        self._scanner.walked.connect(self._on_walked)
        self._scanner.started.connect(self._on_scan_started)
        self._scanner.progressed.connect(self._on_scan_progressed)
        self._scanner.found.connect(self._on_found)
        self._scanner.rested.connect(self._on_rested)
        self._files.progressed.connect(self._become)
        self._files.rested.connect(self._on_rested)

    @property
    def importing(self) -> bool:
        """Whether pictures are being copied."""
        return self._imports > 0

    def open(self, project: Project | None) -> None:
        """Show another project."""
        self._scanner.stop()
        self._soon.stop()
        self._watcher.rest()
        self.project = project
        if project is not None:
            self._scanner.remember_in(project.catalogue)
        self._last = None
        self._showing.stop()
        self._to_show.clear()
        self._reshown.clear()
        self._read_focus()
        self.findings.show(())
        self.rows.clear()
        self._written.clear()
        self._removed.clear()
        self.refreshed.emit()
        self.undoing.open(project)
        self.rescan()

    @Slot()
    def rescan(self) -> None:
        """Look at the folders again, in the background."""
        if self.project is None:
            return
        try:
            folders = self.project.folders(self.project.config())
        except UserError as error:
            self.failed.emit(str(error))
            return
        self._scanner.start(folders)

    def finish(self) -> None:
        """Wait for the threads; before the program ends."""
        self._soon.stop()
        self._watcher.finish()
        self._files.stop()
        self._files.finish()
        self.undoing.close()
        self._scanner.finish()

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Copy dropped pictures, and folders of them, with their captions into the project.

        Nothing is overwritten: a taken name gets a number. `imported` tells how it went.
        """
        self._import(
            "Copying your pictures",
            lambda folder, work, made: copy_all(paths, folder, work, made),
        )

    def import_picture(self, image: QImage) -> None:
        """Save a picture that is no file into the project; `imported` tells how it went."""
        self._import(
            "Saving your picture",
            lambda folder, work, made: save_picture(image, folder, work, made),
        )

    def _import(self, words: str, do: Callable[[Path, Work, Made], Imported]) -> None:
        notes = self._begun("pictures added")
        if self.project is not None and notes is not None:
            self._imports += 1
            project, folder = self.project, self.project.images
            self._files.start(
                words,
                lambda work: _noted(notes, lambda made: do(folder, work, made)),
                lambda imported, problem: self._on_imported(project, notes, imported, problem),
            )

    @Slot()
    def stop_importing(self) -> None:
        """End after the picture in hand."""
        self._files.stop()

    def set_caption(self, path: Path, text: str, based_on: str, *, apart: bool = False) -> bool:
        """Write a caption; can be undone, `apart` from what else is written in it. False if not.

        Where another program has changed it from `based_on` meanwhile, a copy of that goes to the
        project's bin.
        """
        self._written.pop(path, None)
        last = None if apart else self._going_on(path)
        if last is not None and (not isinstance(last.change, Text) or last.text != based_on):
            last = None
        notes = self._begun(f"caption of {path.name}", last)
        if notes is None:
            return False
        with notes:
            first = last.change if last is not None and isinstance(last.change, Text) else None
            note = Noting(notes, path, first)
            written = self._write_caption(path, text, based_on, note)
        if note.noted is None or not written:
            if last is None:
                self.undoing.drop(notes.number)
        elif last is not None or self._did(notes, f"caption of {path.name}", path, quick=True):
            self._last = None if apart else _Last(notes.number, path, text, note.noted)
        return written

    def _going_on(self, path: Path) -> _Last | None:
        """What was changed of this very picture just now, and nothing since."""
        last, history = self._last, self.undoing.history
        if last is None or last.path != path or last.step != self.undoing.last():
            return None
        return None if history is None or history.is_long(last.step) else last

    def _begun(self, said: str, last: _Last | None = None) -> Notes | None:
        """A step to note in, or the last one; None where that cannot be, which is told."""
        try:
            if last is not None and self.undoing.history is not None:
                return self.undoing.history.go_on(last.step)
            return self.undoing.begin(said) if self.project is not None else None
        except StorageError as error:
            self.failed.emit(str(error))
            return None

    def _did(
        self, notes: Notes, said: str, shows: Path | None = None, *, quick: bool = False
    ) -> bool:
        """A step is the last one now."""
        try:
            self.undoing.did(notes.number, said, shows=shows, quick=quick)
        except StorageError as error:
            self.failed.emit(str(error))
            return False
        return True

    def with_signs(self) -> Changes:
        """The captions that hold a prompt's signs, and what they are without."""
        told = {finding.path for finding in self.findings.all if finding.summary == wording.SIGNS}
        there = [one for one in self.rows.pictures if one.path in told] if told else []
        plain = {one.path: (one.caption, wording.plain(one.caption)) for one in there}
        return {path: (old, new) for path, (old, new) in plain.items() if old != new}

    def rewrite(self, changes: Changes) -> None:
        """Write many captions; one step back undoes them all.

        Shown at once, written by the thread; what fails a scan shows as it is.
        """
        if self.project is None or not changes:
            return
        folder, texts = self.project.bin, {path: new for path, (_, new) in changes.items()}
        words = f"{count_of(len(changes), 'caption')} reworded"
        if self._start(
            "Writing captions", words, lambda notes, work: rewrite(changes, folder, notes, work)
        ):
            self._written |= texts
            self._show_captions(texts)

    def remove(self, paths: Sequence[Path]) -> None:
        """Move pictures and their captions to the project's bin; can be undone.

        They go from the list at once, to the bin in the thread.
        """
        if self.project is None or not paths:
            return
        folder, going = self.project.bin, set(paths)
        if self._start(
            "Moving pictures to the bin",
            f"{count_of(len(paths), 'picture')} removed",
            lambda notes, work: moves.to_bin(paths, folder, notes, work),
            going,
            paths[0],
        ):
            self._leaving |= going
            self._removed |= going
            self.findings.show([f for f in self.findings.all if f.path not in going])
            self.rows.drop(going)
            self.refreshed.emit()

    def set_focus(self, path: Path, point: Point | None) -> None:
        """What crops are to keep of a picture; None is its middle. Can be undone."""
        if self.project is None or point == self.focus.get(path):
            return
        last = self._going_on(path)
        if last is not None and not isinstance(last.change, Aim):
            last = None
        notes = self._begun(f"crop of {path.name}", last)
        if notes is None:
            return
        with notes:
            change = self._aim(path, point, notes, last)
        if change is None:
            if last is None:
                self.undoing.drop(notes.number)
        elif last is not None or self._did(notes, f"crop of {path.name}", quick=True):
            self._last = _Last(notes.number, path, "", change)

    def cut(self, parts: Mapping[Path, Shares]) -> None:
        """Put parts of pictures in their place; the whole ones go to the bin. Can be undone."""
        if self.project is not None and parts:
            folder = self.project.bin
            self._start(
                "Cropping pictures",
                f"{count_of(len(parts), 'picture')} cropped",
                lambda notes, work: moves.cut_all(parts, folder, notes, work),
            )

    def change(
        self, words: str, said: str, do: Callable[[Notes, Work], str], shows: Path | None = None
    ) -> bool:
        """Let the thread change files beside pictures; can be undone. False if it cannot be."""
        return self.project is not None and self._start(words, said, do, shows=shows)

    def _start(
        self,
        words: str,
        said: str,
        do: Callable[[Notes, Work], str],
        going: set[Path] | None = None,
        shows: Path | None = None,
    ) -> bool:
        """Let the thread do something that can be undone; it returns what went wrong, in words."""
        notes = self._begun(said)
        if notes is None or not self._did(notes, said, shows):
            return False

        def noted(work: Work) -> str:
            with notes:
                return do(notes, work)

        self._files.start(
            words,
            noted,
            lambda problem, bug: self._on_files_ended(going or set(), str(problem or bug)),
        )
        return True

    def _write_caption(self, path: Path, text: str, expected: str, note: Noting) -> bool:
        try:
            if path in self._removed or not path.exists():
                return False  # its caption is in the bin, or will be
            bin_folder = None if self.project is None else self.project.bin
            kept = captions.write(path, text, based_on=expected, bin_folder=bin_folder, note=note)
        except StorageError as error:
            self.failed.emit(str(error))
            return False
        except OSError as error:
            self.failed.emit(str(StorageError.writing(captions.caption_file(path), error)))
            return False
        self._watcher.know([captions.caption_file(path)])
        if kept is not None:
            self.noted.emit(
                f"Another program changed the caption of {path.name} while you wrote. Yours is "
                f"saved; the other is in {kept}."
            )
        self._written[path] = text
        self._show_captions({path: text})
        return True

    def _show_captions(self, texts: Mapping[Path, str]) -> None:
        """At once, but thousands of them, which come one after the other; the newest first."""
        self._to_show |= texts
        self._showing.start(self._shown(), self._on_shown)

    def _shown(self) -> Steps[list[Finding]]:
        while self._to_show:
            path, text = self._to_show.popitem()
            if picture := self.rows.set_caption(path, text):
                self._reshown[path] = picture
            yield
        own: list[Finding] = []
        for picture in self._reshown.values():
            own += scan.findings_of(picture)
            yield
        return own

    def _on_shown(self, own: list[Finding]) -> None:
        self.findings.show_usable(self._reshown.keys(), own, health.OF_PIXELS)
        self._reshown.clear()
        self.refreshed.emit()

    def _aim(self, path: Path, point: Point | None, notes: Notes, last: _Last | None) -> Aim | None:
        """Write down what crops keep; what has changed, or None where that failed."""
        project = self.project
        if project is None:
            return None
        try:
            points = focus.read(project.focus_file, project.root)  # others write it, too
            if last is not None and isinstance(last.change, Aim):
                change = Aim(path, last.change.old, point, last.change.before)
                notes.again(0, change)
            else:
                change = Aim(path, points.get(path), point, steps.aimed_before(project))
                notes.note(change)
            if point is None:
                points.pop(path, None)
            else:
                points[path] = point
            focus.write(project.focus_file, points, project.root)
        except UserError as error:
            self.failed.emit(str(error))
            return None
        self.focus = points
        self.focused.emit(path)
        return change

    def _read_focus(self) -> None:
        self.focus = {}
        if self.project is not None:
            try:
                self.focus = focus.read(self.project.focus_file, self.project.root)
            except UserError as error:
                self.failed.emit(str(error))

    @Slot(object, object, bool)
    def _on_travelled(self, outcome: Outcome, entry: Entry | None, back: bool) -> None:  # noqa: FBT001
        """Show what an undo or redo did."""
        self._last = None
        self._watcher.know(outcome.written)
        if outcome.texts:
            self._written |= outcome.texts
            self._show_captions(outcome.texts)
        if outcome.aimed:
            self._read_focus()
            for path in outcome.aimed:
                self.focused.emit(path)
        if outcome.moved or entry is None or not entry.quick:
            self.rescan()
        if outcome.problem:
            self.failed.emit(outcome.problem)
        if entry is not None and entry.shows is not None and (back or not outcome.moved):
            self.touched.emit(entry.shows)

    def _on_files_ended(self, paths: set[Path], problem: str) -> None:
        self._leaving -= paths
        if problem:
            self.failed.emit(problem)
        self.rescan()

    def _on_imported(self, project: Project, notes: Notes, imported: object, problem: str) -> None:
        self._imports -= 1
        done = imported if isinstance(imported, Imported) else Imported(problem=problem)
        if project == self.project:
            if done.targets:
                self._did(notes, f"{count_of(len(done.targets), 'picture')} added")
            else:
                self.undoing.drop(notes.number)
        self._become("")
        self.imported.emit(done)
        self.rescan()

    @Slot(str)
    def _become(self, busy: str) -> None:
        self.busy = busy
        self.busy_changed.emit()

    @Slot(object, object)
    def _on_walked(self, folders: Sequence[Path], began_ns: int) -> None:
        if self.project is not None and not self._scanner.stopped.is_set():
            self._watcher.watch(folders, began_ns)

    @Slot()
    def _on_changed_outside(self) -> None:
        """Once it has settled, and not so often that looking is all that is done."""
        if not self._soon.isActive():
            since = time.monotonic() - self._scan_began
            wait = LESS_OFTEN * self._scan_took - since
            self._soon.start(max(SETTLE_MS, round(1000 * wait)))

    @Slot()
    def _on_settled(self) -> None:
        if self._files.busy or self._scanner.running:
            self._soon.start(SETTLE_MS)
        else:
            self.rescan()

    @Slot()
    def _on_scan_started(self) -> None:
        self._scan_began = time.monotonic()
        self._written.clear()
        self._removed = set(self._leaving)
        self._become("Looking at your pictures")

    @Slot(int, int)
    def _on_scan_progressed(self, done: int, total: int) -> None:
        self._become(f"Looking at your pictures, {done:,} of {total:,}")

    @Slot(object)
    def _on_found(self, look: Look) -> None:
        """What a first look finds amiss is told once it is sure."""
        dataset = look.dataset
        self.rows.show_look(look)
        if look.sure:
            self._scan_took = time.monotonic() - self._scan_began
            self.findings.show([f for f in dataset.findings if f.path not in self._removed])
        if any(self.rows.row_of(path) >= 0 for path in self._removed):
            self.rows.drop(self._removed)
        self._show_captions(self._written)
        if self._showing.busy:
            self.refreshed.emit()

    @Slot()
    def _on_rested(self) -> None:
        if not self._files.busy and not self._scanner.running:
            self._become("")


def _noted(notes: Notes, do: Callable[[Made], Imported]) -> Imported:
    """Copy, and note each file that is made."""

    def made(target: Path, beside: Path) -> None:
        notes.note(Move(None, target, steps.stamp_of(beside, target)))

    with notes:
        return do(made)
