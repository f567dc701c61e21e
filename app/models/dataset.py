"""The dataset: what is there, and what is done to it, with an undo stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from app.figures import count_of
from app.models import moves
from app.models.aims import Aims
from app.models.background import Background, Work
from app.models.findings import Findings
from app.models.folders import Folders
from app.models.importer import Imported, Made, copy_all, save_picture
from app.models.marking import Marking
from app.models.picture_rows import PictureRows
from app.models.pictures import Thumbnails
from app.models.reshowing import Reshowing
from app.models.rewriting import Changes, Noting, rewrite
from app.models.scanner import Look
from app.models.undoing import Latest, Undoing
from core.data import captions, marks, moving, wording
from core.data.cropping import Shares
from core.data.history import Notes
from core.data.past import Entry
from core.data.steps import Move, Outcome, Text
from core.errors import StorageError, UserError
from core.project.layout import Project


class Dataset(QObject):
    """The open project's pictures. Files are looked at, copied and moved by threads."""

    refreshed = Signal()  # pictures or findings are new
    touched = Signal(object)  # the Path of a picture that an undo or redo changed
    busy_changed = Signal()  # see `busy`
    imported = Signal(object)  # an Imported
    noted = Signal(str)  # something worth knowing, in words
    failed = Signal(str)  # something could not be written; in words

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self.rows = PictureRows(thumbnails, self)
        self.findings = Findings(self)
        self.busy = ""  # what goes on in the background, in words
        self.captions = Reshowing(self.rows, self.findings, self)
        self.captions.done.connect(self.refreshed)
        self._written: dict[Path, str] = {}  # captions since the scan began, which it may not know
        self._removed: set[Path] = set()  # pictures, likewise
        self._leaving: set[Path] = set()  # those that are being moved
        self._imports = 0  # that have not ended
        self._files = Background(self)
        self.folders = Folders(self.rows.snapshot, lambda: self._files.busy, self)
        self.undoing = Undoing(self._files, self)
        self.undo_stack = self.undoing.stack
        self.aims = Aims(self.undoing, self)
        self.marking = Marking(self.undoing, self._files, self)
        self.undoing.travelled.connect(self._on_travelled)
        self.undoing.failed.connect(self.failed)
        self.aims.failed.connect(self.failed)
        self.marking.failed.connect(self.failed)
        self.marking.changed.connect(self._on_marked)
        self.folders.started.connect(self._on_scan_started)
        self.folders.progressed.connect(self._on_scan_progressed)
        self.folders.found.connect(self._on_found)
        self.folders.rested.connect(self._on_rested)
        self.folders.stale.connect(self.rescan)
        self._files.progressed.connect(self._become)
        self._files.rested.connect(self._on_rested)

    @property
    def importing(self) -> bool:
        """Whether pictures are being copied."""
        return self._imports > 0

    def open(self, project: Project | None) -> None:
        """Show another project."""
        self.folders.leave(None if project is None else project.catalogue)
        self.project = project
        self.captions.stop()
        self.aims.open(project)
        self.marking.open(project)
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
        self.folders.look(folders)

    def finish(self) -> None:
        """Wait for the threads; before the program ends."""
        self._files.stop()
        self._files.finish()
        self.undoing.close()
        self.folders.finish()

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
        notes = self.undoing.begun("pictures added")
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
        latest = None if apart else self.undoing.going_on(path)
        if latest is not None and latest.text != based_on:
            latest = None
        first = latest.change if latest is not None else None
        if not isinstance(first, Text):
            latest = first = None
        words = f"caption of {path.name}"
        notes = self.undoing.begun(words, latest)
        if notes is None:
            return False
        with notes:
            note = Noting(notes, path, first)
            written = self._write_caption(path, text, based_on, note)
        if note.noted is None or not written:
            if latest is None:
                self.undoing.drop(notes.number)
        elif latest is not None or self.undoing.did(notes.number, words, shows=path, quick=True):
            mine = Latest(notes.number, path, text, note.noted)
            self.undoing.latest = None if apart else mine
        return written

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
            self.captions.show(texts)

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
        notes = self.undoing.begun(said)
        if notes is None or not self.undoing.did(notes.number, said, shows=shows):
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
        self.folders.know([captions.caption_file(path)])
        if kept is not None:
            self.noted.emit(
                f"Another program changed the caption of {path.name} while you wrote. Yours is "
                f"saved; the other is in {kept}."
            )
        self._written[path] = text
        self.captions.show({path: text})
        return True

    @Slot(object, object, bool)
    def _on_travelled(self, outcome: Outcome, entry: Entry | None, back: bool) -> None:  # noqa: FBT001
        """Show what an undo or redo did."""
        self.folders.know(outcome.written)
        if outcome.texts:
            self._written |= outcome.texts
            self.captions.show(outcome.texts)
        if outcome.aimed:
            self.aims.read(outcome.aimed)
        if outcome.marked:
            self.marking.read()
        elif outcome.moved or entry is None or not entry.quick:
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
                self.undoing.did(notes.number, f"{count_of(len(done.targets), 'picture')} added")
            else:
                self.undoing.drop(notes.number)
        self._become("")
        self.imported.emit(done)
        self.rescan()

    @Slot(str)
    def _become(self, busy: str) -> None:
        self.busy = busy
        self.busy_changed.emit()

    @Slot()
    def _on_marked(self) -> None:
        said = self.marking.said
        self.rows.show_marks(said)
        own = marks.findings(self.rows.pictures, said)
        others = [f for f in self.findings.all if f.summary != marks.TOO_MANY]
        if own or len(others) != len(self.findings.all):
            self.findings.show([*others, *own])
            self.refreshed.emit()

    @Slot()
    def _on_scan_started(self) -> None:
        self.marking.read()
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
            found = [*dataset.findings, *marks.findings(dataset.pictures, self.marking.said)]
            self.findings.show([f for f in found if f.path not in self._removed])
        if any(self.rows.row_of(path) >= 0 for path in self._removed):
            self.rows.drop(self._removed)
        self.captions.show(self._written)
        if self.captions.busy:
            self.refreshed.emit()

    @Slot()
    def _on_rested(self) -> None:
        if not self._files.busy and not self.folders.running:
            self._become("")


def _noted(notes: Notes, do: Callable[[Made], Imported]) -> Imported:
    """Copy, and note each file that is made."""

    def made(target: Path, beside: Path) -> None:
        notes.note(Move(None, target, moving.stamp_of(beside, target)))

    with notes:
        return do(made)
