"""Captions in sidecar .txt files; bytes that a person did not edit never change."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from core.config.files import write_beside
from core.errors import StorageError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption file's text and how its bytes spell it."""

    text: str  # as in the file, line ends as \n, without the last one
    encoding: str = "utf-8"
    mark: bytes = b""  # the byte order mark
    newline: str = "\n"
    ending: str = ""  # the line ends after the text

    @property
    def guessed(self) -> bool:
        """Whether the bytes say nothing of their encoding, so that the text may be wrong."""
        return self.encoding in ("cp1252", "latin-1") or "\0" in self.text


def caption_file(picture: Path) -> Path:
    """The sidecar of a picture."""
    return picture.with_suffix(".txt")


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
    try:
        return decode(caption_file(picture).read_bytes())
    except FileNotFoundError:
        return Caption("")


def write(picture: Path, text: str) -> None:
    """Set the caption of a picture, keeping its encoding and line ends; writes only a change.

    Raises:
        StorageError: The folder is not writable; the old file is unchanged.
    """
    try:
        old = read(picture)
    except OSError as error:
        raise StorageError.writing(caption_file(picture), error) from error
    if text == old.text:
        return
    new = Caption(text, old.encoding, old.mark, old.newline, old.ending)
    write_beside(caption_file(picture), encode(new))


def for_training(text: str, trigger: str) -> str:
    """One line, with the trigger in front unless it is already there."""
    line = " ".join(text.split())
    whole_words = rf"(?<!\w){re.escape(trigger)}(?!\w)"  # "ink" is not in "pink"
    if not trigger or re.search(whole_words, line, re.IGNORECASE):
        return line
    return f"{trigger}, {line}" if line else trigger
