"""What a person should know of files: findings, and few lines that say them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMED = 3  # files in one line; more are counted


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one file or folder that the person should know."""

    path: Path
    message: str
    hint: str
    usable: bool  # False: it is left out
    summary: str = ""  # the message as it fits many files, where it tells of this one alone
    beside: Path | None = None  # another file that it is about, too

    def __str__(self) -> str:
        return f"{self.path.name}: {self.message} {self.hint}"


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is left out first, then by path."""
    return tuple(sorted(findings, key=lambda finding: (finding.usable, finding.path)))


def grouped(findings: Sequence[Finding]) -> list[tuple[Finding, ...]]:
    """What says the same of several files together; what is left out first."""
    alike: dict[tuple[bool, str, str], list[Finding]] = {}
    for finding in in_order(findings):
        key = (finding.usable, finding.summary or finding.message, finding.hint)
        alike.setdefault(key, []).append(finding)
    return [tuple(group) for group in alike.values()]


def lines(findings: Sequence[Finding]) -> list[str]:
    """Few lines for a terminal or a log: what is left out first, what is alike in one line."""
    above = _common_folder([finding.path for finding in findings])
    return [_line(group, above) for group in grouped(findings)]


def _line(group: Sequence[Finding], above: Path | None) -> str:
    first = group[0]
    left_out = "" if first.usable else "Left out: "
    names = [_short(finding.path, above) for finding in group[:NAMED]]
    if len(group) == 1:
        return f"{left_out}{names[0]}: {first.message} {first.hint}"
    more = f" and {len(group) - NAMED:,} more" if len(group) > NAMED else ""
    what = (first.summary or first.message).removesuffix(".")
    return f"{left_out}{what} ({len(group):,} times: {', '.join(names)}{more}). {first.hint}"


def _common_folder(paths: Sequence[Path]) -> Path | None:
    try:
        return Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError:  # none, or on several drives
        return None


def _short(path: Path, above: Path | None) -> str:
    """As much of a path as tells it from the others."""
    return str(path.relative_to(above)) if above else str(path)
