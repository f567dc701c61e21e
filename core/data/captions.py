"""Captions in files beside the pictures; bytes that a person did not edit never change.

The caption of `a.png` is in `a.txt`; where that is not there, in `a.png.txt`, `a.caption` (kohya's)
or `a.png.caption`, whatever the case of their letters. It is written to the file that was read, so
that the program which made it goes on reading what is edited here; a new one is `a.txt`.
"""

from __future__ import annotations

import codecs
import os
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.data import exchange
from core.errors import StorageError

SUFFIXES = (".txt", ".caption")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


# Marks of no width, which editors leave and no one sees. The joiners U+200C and U+200D are not
# among them: some scripts, and emoji, mean something else without.
_NO_WIDTH = re.compile("[\ufeff\u200b\u2060\u200e\u200f\u00ad]")
_KNOWN_SECONDS = 5.0  # that a folder's listing is trusted, if its time does not change
_SETTLED_NS = 2_000_000_000  # a folder changed just now may change again without a newer time
_listings: dict[Path, tuple[float, int, dict[str, str]]] = {}
Note = Callable[[Path, bytes | None, bytes], None]  # a file, what it held and what it is to hold


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption file's text and how its bytes spell it."""

    text: str  # as in the file, line ends as \n, without those at its end
    encoding: str = "utf-8"
    mark: bytes = b""  # the byte order mark
    newline: str = "\n"
    ending: str = ""  # the line ends after the text

    @property
    def guessed(self) -> bool:
        """Whether the bytes say nothing of their encoding, so that the text may be wrong."""
        return self.encoding in ("cp1252", "latin-1") or "\0" in self.text


def caption_file(picture: Path) -> Path:
    """The file that a picture's caption is read from and written to; it need not be there."""
    usual = picture.with_suffix(".txt")
    if os.path.exists(usual):  # noqa: PTH110 - Path's own fails where a name is too long
        return usual
    found = choice(picture.name, _texts_in(picture.parent))
    return picture.with_name(found) if found else usual


def by_name(names: Iterable[str]) -> dict[str, str]:
    """Those of a folder's files that may be captions, by their names and those in lower case."""
    texts = [name for name in names if name.lower().endswith(SUFFIXES)]
    return {name.lower(): name for name in texts} | {name: name for name in texts}


def choice(picture: str, texts: Mapping[str, str]) -> str | None:
    """Which of a folder's texts (see `by_name`) is the caption of a picture, by its name."""
    stem = picture.rpartition(".")[0]
    if usual := texts.get(stem + SUFFIXES[0]):  # the first of those below, 100,000 times
        return usual
    wanted = (base + suffix for suffix in SUFFIXES for base in (stem, picture))
    spelt = (name for exact in wanted for name in (exact, exact.lower()))
    return next((texts[name] for name in spelt if name in texts), None)


def _texts_in(folder: Path) -> dict[str, str]:
    """What may be captions in a folder, which is not listed anew for each of its pictures."""
    now = time.monotonic()
    try:
        changed = folder.stat().st_mtime_ns
        known = _listings.get(folder)
        if known and known[1] == changed and now - known[0] < _KNOWN_SECONDS:
            return known[2]
        texts = by_name(os.listdir(folder))  # noqa: PTH208 - names, and many of them
    except OSError:
        return {}
    if time.time_ns() - changed > _SETTLED_NS:
        if len(_listings) > 8:  # noqa: PLR2004 - folders: a scan goes through one after the other
            _listings.clear()
        _listings[folder] = (now, changed, texts)
    return texts


