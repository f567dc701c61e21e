"""Asking for what a base model lacks: files of text encoders, a VAE, a folder with both."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from app.widgets.question import way
from core.errors import TextsMissingError

TEXTS = "Text encoders (*.safetensors)"
VAES = "VAEs (*.safetensors)"
FILES, FOLDER = "Choose their files...", "Choose a model folder..."


def asked_texts(parent: QWidget, missing: TextsMissingError | None = None) -> tuple[str, ...]:
    """The files that a person chooses, several at once; none where they do not.

    `missing` says in the dialog's title what a base lacks.
    """
    title = f"{missing.message} Choose files of it" if missing else "Choose text encoder files"
    files, _ = QFileDialog.getOpenFileNames(parent, title, "", TEXTS)
    return tuple(str(Path(file)) for file in files)


def asked_vae(parent: QWidget, title: str = "Choose a VAE") -> str:
    """A file that a person chooses; "" is none."""
    file, _ = QFileDialog.getOpenFileName(parent, title, "", VAES)
    return str(Path(file)) if file else ""


def asked_folder(parent: QWidget, title: str) -> str:
    """A folder that a person chooses; "" is none."""
    folder = QFileDialog.getExistingDirectory(parent, title)
    return str(Path(folder)) if folder else ""


def wants_files(parent: QWidget, missing: TextsMissingError) -> bool | None:
    """Whether what a file lacks is to come as files, else as a folder; None is neither."""
    chosen = way(
        parent,
        missing.message,
        "Text encoders and VAE come as a file each, as ComfyUI has them, or in a folder as "
        "diffusers saves it.",
        (FILES, FOLDER),
    )
    return None if not chosen else chosen == FILES
