"""Asking for the files of text encoders."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from core.errors import TextsMissingError

FILES = "Text encoders (*.safetensors)"


def asked_texts(parent: QWidget, missing: TextsMissingError | None = None) -> tuple[str, ...]:
    """The files that a person chooses, several at once; none where they do not.

    `missing` says in the dialog's title what a base lacks.
    """
    title = f"{missing.message} Choose files of it" if missing else "Choose text encoder files"
    files, _ = QFileDialog.getOpenFileNames(parent, title, "", FILES)
    return tuple(str(Path(file)) for file in files)
