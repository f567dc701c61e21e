"""Pictures in rows of equal width, each in its own aspect: where everything lies."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import inf

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
    below_px: int = 0  # each row, for words

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
        if point.y() >= self.top[row] + round(self.height[row]) + self.below_px:
            return -1  # a heading
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
        width_px: Of every row but the last, which is as high as the one above it.
        height_px: What the pictures' height is to be like.
        gap_px: Between two pictures.
        below_px: Between two rows, for words and a gap.
    """
    wide, tallest = width_px + gap_px, TALLEST * height_px
    most = 2 + int(wide / (NARROWEST * height_px + gap_px))  # in a row
    ends = [part * height_px + number * gap_px for number, part in enumerate(sums)]
    first = _starts(ends, wide, most)
    fitting = [
        (wide - (end - start) * gap_px) / (sums[end] - sums[start])
        for start, end in pairwise(first)
    ]
    heights = [max(1.0, fit) if fit < tallest else tallest for fit in fitting]
    if heights and heights[-1] > height_px:  # not full: its pictures are like those above it
        heights[-1] = min(heights[-1], heights[-2] if len(heights) > 1 else float(height_px))
    tops = list(accumulate([round(height) + below_px for height in heights], initial=0))
    return Rows(sums, first[:-1], tops, heights, gap_px, below_px)


def in_sections(
    counts: Sequence[int], heading_px: int, sums: Sequence[float], row: Callable[..., Rows]
) -> tuple[Rows, list[int]]:
    """Rows of pictures in sections, each below a heading; and where the headings lie.

    Args:
        counts: Of the pictures of each section, in order.
        heading_px: How high a heading is.
        sums: As of `rows`.
        row: Fills the rows of one section, from its own sums.
    """
    first: list[int] = []
    tops: list[int] = []
    heights: list[float] = []
    headings: list[int] = []
    begin = end = 0
    made = Rows()
    for count in counts:
        made = row(sums=sums[begin : begin + count + 1])
        headings.append(end)
        below = end + heading_px
        first += [begin + number for number in made.first]
        tops += [below + top for top in made.top[:-1]]
        heights += made.height
        begin, end = begin + count, below + made.top[-1]
    return Rows(sums, first, [*tops, end], heights, made.gap_px, made.below_px), headings


def _starts(ends: Sequence[float], wide: int, most: int) -> list[int]:
    """The first picture of each row, and how many there are; `ends` are those of one endless row.

    100,000 pictures are laid out at each step of a drag, so a row takes one look among the `most`
    pictures that it can hold.
    """
    count = len(ends) - 1
    ends = [*ends, *[inf] * most]
    start, starts = 0, [0]
    while start < count:
        full = ends[start] + wide
        end = bisect_left(ends, full, start, start + most)  # the row is full with what ends here
        if ends[end] - full > full - ends[end - 1] and end - start > 1:
            end -= 1  # nearer to its width without it
        starts.append(end)
        start = end
    return starts
