"""The steps of editing a project, on the disk, so that they can be taken back after a restart.

A project's `.history` is one file that says which steps there are and which are done, and one file
a step that says what it changes; both are only added to, a line at a time. A line about a file is
written before the file is changed, so that whatever a kill cuts short is known. A step counts as
done from before its first change until after its last one is taken back.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.data.past import Entry, Past, add, dropped, taken_in, told
from core.data.step_lines import DamagedError, Line, as_bytes, change_of, line_of, lines_of
from core.errors import RunError, StorageError
from core.project import lock

if TYPE_CHECKING:
    from core.data.steps import Change
    from core.project.layout import Project

log = logging.getLogger(__name__)
VERSION = 1
MOST_STEPS = 500
MOST_BYTES = 64 * 2**20  # of all steps but the last one, which stays whatever it takes
LONG_BYTES = 256 * 2**10  # of a step that is not written on
ORDER = "order.jsonl"
_STEP = re.compile(r"(\d{6,})\.jsonl")


class History:
    """For several threads: what one writes is whole lines."""

    def __init__(self, project: Project) -> None:
        """Nothing is made before the first step."""
        self._project = project
        self._folder = project.root / ".history"
        self._past = Past()
        self._sizes: dict[int, int] = {}  # of the steps' files
        self._next = 1
        self._guard = threading.RLock()
        self._held = contextlib.ExitStack()
        self._ready = False

    def open(self) -> tuple[Past, str]:
        """What can be taken back; and, in words, why an earlier history cannot."""
        if not self._folder.is_dir():
            return self._past, ""
        with self._guard:
            self._hold()
            try:
                self._past = self._read()
                self._tidy()
            except (OSError, StorageError):
                self._past = Past()
                self._elsewhere()
            except DamagedError as error:
                self._past = Past()
                return self._past, self._put_aside(error)
        return self._past, ""

    def close(self) -> None:
        """Another window may go on with it."""
        self._held.close()

    def _hold(self) -> None:
        """Make it ours; where another window has it or it cannot be written, another one."""
        if self._ready:
            return
        self._ready = True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held.enter_context(lock.held(self._folder, "The history is in use", ""))
        except (OSError, StorageError, RunError):
            self._elsewhere()

    def _elsewhere(self) -> None:
        """It lasts as long as this program."""
        made = tempfile.TemporaryDirectory(prefix="stylewright-history-")
        self._held.enter_context(made)
        self._folder = Path(made.name)

    def _put_aside(self, error: DamagedError) -> str:
        """Nothing is deleted: it lies in the bin."""
        log.warning("the history of %s: %s", self._project.root, error)
        old, number = self._folder, 1
        while (aside := self._project.bin / f"history-{number}").exists():
            number += 1
        self._held.close()
        self._ready = False
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            old.rename(aside)
        except OSError:
            self._elsewhere()
            self._ready, aside = True, old
        return (
            f"What was done before cannot be undone any more: its history is damaged or of another "
            f"version ({error}). It is in {aside}; pictures and captions are as they were."
        )

    def _read(self) -> Past:
        """What the files say.

        Raises:
            OSError: It cannot be read.
            DamagedError: It says something else.
        """
        first = as_bytes({"version": VERSION})
        content = b""
        with contextlib.suppress(FileNotFoundError):
            content = (self._folder / ORDER).read_bytes()
        if not content.startswith(first[: len(content)]):
            raise DamagedError("another version")
        lines = lines_of(content) or [{"version": VERSION}]
        past, mentioned = Past(), {0}
        try:
            for line in lines[1:]:
                mentioned.add(taken_in(past, line, self._project.root))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DamagedError(f"{type(error).__name__}: {error}") from error
        there = self._sizes = self._files()
        for number in sorted(there.keys() - mentioned):  # begun, and cut short by a kill
            if said := self._begun(number):
                add(past, Entry(number, said))
        self._next = 1 + max(mentioned | there.keys())
        kept = [entry for entry in past.entries if entry.number in there]
        past.done = sum(entry.number in there for entry in past.entries[: past.done])
        past.entries = kept
        past.unfinished = [one for one in past.unfinished if one[0] in there]
        return past

    def _begun(self, number: int) -> str:
        """What a step is called that nobody came to list; "" where it changed nothing."""
        try:
            lines = lines_of(self._file(number).read_bytes())
        except (OSError, DamagedError):
            return ""
        return str(lines[0].get("said", "")) if len(lines) > 1 else ""

    def _files(self) -> dict[int, int]:
        """The steps' files: their numbers and bytes."""
        found: dict[int, int] = {}
        with contextlib.suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                if match := _STEP.fullmatch(path.name):
                    found[int(match[1])] = path.stat().st_size
        return found

    def _tidy(self) -> None:
        """Write down anew what is left, and do away with the rest."""
        living = {entry.number for entry in self._past.entries}
        living |= {number for number, _ in self._past.unfinished}
        lines: list[Line] = [{"version": VERSION}]
        lines += [told(entry, self._project.root) for entry in self._past.entries]
        for entry in reversed(self._past.entries[self._past.done :]):
            lines.append({"undo": entry.number})
            lines.append({"ended": entry.number})
        for number, back in self._past.unfinished:
            lines.append({"left": number, "back": back})
        for number in self._files().keys() - living:
            self._file(number).unlink()
        beside = self._folder / f"{ORDER}.part"
        beside.write_bytes(b"".join(map(as_bytes, lines)))
        beside.replace(self._folder / ORDER)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06}.jsonl"

    def _write(self, line: Line) -> None:
        file = self._folder / ORDER
        try:
            with file.open("ab") as out:
                if not out.tell():
                    out.write(as_bytes({"version": VERSION}))
                out.write(as_bytes(line))
        except OSError as error:
            raise StorageError.writing(file, error) from error

    def begin(self, said: str) -> Notes:
        """A new step, which changes nothing yet; close what is returned.

        Raises:
            StorageError: It cannot be written down.
        """
        with self._guard:
            self._hold()
            number, self._next = self._next, self._next + 1
            return Notes(self._file(number), number, self._project.root, said)

    def go_on(self, number: int) -> Notes:
        """Add to a step, or say something else of its changes; close what is returned.

        Raises:
            StorageError: It cannot be written down.
        """
        return Notes(self._file(number), number, self._project.root, "")

    def is_long(self, number: int) -> bool:
        """Whether a step had better not be written on."""
        try:
            return self._file(number).stat().st_size > LONG_BYTES
        except OSError:
            return True

    def did(self, entry: Entry) -> None:
        """A step is the last one now; those that were taken back before are no more."""
        with self._guard:
            gone = add(self._past, entry)
            self._write(told(entry, self._project.root))
            waiting = {number for number, _ in self._past.unfinished}
            for one in [*gone, *self._too_many()]:
                if one.number not in waiting:
                    with contextlib.suppress(OSError):
                        self._file(one.number).unlink(missing_ok=True)

    def _too_many(self) -> list[Entry]:
        """The oldest steps, once there are too many or they take too much room."""
        past, sizes = self._past, self._sizes
        for entry in past.entries[-2:]:  # the others are no longer written to
            with contextlib.suppress(OSError):
                sizes[entry.number] = self._file(entry.number).stat().st_size
        left = sum(sizes.get(entry.number, 0) for entry in past.entries)
        gone: list[Entry] = []
        while len(past.entries) > 1 and (len(past.entries) > MOST_STEPS or left > MOST_BYTES):
            gone.append(past.entries.pop(0))
            past.done = max(0, past.done - 1)
            left -= sizes.get(gone[-1].number, 0)
            self._write({"drop": gone[-1].number})
        return gone

    def drop(self, number: int) -> None:
        """A step came to nothing, or can be taken back no more."""
        with self._guard, contextlib.suppress(StorageError, OSError):
            if dropped(self._past, number):
                self._write({"drop": number})
            self._file(number).unlink(missing_ok=True)

    def asked(self, number: int, *, back: bool) -> None:
        """A step is to be taken back, or to be done again; `ended` follows."""
        line: Line = {"undo" if back else "redo": number}
        with self._guard:
            taken_in(self._past, line, self._project.root)
            self._write(line)

    def ended(self, number: int) -> None:
        """What was asked first of a step is carried out."""
        line: Line = {"ended": number}
        with self._guard, contextlib.suppress(StorageError, OSError):
            taken_in(self._past, line, self._project.root)
            self._write(line)
            left = {one.number for one in self._past.entries}
            if number not in left | {one for one, _ in self._past.unfinished}:
                self._file(number).unlink(missing_ok=True)

    def knows(self, number: int) -> bool:
        """Whether a step is not too long ago."""
        return self._file(number).exists()

    def changes(self, number: int) -> list[Change]:
        """What a step changed.

        Raises:
            DamagedError: Nobody knows any more.
        """
        try:
            lines = lines_of(self._file(number).read_bytes())
        except FileNotFoundError as error:
            raise DamagedError("it is too long ago") from error
        except OSError as error:
            raise DamagedError(str(error.strerror)) from error
        found: dict[int, Change] = {}
        try:
            for line in lines[1:]:
                at = cast("int", line["at"])
                found[at] = change_of(line, self._project.root, found.get(at))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DamagedError(f"{type(error).__name__}: {error}") from error
        return [found[at] for at in sorted(found)]


