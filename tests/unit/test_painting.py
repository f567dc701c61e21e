"""Masks as arrays: each tool against a slow and plain version of itself, and what holds of all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.data import painting
from core.data.painting import Box, Brush

sides = st.integers(1, 24)
shapes = st.tuples(sides, sides)
masks = arrays.arrays(np.uint8, shapes)
places = st.floats(-10, 34).map(lambda at: round(at, 3))  # nobody points nearer
spots = st.tuples(places, places)
brushes = st.builds(Brush, st.floats(0.5, 12), st.booleans(), st.booleans())


def slow_strength(brush: Brush, start, end, x: int, y: int) -> float:
    """How strong a stroke is in one pixel, by the words of its docstring."""
    a, b, p = (np.array(one, dtype=float) for one in (start, end, (x + 0.5, y + 0.5)))
    along = b - a
    share = float(np.clip((p - a) @ along / (along @ along), 0, 1)) if along.any() else 0.0
    distance = float(np.linalg.norm(p - a - share * along))
    if brush.soft:
        return 255 * max(0.0, 1 - (distance / brush.radius_px) ** 2) ** 2
    return 255 * float(np.clip(brush.radius_px + 0.5 - distance, 0, 1))


@settings(max_examples=60, deadline=None)
@given(masks, brushes, spots, spots)
def test_a_stroke_is_as_its_formula_says(mask, brush: Brush, start, end) -> None:
    before = mask.copy()
    box = painting.stroke(mask, brush, start, end)
    for (y, x), old in np.ndenumerate(before):
        strength = slow_strength(brush, start, end, x, y)
        wanted = max(float(old), strength) if brush.learnt else min(float(old), 255 - strength)
        assert mask[y, x] == pytest.approx(wanted, abs=1.01)
        if mask[y, x] != old:
            assert box.left <= x < box.right
            assert box.top <= y < box.bottom


@settings(max_examples=60, deadline=None)
@given(masks, brushes, spots, spots)
def test_the_same_stroke_again_changes_nothing(mask, brush: Brush, start, end) -> None:
    painting.stroke(mask, brush, start, end)
    once = mask.copy()
    painting.stroke(mask, brush, start, end)
    assert (mask == once).all()


@settings(max_examples=60, deadline=None)
@given(masks, brushes, spots, spots, st.floats(0, 1))
def test_a_stroke_in_two_parts_is_the_same(mask, brush: Brush, start, end, share: float) -> None:
    parts = mask.copy()
    between = tuple(a + share * (b - a) for a, b in zip(start, end, strict=True))
    painting.stroke(mask, brush, start, end)
    painting.stroke(parts, brush, start, between)
    painting.stroke(parts, brush, between, end)
    assert np.abs(mask.astype(int) - parts).max() <= 1


def test_learning_and_leaving_out_are_each_others_inverse() -> None:
    one, other = painting.plain(30, 20), np.zeros((20, 30), np.uint8)
    for soft in (False, True):
        painting.stroke(one, Brush(5, soft=soft), (4, 5), (25, 12))
        painting.stroke(other, Brush(5, soft=soft, learnt=True), (4, 5), (25, 12))
        assert (one == painting.inverted(other)).all()
    assert one[8, 14] == 0
    assert one[0, 29] == 255


def test_a_hard_brush_is_as_wide_as_it_says() -> None:
    mask = painting.plain(101, 101)
    painting.stroke(mask, Brush(20), (50.5, 50.5), (50.5, 50.5))
    assert (255 - mask[50].astype(int)).sum() / 255 == pytest.approx(40, abs=0.1)
    area = (255 - mask.astype(int)).sum() / 255
    assert area == pytest.approx(np.pi * 20**2, rel=0.01)


def slow_flood(pixels, x: int, y: int, tolerance: int):
    wanted = pixels[y, x].astype(int)
    found, waiting = np.zeros(pixels.shape[:2], bool), [(x, y)]
    while waiting:
        a, b = waiting.pop()
        inside = 0 <= a < pixels.shape[1] and 0 <= b < pixels.shape[0]
        if inside and not found[b, a] and np.abs(pixels[b, a] - wanted).max() <= tolerance:
            found[b, a] = True
            waiting += [(a + 1, b), (a - 1, b), (a, b + 1), (a, b - 1)]
    return found


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(np.uint8, shapes.map(lambda s: (*s, 3)), elements=st.integers(0, 3)),
    st.floats(0, 0.999),
    st.floats(0, 0.999),
    st.integers(0, 3),
)
def test_a_flood_is_what_hangs_together(pixels, across: float, down: float, tolerance: int) -> None:
    x, y = int(across * pixels.shape[1]), int(down * pixels.shape[0])
    found = painting.flooded(pixels, x, y, tolerance)
    assert (found == slow_flood(pixels, x, y, tolerance)).all()


def test_a_flood_finds_its_way_through_a_spiral() -> None:
    wall = np.zeros((41, 41), bool)
    left, top, right, bottom = 0, 0, 40, 40
    while right - left > 3:  # corridors of one pixel, walls of one
        wall[top, left : right + 1] = wall[top : bottom + 1, right] = True
        wall[bottom, left : right + 1] = wall[top + 2 : bottom + 1, left] = True
        wall[top + 2, left : left + 2] = True
        left, top, right, bottom = left + 2, top + 2, right - 2, bottom - 2
    pixels = np.repeat(np.where(wall, 0, 200)[..., None], 3, axis=2).astype(np.uint8)
    found = painting.flooded(pixels, 1, 1, 10)
    assert (found == slow_flood(pixels, 1, 1, 10)).all()
    assert found.sum() > 60


def test_a_flood_is_limited_by_each_channel() -> None:
    pixels = np.full((1, 4, 3), 100, np.uint8)
    pixels[0, 1, 0], pixels[0, 2, 1], pixels[0, 3, 2] = 110, 90, 111
    assert painting.flooded(pixels, 0, 0, 10).tolist() == [[True, True, True, False]]
    ends = np.array([[[0, 0, 0], [3, 3, 3], [255, 255, 255]]], np.uint8)  # nothing wraps round
    assert painting.flooded(ends, 0, 0, 5).tolist() == [[True, True, False]]
    assert painting.flooded(ends, 2, 0, 5).tolist() == [[False, False, True]]


def slow_grown(mask, radius: int):
    height, width = mask.shape
    result = mask.copy()
    for y in range(height):
        for x in range(width):
            for b in range(max(0, y - radius), min(height, y + radius + 1)):
                for a in range(max(0, x - radius), min(width, x + radius + 1)):
                    if (a - x) ** 2 + (b - y) ** 2 <= radius**2:
                        result[y, x] = max(result[y, x], mask[b, a])
    return result


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(0, 12))
def test_growing_takes_the_brightest_within_a_disc(mask, radius: int) -> None:
    assert (painting.grown(mask, radius) == slow_grown(mask, radius)).all()


@settings(max_examples=40, deadline=None)
@given(masks, st.integers(1, 6))
def test_shrinking_is_growing_of_the_rest(mask, radius: int) -> None:
    smaller = painting.grown(mask, -radius)
    assert (smaller == painting.inverted(painting.grown(painting.inverted(mask), radius))).all()
    assert (smaller <= mask).all()
    again = painting.grown(smaller, radius)
    assert (again <= mask).all()  # what was too thin is gone


@settings(max_examples=30, deadline=None)
@given(masks)
def test_inverted_twice_is_the_same(mask) -> None:
    assert (painting.inverted(painting.inverted(mask)) == mask).all()
    assert painting.share(mask) + painting.share(painting.inverted(mask)) == pytest.approx(1)


def test_a_blur_softens_edges_and_nothing_else() -> None:
    mask = painting.plain(80, 40)
    mask[:, 40:] = 0
    soft = painting.blurred(mask, 4)
    assert (soft[:, :20] == 255).all()
    assert (soft[:, 60:] == 0).all()
    row = soft[20].astype(int)
    assert (np.diff(row) <= 0).all()
    assert 60 < row[40] < 195
    assert (painting.blurred(painting.plain(9, 9), 4) == 255).all()


def test_boxes_together_hold_both() -> None:
    one, other, none = Box(2, 3, 5, 6), Box(4, 1, 9, 4), Box(0, 0, 0, 0)
    assert one.with_(other) == Box(2, 1, 9, 6)
    assert none.with_(one) == one.with_(none) == one


def test_filling_touches_nothing_else() -> None:
    mask = np.array([[7, 8], [9, 10]], np.uint8)
    where = np.array([[True, False], [False, True]])
    assert painting.filled(mask, where, learnt=True).tolist() == [[255, 8], [9, 255]]
    assert painting.filled(mask, where, learnt=False).tolist() == [[0, 8], [9, 0]]


def test_a_flood_goes_over_no_corner() -> None:
    for own in (((0, 0), (1, 1)), ((0, 1), (1, 0)), ((0, 0), (0, 2), (1, 1))):
        pixels = np.zeros((2, 3, 3), np.uint8)
        for y, x in own:
            pixels[y, x] = 200
        for y, x in own:
            assert painting.flooded(pixels, x, y, 9).sum() == 1
