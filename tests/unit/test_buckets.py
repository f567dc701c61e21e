"""Aspect buckets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import buckets
from core.data.buckets import Size

edges = st.integers(min_value=32, max_value=8000)


def test_the_square_of_the_resolution_is_a_bucket() -> None:
    assert Size(512, 512) in buckets.sizes(512, 64)
    assert Size(128, 128) in buckets.sizes(128, 32)


@pytest.mark.parametrize(
    ("resolution", "multiple", "edge"),
    [(500, 64, 448), (700, 64, 640), (800, 64, 768), (1000, 64, 960), (512, 64, 512), (40, 64, 64)],
)
def test_a_square_picture_is_trained_as_a_square(resolution, multiple, edge) -> None:
    sizes = buckets.sizes(resolution, multiple)
    assert buckets.nearest(Size(900, 900), sizes) == Size(edge, edge)


@given(st.integers(16, 2048), st.sampled_from([8, 16, 32, 64]))
def test_every_resolution_has_its_square(resolution: int, multiple: int) -> None:
    edge = max(multiple, resolution // multiple * multiple)
    sizes = buckets.sizes(resolution, multiple)
    assert Size(edge, edge) in sizes
    assert len(set(sizes)) == len(sizes)


def test_wide_pictures_keep_their_sizes() -> None:
    """As they were before every resolution had its square."""
    sizes = buckets.sizes(700, 64)
    assert [buckets.nearest(Size(w, 1000), sizes) for w in (1100, 1500, 1800, 500)] == [
        (704, 640),
        (832, 576),
        (896, 512),
        (512, 896),
    ]


@given(edges, edges)
def test_a_crop_covers_its_bucket_and_stays_inside(width: int, height: int) -> None:
    bucket = buckets.nearest(Size(width, height), buckets.sizes(512, 64))
    crop = buckets.crop(Size(width, height), bucket)
    assert 0 <= crop.left <= crop.resized.width - bucket.width
    assert 0 <= crop.top <= crop.resized.height - bucket.height


@given(st.integers(64, 2048), st.sampled_from([8, 16, 32, 64]))
def test_buckets_fit_the_area_and_the_multiple(resolution: int, multiple: int) -> None:
    for size in buckets.sizes(resolution, multiple):
        assert size.width % multiple == size.height % multiple == 0
        assert size.width * size.height <= resolution**2


def test_the_nearest_aspect_wins_and_a_square_gets_the_largest_square() -> None:
    choices = buckets.sizes(512, 64)
    assert buckets.nearest(Size(1000, 1000), choices) == Size(512, 512)
    wide = buckets.nearest(Size(1600, 900), choices)
    assert wide.width > wide.height