class Notes:
    """Writes down what a step is about to change."""

    def __init__(self, file: Path, number: int, root: Path, said: str) -> None:
        self._path, self.number, self._root = file, number, root
        self.count = 0
        try:
            if not said:
                lines = file.read_bytes()
                whole = lines[: lines.rfind(b"\n") + 1]
                if whole != lines:  # a kill cut its last line short
                    os.truncate(file, len(whole))
                self.count = 1 + max(
                    (cast("int", one["at"]) for one in lines_of(whole)[1:]), default=-1
                )
            self._file = file.open("ab", buffering=0)
            if said:
                self._write({"said": said})
        except OSError as error:
            raise StorageError.writing(file, error) from error

    def __enter__(self) -> Notes:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def note(self, change: Change) -> int:
        """Before a file is changed; returns the change's number.

        Raises:
            StorageError: It cannot be written down, so nothing is to be changed.
        """
        at, self.count = self.count, self.count + 1
        self.again(at, change)
        return at

    def again(self, at: int, change: Change) -> None:
        """A change is another one than was noted; raises as `note`."""
        self._write({"at": at, **line_of(change, self._root)})

    def _write(self, line: Line) -> None:
        try:
            self._file.write(as_bytes(line))
        except OSError as error:
            raise StorageError.writing(self._path, error) from error
