"""How one list of pictures becomes another, in runs of rows, so that selection and place stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.data.scan import Picture

RUNS = 24  # each costs the views a look at every row; beyond it they start anew

Span = tuple[int, int]  # first and last row


@dataclass(frozen=True, slots=True)
class Changes:
    """First the old rows that go, from the end; then the new rows that come, in order."""

    gone: tuple[Span, ...]
    come: tuple[Span, ...]
    altered: tuple[int, ...]  # new rows of pictures that were there with other facts
    anew: bool  # another order, or too many runs

    def __bool__(self) -> bool:
        return bool(self.anew or self.gone or self.come or self.altered)


def changes(old: Sequence[Picture], new: Sequence[Picture]) -> Changes:
    """What turns `old` into `new`."""
    before = {picture.path: picture for picture in old}
    after = {picture.path for picture in new}
    staying = [p.path for p in old if p.path in after]
    if staying != [p.path for p in new if p.path in before]:
        return Changes((), (), (), anew=True)
    gone = tuple(reversed(_spans(row for row, p in enumerate(old) if p.path not in after)))
    come = _spans(row for row, p in enumerate(new) if p.path not in before)
    altered = tuple(row for row, p in enumerate(new) if before.get(p.path, p) != p)
    return Changes(gone, come, altered, anew=bool(old) and len(gone) + len(come) > RUNS)


def _spans(rows: Iterable[int]) -> tuple[Span, ...]:
    """Numbers in order as runs of neighbours."""
    spans: list[Span] = []
    for row in rows:
        if spans and spans[-1][1] == row - 1:
            spans[-1] = (spans[-1][0], row)
        else:
            spans.append((row, row))
    return tuple(spans)
