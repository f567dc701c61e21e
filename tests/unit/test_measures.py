"""What is measured of a picture's pixels, against the same by another way."""

import io
import math
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from core.data import measures
from core.data.measures import Measures, bars, fingerprint, measure, sharpness


def scene(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Some shapes on a ground, in which no two seeds are alike."""
    rng = np.random.default_rng(seed)
    colours = [tuple(int(c) for c in rng.integers(0, 256, 3)) for _ in range(13)]
    image = Image.new("RGB", size, colours[-1])
    draw = ImageDraw.Draw(image)
    for colour in colours[:12]:
        x, y = rng.integers(0, size[0] - 40), rng.integers(0, size[1] - 40)
        w, h = rng.integers(30, 160, 2)
        draw.rectangle((int(x), int(y), int(x + w), int(y + h)), fill=colour)
    return image


def as_jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def apart(one: Measures, other: Measures) -> tuple[int, float]:
    """Bits of the fingerprints, and levels of the sketches."""
    a, b = (np.frombuffer(m.sketch, np.uint8).astype(float) for m in (one, other))
    return (one.fingerprint ^ other.fingerprint).bit_count(), float(np.abs(a - b).mean())


def test_the_fingerprint_is_the_signs_of_a_cosine_transform() -> None:
    grey = scene(1).convert("L")
    pixels = np.asarray(grey.resize((16, 16), Image.Resampling.BOX), dtype=float)
    # The transform's definition, as a sum over all pixels.
    found = [
        sum(
            pixels[y, x]
            * math.cos(math.pi * (2 * x + 1) * u / 32)
            * math.cos(math.pi * (2 * y + 1) * v / 32)
            for y in range(16)
            for x in range(16)
        )
        for v in range(8)
        for u in range(8)
    ][1:]
    expected = sum(1 << bit for bit, value in enumerate(found) if value > np.median(found))
    assert fingerprint(grey) == expected
    assert expected.bit_count() == 31


@pytest.mark.parametrize(
    "copy",
    [
        as_jpeg,
        lambda image: image.resize((240, 180), Image.Resampling.LANCZOS),
        lambda image: ImageEnhance.Brightness(image).enhance(1.05),
        lambda image: image.convert("P", palette=Image.Palette.ADAPTIVE),
        lambda image: image.convert("RGBA"),
    ],
)
def test_a_copy_looks_alike_and_another_picture_does_not(
    copy: Callable[[Image.Image], Image.Image],
) -> None:
    for seed in range(8):
        image, other = scene(seed), scene(seed + 100)
        bits, levels = apart(measure(image), measure(copy(image)))
        assert (bits <= 4, levels <= 8) == (True, True)
        assert apart(measure(image), measure(other))[0] > 8


def test_the_mean_colour(tmp_path) -> None:
    image = scene(3)
    expected = np.asarray(image, dtype=float).mean(axis=(0, 1))
    assert measure(image).mean_colour == pytest.approx(expected, abs=1)


def test_a_turned_picture_is_measured_as_it_is_seen() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    scene(2).transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    with Image.open(file) as image:
        bits, levels = apart(measure(image), measure(scene(2)))
    assert (bits, levels) == (0, pytest.approx(0, abs=0.5))


def test_sharpness_is_the_laplacian_over_the_contrast() -> None:
    image = scene(4, (300, 200)).convert("L")
    x = np.asarray(image, dtype=float)
    laplacian = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] - 4 * x[1:-1, 1:-1]
    assert sharpness(image) == pytest.approx(laplacian.std() / x.std(), rel=0.02)


def test_blur_lowers_sharpness_and_size_or_contrast_hardly_do() -> None:
    image = scene(5, (1600, 1200)).convert("L")
    sharp = sharpness(image)
    assert sharpness(image.filter(ImageFilter.GaussianBlur(8))) < 0.4 * sharp
    faint = image.point([100 + value // 8 for value in range(256)])
    assert sharpness(faint) == pytest.approx(sharp, rel=0.15)
    assert sharpness(image.resize((800, 600), Image.Resampling.BOX)) == pytest.approx(
        sharp, rel=0.3
    )
    assert sharpness(Image.new("L", (64, 64), 9)) == 0


@pytest.mark.parametrize("ground", [(0, 0, 0), (250, 250, 250), (90, 20, 20)])
@pytest.mark.parametrize("across", [True, False])
def test_bars_are_found_and_where(ground: tuple[int, int, int], across: bool) -> None:
    image = scene(6)
    box = (0, 60, 480, 420) if across else (60, 0, 540, 360)
    size = (480, 480) if across else (600, 360)
    barred = Image.new("RGB", size, ground)
    barred.paste(image, box[:2])
    left, top, right, bottom = bars(as_jpeg(barred))
    expected = (0, 60 / 480, 1, 420 / 480) if across else (60 / 600, 0, 540 / 600, 1)
    assert (left, top, right, bottom) == pytest.approx(expected, abs=0.015)


def test_one_bar_is_one() -> None:
    barred = Image.new("RGB", (480, 400))
    barred.paste(scene(6), (0, 40))
    assert bars(barred) == pytest.approx((0, 0.1, 1, 1), abs=0.01)


def test_a_thing_on_a_plain_ground_has_no_bars() -> None:
    image = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(image).ellipse((0, 60, 300, 240), fill="red")
    assert bars(image) == (0, 0, 1, 1)
    framed = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(framed).rectangle((60, 60, 240, 240), fill="red")
    assert bars(framed) == (0, 0, 1, 1)
    assert bars(Image.new("RGB", (300, 300), "white")) == (0, 0, 1, 1)


def test_a_large_picture_is_reduced_first(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = measures.bars
    monkeypatch.setattr(measures, "bars", lambda image: seen.append(image.size) or real(image))
    measure(scene(7, (2400, 1700)))
    assert seen == [(800, 567)]
