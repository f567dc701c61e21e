"""Pictures in rows of equal width, each in its own aspect: where everything lies."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from PySide6.QtCore import QPoint, QRect

NARROWEST, WIDEST = 1 / 3, 4.0  # an aspect; beyond it a picture is cropped
TALLEST = 1.5  # times the height that is wished: what the last pictures of a row may become


@dataclass(frozen=True, slots=True)
class Rows:
    """A place for each picture; found in the time of a binary search."""

    sums: Sequence[float] = (0.0,)  # of the aspects before each picture, and of all
    first: Sequence[int] = ()  # picture of each row
    top: Sequence[int] = field(default=(0,))  # of each row, and the end of the last
    height: Sequence[float] = ()  # of each row's pictures
    gap_px: int = 0

    @property
    def count(self) -> int:
        return len(self.sums) - 1

    def row_of(self, number: int) -> int:
        """The row that a picture is in."""
        return bisect_right(self.first, number) - 1

    def place(self, number: int) -> QRect:
        """Where a picture lies."""
        row = self.row_of(number)
        first, height, gap = self.first[row], self.height[row], self.gap_px
        left = (self.sums[number] - self.sums[first]) * height + (number - first) * gap
        right = (self.sums[number + 1] - self.sums[first]) * height + (number - first) * gap
        return QRect(round(left), self.top[row], max(1, round(right) - round(left)), round(height))

    def at(self, point: QPoint) -> int:
        """The picture at a point, its words below it included; -1 where there is none."""
        row = bisect_right(self.top, point.y()) - 1
        if not 0 <= row < len(self.first) or point.x() < 0:
            return -1
        for number in self.of_row(row):
            if point.x() < self.place(number).right() + 1 + self.gap_px:
                return number
        return -1

    def of_row(self, row: int) -> range:
        """The pictures of a row."""
        end = self.first[row + 1] if row + 1 < len(self.first) else self.count
        return range(self.first[row], end)

    def between(self, top: int, bottom: int) -> Iterator[int]:
        """The pictures of all rows that can be seen between two heights."""
        row = max(0, bisect_right(self.top, top) - 1)
        while row < len(self.first) and self.top[row] <= bottom:
            yield from self.of_row(row)
            row += 1

    def beside(self, number: int, rows: int) -> int:
        """The picture nearest to another's middle, so many rows further; itself at the ends."""
        row = min(max(0, self.row_of(number) + rows), len(self.first) - 1)
        if row == self.row_of(number):
            return number
        middle = self.place(number).center().x()
        return min(self.of_row(row), key=lambda one: abs(self.place(one).center().x() - middle))


def sums_of(aspects: Iterable[float]) -> Sequence[float]:
    """Of the aspects, width / height, before each picture, and of all."""
    return [0.0, *accumulate(min(WIDEST, max(NARROWEST, aspect)) for aspect in aspects)]


def rows(sums: Sequence[float], width_px: int, height_px: int, gap_px: int, below_px: int) -> Rows:
    """Fill rows of `width_px` with pictures of about `height_px`.

    Args:
        sums: Of the aspects, as `sums_of` says.
        width_px: Of every row but the last, which is as long as its pictures.
        height_px: What the pictures' height is to be like.
        gap_px: Between two pictures.
        below_px: Between two rows, for words and a gap.
    """
    ends = [part * height_px + number * gap_px for number, part in enumerate(sums)]
    count, start, top = len(sums) - 1, 0, 0
    first: list[int] = []
    tops: list[int] = []
    heights: list[float] = []
    while start < count:
        end = bisect_left(ends, ends[start] + width_px + gap_px)  # with it the row is full
        full = end <= count
        end = min(end, count)
        if full and end - start > 1 and _rather_without(ends, start, end, width_px + gap_px):
            end -= 1
        room = width_px - (end - start - 1) * gap_px
        filling = room / (sums[end] - sums[start])
        height = filling if full else min(filling, float(height_px))
        height = max(1.0, min(height, TALLEST * height_px))
        first.append(start)
        tops.append(top)
        heights.append(height)
        top += round(height) + below_px
        start = end
    return Rows(sums, first, [*tops, top], heights, gap_px)


def _rather_without(ends: Sequence[float], start: int, end: int, width: float) -> bool:
    """Whether a row is nearer to its width without its last picture."""
    return width - (ends[end - 1] - ends[start]) < (ends[end] - ends[start]) - width
