"""Where the program keeps its own settings and, by default, a person's projects."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QSettings, QStandardPaths

from core.base.hub import MODELS_FOLDER
from core.project.layout import is_project

RECENT = 8
LOOKS = ("system", "light", "dark")


def store() -> QSettings:
    """Window places and recent projects, in the platform's folder for settings."""
    folder = _place(QStandardPaths.StandardLocation.GenericConfigLocation) / "stylewright"
    return QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)


def projects_folder() -> Path:
    """Where new projects go unless the person says otherwise."""
    chosen = os.environ.get("STYLEWRIGHT_HOME")
    documents = QStandardPaths.StandardLocation.DocumentsLocation
    return Path(chosen) if chosen else _place(documents) / "Stylewright"


def models_folder() -> Path:
    """Where base models go that are fetched, as with the command line."""
    chosen = os.environ.get("STYLEWRIGHT_HOME")
    return Path(chosen) / "models" if chosen else Path.home() / MODELS_FOLDER


def _place(kind: QStandardPaths.StandardLocation) -> Path:
    return Path(QStandardPaths.writableLocation(kind))


def recent(settings: QSettings) -> list[Path]:
    """Projects opened lately that still exist, newest first."""
    value = settings.value("recent")
    names: list[object] = value if isinstance(value, list) else [value]  # one is read as a string
    paths = [Path(name) for name in names if isinstance(name, str) and name]
    return [path for path in paths if is_project(path)]


def remember(settings: QSettings, project: Path) -> None:
    """Put a project at the head of the recent ones."""
    others = [p for p in recent(settings) if p != project]
    settings.setValue("recent", [str(p) for p in [project, *others][:RECENT]])


def look(settings: QSettings) -> str:
    """One of LOOKS: as the system's, or always the same."""
    value = settings.value("look")
    return value if isinstance(value, str) and value in LOOKS else LOOKS[0]


def unused_folder(name: str) -> Path:
    """A folder for a new project that does not exist yet: `name`, `name 2`, ..."""
    home = projects_folder()
    candidate, number = home / name, 1
    while candidate.exists():
        number += 1
        candidate = home / f"{name} {number}"
    return candidate
