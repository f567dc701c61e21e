"""What crops keep of a picture: in numbers, and in a project's file."""

import json
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from core.data import buckets, focus, pixels, scan
from core.data.batches import Item
from core.data.buckets import Size
from core.data.cache import Cache
from core.errors import DatasetError
from core.families import registry
from core.families.device import whole_cpu
from core.project.layout import named_base
from core.training import pictures
from core.training.control import Control
from core.training.pictures import PictureFile, latents_of
from tests.conftest import small_config

SIZES = st.builds(Size, st.integers(32, 4000), st.integers(32, 4000))
POINTS = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(SIZES, POINTS)
def test_the_point_is_as_near_the_middle_as_the_picture_allows(
    size: Size, point: focus.Point
) -> None:
    bucket = buckets.nearest(size, buckets.sizes(512, 64))
    plan = buckets.crop(size, bucket, point)
    for at, begin, kept, edge in (
        (point[0], plan.left, bucket.width, plan.resized.width),
        (point[1], plan.top, bucket.height, plan.resized.height),
    ):
        assert 0 <= begin <= edge - kept
        best = min(abs(at * edge - (b + kept / 2)) for b in range(edge - kept + 1))
        assert abs(at * edge - (begin + kept / 2)) <= best + 1e-6


@given(SIZES)
def test_without_one_both_sides_lose_alike(size: Size) -> None:
    bucket = buckets.nearest(size, buckets.sizes(512, 64))
    plan = buckets.crop(size, bucket)
    for begin, kept, edge in (
        (plan.left, bucket.width, plan.resized.width),
        (plan.top, bucket.height, plan.resized.height),
    ):
        assert abs(begin - (edge - kept - begin)) <= 1


def test_the_pixels_are_those_about_the_point() -> None:
    ramp = np.tile(np.arange(300, dtype=np.uint8), (100, 1))
    image = Image.fromarray(ramp)
    left = np.asarray(pixels.fitted(image, Size(100, 100), (0.0, 0.5)))
    right = np.asarray(pixels.fitted(image, Size(100, 100), (1.0, 0.5)))
    assert (left == ramp[:, :100]).all()
    assert (right == ramp[:, 200:]).all()


def test_points_outlast_the_move_of_a_project(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "p", tmp_path / "elsewhere" / "b.png"
    root.mkdir()
    points = {root / "images" / "ä.png": (0.25, 1.0), elsewhere: (0.0, 0.5)}
    focus.write(root / "focus.json", points, root)
    assert focus.read(root / "focus.json", root) == points
    moved = root.rename(tmp_path / "q")
    found = focus.read(moved / "focus.json", moved)
    assert found == {moved / "images" / "ä.png": (0.25, 1.0), elsewhere: (0.0, 0.5)}
    assert focus.read(tmp_path / "none.json", root) == {}


@pytest.mark.parametrize(
    "content",
    [b"{", b"[1]", b'{"a": 3}', b'{"a": [1]}', b'{"a": ["x", 1]}', b'{"a": [NaN, 0]}', b"\xff"],
)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "focus.json"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=r"focus\.json") as caught:
        focus.read(file, tmp_path)
    assert "remove it" in str(caught.value)
    assert file.read_bytes() == content


def test_numbers_beyond_the_picture_are_its_edge(tmp_path: Path) -> None:
    file = tmp_path / "focus.json"
    file.write_text(json.dumps({"a": [-3, 7]}))
    assert focus.read(file, tmp_path) == {tmp_path / "a": (0.0, 1.0)}


def test_a_run_learns_the_part_that_is_kept(tmp_path: Path, tiny_base: Path) -> None:
    """The latents are those of the picture cropped by hand, whatever was cached before."""
    model = registry.load(named_base(str(tiny_base), Path()), whole_cpu())
    drawn = Image.effect_mandelbrot((288, 96), (-2, -1, 1, 1), 60).convert("RGB")
    drawn.save(tmp_path / "a.png")
    path, cache = tmp_path / "a.png", Cache(tmp_path / "cache")
    config = small_config(str(tiny_base))
    config = replace(config, dataset=replace(config.dataset, flip=True, masks="files"))
    mask = Image.new("L", (288, 96))
    mask.paste(255, (128, 0, 160, 96))
    mask.save(tmp_path / "a-masklabel.png")
    dataset = scan.scan([tmp_path])
    found = {}
    for point in (None, (1.0, 0.5), (0.9, 0.5)):
        points = {} if point is None else {path: point}
        steps = pictures.encode(
            dataset, model, config.dataset, cache, Control(), pictures.Cut(points)
        )
        found[point] = _returned(steps)
    right = found[1.0, 0.5]
    assert (right[0].mean == found[0.9, 0.5][0].mean).all()  # both at the right edge
    assert (right[0].bucket, right[0].frame.left) == (Size(80, 48), 64)
    drawn.crop((128, 0, 288, 96)).save(tmp_path / "right.png")
    by_hand = latents_of(model, PictureFile(tmp_path / "right.png", "x"), right[0].bucket)
    inner = (slice(None), slice(None), slice(2, None))  # beside the cut the resize sees more
    assert torch.allclose(right[0].mean[inner], by_hand["mean"][inner], atol=0.01)
    assert not torch.allclose(right[0].mean, found[None][0].mean, atol=0.05)
    assert right[0].mask[:, :2].min() > 0 == right[0].mask[:, 4:].max()
    assert not torch.allclose(right[1].mean, found[None][1].mean, atol=0.05)  # the mirrored one


def _returned(steps: Generator[object, None, list[Item]]) -> list[Item]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_what_sides_are_multiples_of_is_known_without_the_weights(any_base: Path) -> None:
    """The window shows crops by it; the engine asks the nets."""
    base = named_base(str(any_base), Path())
    assert base.multiple_px == registry.load(base, whole_cpu()).multiple_px