def decode(content: bytes) -> Caption:
    """Bytes as a caption. Never fails: what is not UTF-8 or marked UTF-16 is read as cp1252.

    `encode(decode(content)) == content` for every file whose line ends are of one kind.
    """
    mark, encoding = next(((m, e) for m, e in _MARKS if content.startswith(m)), (b"", "utf-8"))
    body = content[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        # cp1252 has five holes; latin-1 has none, so every byte survives.
        mark, body = b"", content
        try:
            encoding = "cp1252"
            text = body.decode(encoding)
        except UnicodeDecodeError:
            encoding = "latin-1"
            text = body.decode(encoding)
    newline = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    body_text = text.rstrip("\n")
    ending = newline * (len(text) - len(body_text))
    return Caption(body_text, encoding, mark, newline, ending)


def encode(caption: Caption) -> bytes:
    """A caption as bytes, in its own spelling; in UTF-8 where that lacks a character."""
    text = caption.text.replace("\n", caption.newline) + caption.ending
    try:
        return caption.mark + text.encode(caption.encoding)
    except UnicodeEncodeError:
        return text.encode("utf-8")


def read(picture: Path) -> Caption:
    """The caption of a picture; empty where there is no file.

    Raises:
        OSError: There is one, and it cannot be read.
    """
    return read_file(caption_file(picture))


def read_file(file: Path) -> Caption:
    """A caption; empty where there is no file.

    Raises:
        OSError: There is one, and it cannot be read.
    """
    try:
        return decode(file.read_bytes())
    except FileNotFoundError:
        return Caption("")


def write(
    picture: Path,
    text: str,
    *,
    based_on: str | None = None,
    bin_folder: Path | None = None,
    note: Note | None = None,
) -> Path | None:
    """Set the caption of a picture, keeping its encoding and line ends; writes only a change.

    What another program has written there meanwhile, up to the moment of writing, is not lost: it
    is moved into `bin_folder`.

    Args:
        picture: Whose caption it is.
        text: The new one; its end is the file's, whatever line ends an editor leaves there.
        based_on: The text that the editor began from; by default what is there now.
        bin_folder: For what another program wrote; by default the caption's own folder.
        note: Is told before the file is changed, and once more where another program's bytes were
            in our place than those that had been read; what it raises keeps the file as it is.

    Returns:
        Where another program's text is kept, or None where there was none.

    Raises:
        StorageError: A folder is not writable; the old file is unchanged.
    """
    file = caption_file(picture)
    text = text.rstrip("\n")
    try:
        changed = _changed(file)
        before = _content(file)
    except OSError as error:
        raise StorageError.writing(file, error) from error
    old = decode(before or b"")
    if text == old.text:
        return None
    new = encode(Caption(text, old.encoding, old.mark, old.newline, old.ending))
    ours = {text, old.text if based_on is None else based_on.rstrip("\n")}
    if note is not None:
        note(file, before, new)
    there = exchange.put(file, new)
    if there is None:
        return None
    try:
        if note is not None and (content := there.read_bytes()) != before:
            note(file, content, new)
        if _is_ours(there, changed, ours):
            there.unlink()
            return None
        try:
            return exchange.keep(there, bin_folder or file.parent, file.name)
        except StorageError:
            there.replace(file.resolve())  # as it was: the editor still has the new text
            raise
    except OSError as error:
        raise StorageError.writing(file, error) from error


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _is_ours(there: Path, changed: int, ours: set[str]) -> bool:
    """Whether a file holds only what we know, and no program has just begun to write it."""
    content = there.read_bytes()
    if not content and _changed(there) != changed:
        return False  # emptied, to be filled in a moment
    return decode(content).text in ours


def _changed(file: Path) -> int:
    """When a file was last changed, in ns; 0 where there is none."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def says_nothing(text: str) -> bool:
    """Whether no letter, digit or pictograph is in it: only commas, dots, or marks of no width."""
    if text[:1].isalnum():  # as of most captions, 100,000 times
        return False
    return not any(
        unicodedata.category(c)[0] in "LN" or unicodedata.category(c) == "So" for c in text
    )


def in_one_line(text: str) -> str:
    """One line without marks of no width; empty where it says nothing."""
    line = " ".join(_NO_WIDTH.sub("", text).split())
    return "" if says_nothing(line) else line


def has_word(text: str, word: str) -> bool:
    """Whether a text holds a word, or some, as such, in any case: "ink" is not in "pink"."""
    return bool(word and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def for_training(text: str, trigger: str) -> str:
    """One line without marks of no width, with the trigger in front unless it is already there."""
    line = in_one_line(text)
    if not trigger or has_word(line, trigger):
        return line
    return f"{trigger}, {line}" if line else trigger
