"""Find a dataset's pictures and say what cannot be used, and why; free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.data.examine import Memory, Picture, examine
from core.data.findings import Finding, in_order, lines
from core.data.walk import SUFFIXES, Walk, picture_files, walk
from core.data.wording import caption_findings, shared_captions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "SUFFIXES",
    "Dataset",
    "Finding",
    "Memory",
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
    findings += shared_captions(pictures)
    return Dataset(tuple(pictures), in_order(findings))


def scan(folders: Sequence[Path], *, decode: bool = True) -> Dataset:
    """Examine every picture below `folders`."""
    there = walk(folders)
    return dataset_of((examine(path, decode=decode) for path in there.pictures), there.findings)
