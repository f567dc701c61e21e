"""A part of a picture, in the file's own format and as good as before."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.data.cropping import cut
from core.data.decode import open_rgb
from tests.unit.test_measures import scene

INSIDE = (0.0, 0.25, 1.0, 0.75)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(open_rgb(path), dtype=int)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".png", {}),
        (".bmp", {}),
        (".tif", {}),
        (".webp", {"lossless": True}),
    ],
)
def test_what_is_left_is_as_it_was(tmp_path: Path, suffix: str, options: dict) -> None:
    source = tmp_path / f"a{suffix}"
    scene(1).save(source, **options)
    before = source.read_bytes()
    made = cut(source, INSIDE, tmp_path, "b")
    assert made.name == f"b{suffix}"
    assert (pixels(made) == pixels(source)[90:270]).all()
    assert source.read_bytes() == before


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("quality", [60, 95])
def test_a_jpeg_stays_as_good_and_as_small(tmp_path: Path, quality: int, subsampling: int) -> None:
    source = tmp_path / "a.jpg"
    scene(1).save(source, quality=quality, subsampling=subsampling)
    made = cut(source, INSIDE, tmp_path, "b")
    with Image.open(source) as one, Image.open(made) as other:
        assert one.quantization == other.quantization
        assert one.layer[0][1:3] == other.layer[0][1:3]  # how colours are sampled
    # 90 is no multiple of 8 or 16, so its blocks are others: it is as if saved twice.
    again = io.BytesIO()
    open_rgb(source).save(again, "JPEG", quality=quality, subsampling=subsampling)
    twice = np.asarray(Image.open(again), dtype=int)
    loss = np.abs(pixels(made) - pixels(source)[90:270]).mean()
    assert loss <= np.abs(twice - pixels(source)).mean() + 1.5
    assert made.stat().st_size < source.stat().st_size


def test_profile_exif_and_turn(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = tmp_path / "a.jpg"
    scene(2, (360, 480)).transpose(Image.Transpose.ROTATE_90).save(
        source, quality=95, exif=exif, icc_profile=profile, dpi=(300, 300)
    )
    made = cut(source, INSIDE, tmp_path, "b")
    assert pixels(source).shape == (480, 360, 3)
    assert np.abs(pixels(made) - pixels(source)[120:360]).mean() < 3
    with Image.open(made) as image:
        assert image.info["icc_profile"] == profile
        assert image.info["dpi"] == (300, 300)
        assert (image.getexif().get(0x0112, 1), image.getexif()[0x010F]) == (1, "Maker")


@pytest.mark.parametrize("mode", ["P", "L", "RGBA", "LA", "1", "I;16"])
def test_modes_stay(tmp_path: Path, mode: str) -> None:
    source = tmp_path / "a.png"
    if mode == "I;16":
        rows = np.arange(360 * 480, dtype=np.uint16).reshape(360, 480)
        Image.fromarray(rows).save(source)
    else:
        scene(3).convert(mode).save(source)
    made = cut(source, INSIDE, tmp_path, "b")
    with Image.open(source) as one, Image.open(made) as other:
        assert one.mode == other.mode
        assert (np.asarray(other) == np.asarray(one)[90:270]).all()


@pytest.mark.parametrize("suffix", [".gif", ".avif"])
def test_what_cannot_be_written_as_it_was_becomes_png(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"a{suffix}"
    scene(4).save(source)
    made = cut(source, INSIDE, tmp_path, "b")
    assert made.name == "b.png"
    assert (pixels(made) == pixels(source)[90:270]).all()


def test_a_film_of_frames_becomes_its_first(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    scene(5).save(source, save_all=True, append_images=[scene(6)])
    made = cut(source, INSIDE, tmp_path, "b")
    assert (pixels(made) == pixels(source)[90:270]).all()


def test_a_damaged_picture_is_told(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    scene(7).save(source)
    source.write_bytes(source.read_bytes()[:400])
    with pytest.raises(OSError, match="truncated"):
        cut(source, INSIDE, tmp_path, "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
