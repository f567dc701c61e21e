"""Find a dataset's pictures and say what cannot be used, and why; free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.data.catalogue import Catalogue
from core.data.examine import Picture, examine
from core.data.findings import Finding, in_order, lines
from core.data.health import set_findings
from core.data.walk import SUFFIXES, Walk, picture_files, walk
from core.data.wording import caption_findings, shared_captions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "SUFFIXES",
    "Catalogue",
    "Dataset",
    "Finding",
    "Picture",
    "Walk",
    "caption_findings",
    "dataset_of",
    "examine",
    "findings_of",
    "in_order",
    "lines",
    "picture_files",
    "scan",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a scan found: pictures as a walk meets them; findings, what is left out first."""

    pictures: tuple[Picture, ...]
    findings: tuple[Finding, ...]


def findings_of(picture: Picture) -> list[Finding]:
    """What is to be said of one picture that can be used: of its pixels and of its caption."""
    return [*picture.remarks, *caption_findings(picture)]


def dataset_of(found: Iterable[Picture | Finding], of_folders: Sequence[Finding] = ()) -> Dataset:
    """Pictures and what is to be said of them, beside what a walk said of their folders."""
    pictures: list[Picture] = []
    findings = [*of_folders]
    for one in found:
        if isinstance(one, Finding):
            findings.append(one)
        else:
            pictures.append(one)
            findings += findings_of(one)
    findings += [*shared_captions(pictures), *set_findings(pictures)]
    return Dataset(tuple(pictures), in_order(findings))


def scan(folders: Sequence[Path], catalogue: Catalogue | None = None) -> Dataset:
    """Examine every picture below `folders`; what `catalogue` remembers is not read again."""
    there = walk(folders)
    known = catalogue or Catalogue()
    found = [
        known.examine(path, caption, masked=masked)
        for path, caption, masked in zip(there.pictures, there.captions, there.masked, strict=True)
    ]
    known.save()
    return dataset_of(found, there.findings)
