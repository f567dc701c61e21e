"""Projects opened lately, each with a picture of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.data.walk import SUFFIXES
from core.project.layout import Project


@dataclass(frozen=True, slots=True)
class Recent:
    """A project as a card shows it."""

    root: Path
    picture: Path | None

    @property
    def name(self) -> str:
        return self.root.name


def recent_projects(roots: Iterable[Path]) -> list[Recent]:
    """With the first picture of each, by name; a project without is shown, too."""
    return [Recent(root, _first_picture(Project(root).images)) for root in roots]


def _first_picture(folder: Path) -> Path | None:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names, and many of them
    except OSError:
        return None
    found = (name for name in names if Path(name).suffix.lower() in SUFFIXES)
    name = next(found, None)
    return folder / name if name else None
