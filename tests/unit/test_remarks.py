"""A picture that can be used, and yet may not be what the person sees, is told."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from core.data import scan
from tests.conftest import draw_picture

NOISE = np.random.default_rng(2).integers(0, 256, (64, 64, 4)).astype(np.uint8)


def told(path: Path) -> list[str]:
    found = scan.examine(path)
    assert isinstance(found, scan.Picture)
    assert all(f.usable and f.path == path for f in found.remarks)
    return [f.message for f in found.remarks]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif", ".avif"])
def test_the_frames_after_the_first_are_told(tmp_path: Path, suffix: str) -> None:
    first, *others = (Image.fromarray(np.roll(NOISE[..., :3], n, 0)) for n in range(3))
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=others)
    assert told(tmp_path / f"a{suffix}") == ["It has 3 frames; the first is used."]


def test_a_black_first_frame_is_told(tmp_path: Path) -> None:
    black, other = Image.new("RGB", (64, 64)), Image.fromarray(NOISE[..., :3])
    black.save(tmp_path / "a.gif", save_all=True, append_images=[other])
    assert told(tmp_path / "a.gif") == [
        "It has 2 frames; the first is used.",
        "It is black all over.",
    ]


def spoil_second_page(tiff: Path) -> None:
    """The second directory's place, written into the first, leads nowhere."""
    content = bytearray(tiff.read_bytes())
    start = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[start : start + 2], "little")
    next_at = start + 2 + 12 * entries
    content[next_at : next_at + 4] = (len(content) + 1000).to_bytes(4, "little")
    tiff.write_bytes(content)


@pytest.mark.parametrize("name", ["a.gif", "a.tif"])
def test_later_frames_may_be_damaged(tmp_path: Path, name: str) -> None:
    first, *others = (Image.fromarray(np.roll(NOISE[..., :3], n, 0)) for n in range(3))
    path = tmp_path / name
    first.save(path, save_all=True, append_images=others)
    if name == "a.gif":
        path.write_bytes(path.read_bytes()[:-3000])
    else:
        spoil_second_page(path)
    assert isinstance(scan.examine(path), scan.Picture)


def test_a_telephones_second_picture_is_not_worth_a_word(tmp_path: Path) -> None:
    first, second = (Image.fromarray(np.roll(NOISE[..., :3], n, 0)) for n in range(2))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 2)  # else this test shows nothing
    assert told(tmp_path / "a.jpg") == []


@pytest.mark.parametrize(
    ("mode", "colour", "word"),
    [
        ("RGB", (0, 0, 0), "black"),
        ("RGB", (9, 12, 8), "black"),
        ("RGB", (255, 255, 255), "white"),
        ("RGB", (200, 30, 30), "of one colour"),
        ("L", 0, "black"),
        ("1", 1, "white"),
        ("P", 0, "black"),
        ("I;16", 0, "black"),
        ("I;16", 30_000, "of one colour"),
        ("CMYK", (0, 0, 0, 255), "black"),
        ("CMYK", (0, 0, 0, 0), "white"),
    ],
)
def test_a_flat_picture_is_told(tmp_path: Path, mode: str, colour, word: str) -> None:
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.new(mode, (64, 64), colour).save(path)
    assert told(path) == [f"It is {word} all over."]


def test_one_line_on_white_is_a_picture(tmp_path: Path) -> None:
    image = Image.new("L", (2000, 2000), "white")
    image.putpixel((7, 7), 0)
    image.save(tmp_path / "a.png")
    assert told(tmp_path / "a.png") == []


@pytest.mark.parametrize("ground", [(0, 0, 0, 0), (255, 255, 255, 0), (10, 200, 10, 0)])
def test_a_wholly_transparent_picture_is_told(tmp_path: Path, ground) -> None:
    Image.new("RGBA", (64, 64), ground).save(tmp_path / "a.png")
    (message,) = told(tmp_path / "a.png")
    assert "wholly transparent" in message


def test_transparent_parts_are_told(tmp_path: Path) -> None:
    image = draw_picture(tmp_path / "a.png", 1)
    clear = Image.open(image).convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 20, 20))
    clear.save(tmp_path / "a.png")
    clear.convert("RGB").quantize(8).save(tmp_path / "b.png", transparency=0)
    assert told(tmp_path / "a.png") == ["Its transparent parts become white."]
    assert told(tmp_path / "b.png") == ["Its transparent parts become white."]


def test_white_on_transparent_is_flat(tmp_path: Path) -> None:
    """The alpha differs, what is learnt is white all over."""
    image = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (20, 20, 44, 44))
    image.save(tmp_path / "a.png")
    assert told(tmp_path / "a.png") == [
        "Its transparent parts become white.",
        "It is white all over.",
    ]


def test_smoothed_corners_and_an_alpha_without_use_are_not_worth_a_word(tmp_path: Path) -> None:
    pixels = NOISE.copy()
    pixels[..., 3] = 255
    pixels[:2, :2, 3] = 100
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert told(tmp_path / "a.png") == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".gif"])
def test_a_first_look_decodes_nothing(tmp_path: Path, suffix: str, monkeypatch) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (64, 64)).save(path)
    decoded = []
    real = ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda i: decoded.append(i) or real(i))
    found = scan.examine(path, decode=False)
    assert isinstance(found, scan.Picture)
    assert not found.remarks
    assert not decoded
    found = scan.examine(path)
    assert isinstance(found, scan.Picture)
    assert found.remarks
    assert decoded  # else this test shows nothing
