"""Goes through a dataset's folders and accounts for every file in them; free of torch."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core.data import captions, masks
from core.data.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SUFFIXES = frozenset(
    {
        *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif"),
        *(".avif", ".heic", ".heif"),
    }
)
# Pictures and films that a person may take for part of the dataset.
UNREAD = frozenset(
    {
        *(".jxl", ".jp2", ".j2k", ".jpx", ".psd", ".psb", ".xcf", ".kra", ".clip", ".svg", ".ai"),
        *(".eps", ".pdf", ".tga", ".dds", ".exr", ".hdr", ".ico", ".ppm", ".pgm", ".qoi", ".apng"),
        *(".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw", ".raw"),
        *(".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"),
    }
)
ARCHIVES = frozenset({".zip"})  # out of which pictures can be taken
OWN_FOLDERS = frozenset({"runs", "cache", "bin"})  # of a project: previews are no pictures to learn
# What systems and network drives leave in folders, thumbnails among it; in lower case. They and
# hidden files are no one's pictures, and not worth a word.
JUNK = frozenset(
    {
        *("@eadir", "@recycle", "#recycle", "__macosx", "$recycle.bin", "lost+found"),
        *("system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
    }
)
_REPEATS = re.compile(r"([1-9]\d{0,2})_.+")
_REGULARISATION = re.compile(r"(.*[\W\d_])?reg(ulari[sz]ation)?([\W\d_].*|s)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Walk:
    """What lies in some folders."""

    pictures: tuple[Path, ...]  # by their names: none of them is opened
    captions: tuple[str, ...]  # of each the name of the file beside it that is read; "" for none
    findings: tuple[Finding, ...]  # what is left out, and what may not be as the person thinks
    folders: tuple[Path, ...] = ()  # that were gone through; those that are not there, too
    masked: tuple[bool, ...] = ()  # of each picture whether a mask lies beside it


def walk(folders: Iterable[Path]) -> Walk:
    """All files below `folders`: by name in each folder, files before sub-folders.

    Every file is a picture, its caption or its mask, in a finding, or of a system's (see `JUNK`).
    Linked folders are followed, after the others, so that what they lead to keeps its own name.
    """
    walker = _Walker()
    for folder in folders:
        walker.go(folder)
    while walker.links:
        walker.go(walker.links.pop(0))
    pictures, texts = tuple(walker.pictures), tuple(walker.captions)
    return Walk(pictures, texts, tuple(walker.findings), tuple(walker.listed), tuple(walker.masked))


def repeats_of(folder: Path) -> int:
    """How often a folder's name asks for its pictures, as in kohya's `10_cats`; else once."""
    asked = _REPEATS.fullmatch(folder.name)
    return int(asked[1]) if asked else 1


def picture_files(folders: Sequence[Path]) -> Iterator[Path]:
    """The pictures below `folders`."""
    yield from walk(folders).pictures


class _File(NamedTuple):
    name: str
    stem: str  # in lower case, as is the suffix
    suffix: str


@dataclass(slots=True)
class _Walker:
    pictures: list[Path] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)  # of each picture
    masked: list[bool] = field(default_factory=list)  # likewise
    findings: list[Finding] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)  # to folders, not yet followed
    listed: list[Path] = field(default_factory=list)  # folders
    folders: dict[tuple[int, int], Path] = field(default_factory=dict)  # by device and number
    files: dict[tuple[int, int], Path] = field(default_factory=dict)  # by device and number

    def go(self, top: Path) -> None:
        """Through a folder and those in it; no recursion, which deep folders would exhaust."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            if self.been_in(folder):
                self.say(folder, "It is there already by another name, and counts once.", _NOTHING)
            else:
                waiting += reversed(self.one(folder))

    def been_in(self, folder: Path) -> bool:
        """Whether a folder was gone through before, maybe by another name."""
        try:
            status = folder.stat()
        except OSError:
            return False  # told when it is listed
        other = self.folders.setdefault((status.st_dev, status.st_ino), folder)
        # A number alone proves nothing (see `twin`). To find every real path takes long where
        # folders are deep.
        return other is not folder and os.path.realpath(other) == os.path.realpath(folder)

    def one(self, folder: Path) -> list[Path]:
        """Take in the files of one folder; returns its sub-folders."""
        self.listed.append(folder)
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
            device = folder.stat().st_dev
        except OSError as error:
            self.findings.append(_unreadable(folder, error))
            return []
        ours = OWN_FOLDERS if any(e.name == "project.toml" for e in entries) else frozenset()
        subfolders: list[Path] = []
        files: list[_File] = []
        before = len(self.pictures)
        for entry in entries:
            name = entry.name
            if name.startswith(".") or name.lower() in JUNK:
                continue
            if not _is_folder(entry):
                files.append(one := _File(name, *_parted(name)))
                if one.suffix in SUFFIXES or one.suffix in UNREAD:
                    self.file(entry, one, folder / name, device)
            elif name not in ours:
                (self.links if entry.is_symlink() else subfolders).append(folder / name)
        chosen = self.texts(folder, files)
        self.captions += [chosen.get(path.name, "") for path in self.pictures[before:]]
        self.masks(folder, files, before)
        if len(self.pictures) > before:
            self.name_of(folder)
        return subfolders

    def file(self, entry: os.DirEntry[str], one: _File, path: Path, device: int) -> None:
        """Take in a file that is a picture, or that a person may take for one."""
        if one.suffix in SUFFIXES and _is_special(entry):
            self.leave_out(path, "It is no file that could be read.", _NOTHING)
        elif one.suffix in UNREAD:
            self.leave_out(
                path,
                f"Files of this kind ({one.suffix}) are not read.",
                "Save it as PNG or JPEG, if it is to be learnt.",
                "Files of these kinds are not read.",
            )
        elif one.stem.endswith(masks.ENDINGS):
            return  # see `masks`
        elif other := self.twin(entry, path, device):
            message = f"It is the same file as {other.name}, which counts once."
            self.leave_out(path, message, _NOTHING, "It is the same file as another one.")
        else:
            self.pictures.append(path)

    def twin(self, entry: os.DirEntry[str], path: Path, device: int) -> Path | None:
        """The picture seen before that is the same file, by links."""
        try:
            if entry.is_symlink():
                status = entry.stat()
                number = (status.st_dev, status.st_ino)
            else:
                number = (device, entry.inode())
            other = self.files.setdefault(number, path)
            # Some network drives number files at random: only what is alike in all is the same.
            alike = other != path and _identity(other) == _identity(path)
        except OSError:  # a broken link: told when it is opened
            return None
        return other if alike else None

    def masks(self, folder: Path, files: Sequence[_File], before: int) -> None:
        """Which of a folder's pictures have a mask; says which masks are no picture's."""
        there = {one.name for one in files if one.stem.endswith(masks.ENDINGS)}
        wanted = [masks.name_of(path.name) for path in self.pictures[before:]] if there else []
        self.masked += [name in there for name in wanted]
        self.masked += [False] * (len(self.pictures) - len(self.masked))
        for one in files:
            if one.name not in there or one.suffix not in SUFFIXES or one.name in wanted:
                continue
            told = "It is a mask of another picture, of a kind or name that is not read."
            if one.name.endswith(f"{masks.ENDINGS[0]}.png"):
                told = "It is a mask, and there is no picture of its name."
            self.leave_out(folder / one.name, told, _NOTHING)

    def texts(self, folder: Path, files: Sequence[_File]) -> dict[str, str]:
        """The captions of a folder's pictures; says which files are neither of the two."""
        texts = captions.by_name([one.name for one in files])
        chosen: dict[str, str] = {}
        owners: dict[str, str] = {}  # what a caption may be called without its suffix
        for one in files:
            if one.suffix in SUFFIXES and (choice := captions.choice(one.name, texts)):
                chosen[one.name] = owners[one.stem] = owners[one.name.lower()] = choice
        read = set(chosen.values())
        for one in files:
            if one.suffix in SUFFIXES or one.suffix in UNREAD or one.name in read:
                continue
            if one.name == "project.toml":
                continue
            path = folder / one.name
            if one.suffix not in captions.SUFFIXES:
                self.say(path, "It is no picture, and passed over.", _NOTHING)
            elif one.stem in owners:
                message = f"It is not read, {owners[one.stem]} is."
                summary = "It is not read, since the picture has another caption."
                self.say(path, message, "Keep the one that is right.", summary)
            else:
                self.say(path, "It has no picture of its name.", _NOTHING)
        return chosen

    def name_of(self, folder: Path) -> None:
        """Say what a folder of pictures is called for in other programs and not here."""
        repeats = repeats_of(folder)
        if any(_REGULARISATION.fullmatch(part) for part in (folder.name, folder.parent.name)):
            self.say(
                folder,
                "By its name it holds regularisation pictures; they are learnt as the others.",
                "Take it out of the project's folders, if they are not of your style; as "
                "dataset.class_folder they are learnt as what is to stay.",
            )
        elif repeats > 1:
            self.say(
                folder,
                f"Its name asks for {repeats} repeats: its pictures come as often in an epoch "
                "if dataset.folder_repeats is set, else once.",
                "Set dataset.folder_repeats, or repeats of the folder, if they are to count more.",
                "Its name asks for repeats, which come if dataset.folder_repeats is set.",
            )

    def say(self, path: Path, message: str, hint: str, summary: str = "") -> None:
        self.findings.append(Finding(path, message, hint, usable=True, summary=summary))

    def leave_out(self, path: Path, message: str, hint: str, summary: str = "") -> None:
        self.findings.append(Finding(path, message, hint, usable=False, summary=summary))


_NOTHING = "Nothing need be done."


def _parted(name: str) -> tuple[str, str]:
    """A file's name without its suffix, and the suffix, both in lower case."""
    stem, dot, suffix = name.lower().rpartition(".")
    return (stem, dot + suffix) if stem else (name.lower(), "")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):  # what a link leads to may be out of reach
        return entry.is_dir()
    return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """A pipe or a device, which would be waited for; a broken link is not one."""
    with contextlib.suppress(OSError):
        return not entry.is_file() and stat.S_IFMT(entry.stat().st_mode) != stat.S_IFREG
    return False


def _identity(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _unreadable(folder: Path, error: OSError) -> Finding:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        hint = "Put it back, or take it out of the project's folders."
        return Finding(folder, "This folder is not there.", hint, usable=False)
    return Finding(
        folder,
        f"This folder cannot be read ({error.strerror}).",
        "Change its permissions, or take it out of the project's folders.",
        usable=False,
        summary="This folder cannot be read.",
    )
