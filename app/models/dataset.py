"""The dataset: what is there, and what is done to it, with an undo stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage, QUndoStack

from app.models import moves
from app.models.background import Background, Work
from app.models.edits import (
    Add,
    Cut,
    Remove,
    SetCaption,
    SetCaptions,
    SetFocus,
    SetMarks,
    SetRepeats,
)
from app.models.findings import Findings
from app.models.gradual import Gradual, Steps
from app.models.importer import Imported, copy_all, save_picture
from app.models.moves import Cuts, Moves
from app.models.picture_rows import PictureRows
from app.models.pictures import Thumbnails
from app.models.rewriting import Changes, rewrite
from app.models.scanner import Look, Scanner
from core.data import captions, focus, health, marks, scan, wording
from core.data.cropping import Shares
from core.data.focus import Point
from core.data.marks import Mark, Marks
from core.data.scan import Finding, Picture
from core.errors import StorageError, UserError
from core.project.layout import Project


class Dataset(QObject):
    """The open project's pictures. Files are looked at, copied and moved by threads."""

    refreshed = Signal()  # pictures or findings are new
    touched = Signal(object)  # the Path of a picture that an undo or redo changed
    busy_changed = Signal()  # see `busy`
    imported = Signal(object)  # an Imported
    noted = Signal(str)  # something worth knowing, in words
    focused = Signal(object)  # the Path of a picture of which a crop keeps another part
    marked = Signal()  # other things are said of pictures or folders
    failed = Signal(str)  # something could not be written; in words

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self.undo_stack = QUndoStack(self)
        self.rows = PictureRows(thumbnails, self)
        self.findings = Findings(self)
        self.focus: dict[Path, Point] = {}  # what crops keep of pictures, where it was said
        self.marks = Marks()
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
        self.project = project
        if project is not None:
            self._scanner.remember_in(project.catalogue)
        self.undo_stack.clear()
        self._showing.stop()
        self._to_show.clear()
        self._reshown.clear()
        self._read_focus()
        self._read_marks()
        self.findings.show(())
        self.rows.clear()
        self._written.clear()
        self._removed.clear()
        self.refreshed.emit()
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
        self._files.stop()
        self._files.finish()
        self._scanner.finish()

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Copy dropped pictures, and folders of them, with their captions into the project.

        Nothing is overwritten: a taken name gets a number. `imported` tells how it went.
        """
        self._import("Copying your pictures", lambda folder, work: copy_all(paths, folder, work))

    def import_picture(self, image: QImage) -> None:
        """Save a picture that is no file into the project; `imported` tells how it went."""
        self._import("Saving your picture", lambda folder, work: save_picture(image, folder, work))

    def _import(self, words: str, do: Callable[[Path, Work], Imported]) -> None:
        if self.project is not None:
            self._imports += 1
            project, folder = self.project, self.project.images
            self._files.start(
                words,
                lambda work: do(folder, work),
                lambda imported, problem: self._on_imported(project, imported, problem),
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
        texts = (based_on, text)
        change = SetCaption(self._write_caption, path, texts, self.touched.emit, apart=apart)
        self.undo_stack.push(change)
        return self._written.get(path) == text

    def with_signs(self) -> Changes:
        """The captions that hold a prompt's signs, and what they are without."""
        told = {finding.path for finding in self.findings.all if finding.summary == wording.SIGNS}
        there = [one for one in self.rows.pictures if one.path in told] if told else []
        plain = {one.path: (one.caption, wording.plain(one.caption)) for one in there}
        return {path: (old, new) for path, (old, new) in plain.items() if old != new}

    def rewrite(self, changes: Changes) -> None:
        """Write many captions; one step back undoes them all."""
        if self.project is not None and changes:
            self.undo_stack.push(SetCaptions(changes, self._rewrite))

    def remove(self, paths: Sequence[Path]) -> None:
        """Move pictures and their captions to the project's bin; can be undone."""
        if self.project is not None and paths:
            self.undo_stack.push(Remove(paths, self._take_out, self._bring_back))

    def set_focus(self, path: Path, point: Point | None) -> None:
        """What crops are to keep of a picture; None is its middle. Can be undone."""
        before = self.focus.get(path)
        if self.project is not None and point != before:
            self.undo_stack.push(SetFocus(self._put_focus, path, (before, point)))

    def set_marks(self, words: str, new: Mapping[Path, Mark]) -> None:
        """What is said of pictures, `words` for what was done. Can be undone, all at once."""
        before = {path: self.marks.of(path) for path in new}
        if self.project is not None and before != dict(new):
            self.undo_stack.push(SetMarks(words, self._put_marks, (before, dict(new))))

    def set_repeats(self, new: Mapping[Path, int]) -> None:
        """How often the pictures of folders come; 0 is as their names ask. Can be undone."""
        before = {folder: self.marks.folders.get(folder, 0) for folder in new}
        if self.project is not None and before != dict(new):
            self.undo_stack.push(SetRepeats(self._put_repeats, (before, dict(new))))

    def cut(self, parts: Mapping[Path, Shares]) -> None:
        """Put parts of pictures in their place; the whole ones go to the bin. Can be undone."""
        if self.project is not None and parts:
            self.undo_stack.push(Cut(parts, self._cut, self._uncut))

    def _write_caption(self, path: Path, text: str, expected: str) -> bool:
        """What set_caption, its undo and its redo do."""
        try:
            if path in self._removed or not path.exists():
                return False  # its caption is in the bin, or will be
            bin_folder = None if self.project is None else self.project.bin
            kept = captions.write(path, text, based_on=expected, bin_folder=bin_folder)
        except StorageError as error:
            self.failed.emit(str(error))
            return False
        except OSError as error:
            self.failed.emit(str(StorageError.writing(captions.caption_file(path), error)))
            return False
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

    def _rewrite(self, changes: Changes) -> None:
        """Shown at once, written by the thread; what fails a scan shows as it is."""
        if self.project is None:
            return
        folder, texts = self.project.bin, {path: new for path, (_, new) in changes.items()}
        self._written |= texts
        self._show_captions(texts)
        self._files.start(
            "Writing captions",
            lambda work: rewrite(changes, folder, work),
            lambda problem, bug: self._on_files_ended(set(), str(problem or bug)),
        )

    def _take_out(self, paths: Sequence[Path], noted: Moves) -> None:
        """Pictures go: from the list at once, to the bin in the thread."""
        if self.project is None:
            return
        folder, going = self.project.bin, set(paths)
        self._leaving |= going
        self._removed |= going
        self.findings.show([f for f in self.findings.all if f.path not in going])
        self.rows.drop(going)
        self.refreshed.emit()
        self._files.start(
            "Moving pictures to the bin",
            lambda work: moves.to_bin(paths, folder, noted, work),
            lambda problem, bug: self._on_files_ended(going, str(problem or bug)),
        )

    def _bring_back(self, paths: Sequence[Path], noted: Moves) -> None:
        """Pictures come back from the bin; a scan shows them."""
        self._files.start(
            "Bringing pictures back",
            lambda work: moves.back(noted, work),
            lambda problem, bug: self._on_files_ended(set(paths), str(problem or bug)),
        )
        if paths:
            self.touched.emit(paths[0])

    def _put_focus(self, path: Path, point: Point | None) -> None:
        if self.project is None:
            return
        try:
            points = focus.read(self.project.focus_file, self.project.root)  # others write it, too
            if point is None:
                points.pop(path, None)
            else:
                points[path] = point
            focus.write(self.project.focus_file, points, self.project.root)
        except UserError as error:
            self.failed.emit(str(error))
            return
        self.focus = points
        self.focused.emit(path)

    def _read_focus(self) -> None:
        self.focus = {}
        if self.project is not None:
            try:
                self.focus = focus.read(self.project.focus_file, self.project.root)
            except UserError as error:
                self.failed.emit(str(error))

    def _put_marks(self, new: Mapping[Path, Mark]) -> None:
        self._change_marks(lambda said: said.changed(new))

    def _put_repeats(self, new: Mapping[Path, int]) -> None:
        self._change_marks(lambda said: said.changed({}, new))

    def _change_marks(self, change: Callable[[Marks], Marks]) -> None:
        if self.project is None:
            return
        file, root = self.project.marks_file, self.project.root
        try:
            said = change(marks.read(file, root))  # others write it, too
            marks.write(file, said, root)
        except UserError as error:
            self.failed.emit(str(error))
            return
        self._show_marks(said)

    def _show_marks(self, said: Marks) -> None:
        self.marks = said
        self.rows.show_marks(said)
        own = marks.findings(self.rows.pictures, said)
        others = [f for f in self.findings.all if f.summary != marks.TOO_MANY]
        if own or len(others) != len(self.findings.all):
            self.findings.show([*others, *own])
            self.refreshed.emit()
        self.marked.emit()

    def _read_marks(self) -> None:
        """Another program may have written them."""
        said = Marks()
        if self.project is not None:
            try:
                said = marks.read(self.project.marks_file, self.project.root)
            except UserError as error:
                self.failed.emit(str(error))
        if said != self.marks:
            self._show_marks(said)

    def _cut(self, parts: Mapping[Path, Shares], noted: Cuts) -> None:
        if self.project is not None:
            folder = self.project.bin
            self._files.start(
                "Cropping pictures",
                lambda work: moves.cut_all(parts, folder, noted, work),
                lambda problem, bug: self._on_files_ended(set(), str(problem or bug)),
            )

    def _uncut(self, noted: Cuts) -> None:
        if self.project is not None:
            folder = self.project.bin
            self._files.start(
                "Bringing whole pictures back",
                lambda work: moves.uncut(noted, folder, work),
                lambda problem, bug: self._on_files_ended(set(), str(problem or bug)),
            )

    def _on_files_ended(self, paths: set[Path], problem: str) -> None:
        self._leaving -= paths
        if problem:
            self.failed.emit(problem)
        self.rescan()

    def _on_imported(self, project: Project, imported: object, problem: str) -> None:
        self._imports -= 1
        done = imported if isinstance(imported, Imported) else Imported(problem=problem)
        if done.targets and project == self.project:
            self.undo_stack.push(Add(done.targets, self._take_out, self._bring_back))
        self._become("")
        self.imported.emit(done)
        self.rescan()

    @Slot(str)
    def _become(self, busy: str) -> None:
        self.busy = busy
        self.busy_changed.emit()

    @Slot()
    def _on_scan_started(self) -> None:
        self._read_marks()
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
            found = [*dataset.findings, *marks.findings(dataset.pictures, self.marks)]
            self.findings.show([f for f in found if f.path not in self._removed])
        if any(self.rows.row_of(path) >= 0 for path in self._removed):
            self.rows.drop(self._removed)
        self._show_captions(self._written)
        if self._showing.busy:
            self.refreshed.emit()

    @Slot()
    def _on_rested(self) -> None:
        if not self._files.busy and not self._scanner.running:
            self._become("")
