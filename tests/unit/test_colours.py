"""A picture's colours are what its profile says, in sRGB."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.data import scan
from core.data.decode import open_rgb
from core.data.pixels import RECIPE
from tests.unit import icc

COLOURS = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def error_of(path: Path, wanted: np.ndarray) -> float:
    return float(np.abs(np.array(open_rgb(path), dtype=float) - wanted).mean())


@pytest.mark.parametrize("name", icc.SPACES)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".avif", ".jpg"])
def test_a_profile_is_heeded(name: str, suffix: str, tmp_path: Path) -> None:
    space = icc.SPACES[name]
    profile = icc.rgb_profile(space)
    path = tmp_path / f"a{suffix}"
    # Large patches: JPEG and AVIF keep colours in half the size.
    stored = np.kron(COLOURS[:8, :8], np.ones((16, 16, 1), np.uint8))
    Image.fromarray(stored).save(path, icc_profile=profile, quality=100, lossless=True)
    with Image.open(path) as image:
        as_stored = np.array(image.convert("RGB"), dtype=float)
    wanted = icc.in_srgb(as_stored, space)
    assert np.abs(as_stored - wanted).mean() > 8  # what comes of heeding none
    assert error_of(path, wanted) < 0.6


@pytest.mark.parametrize("name", icc.SPACES)
def test_colours_of_srgb_come_back(name: str, tmp_path: Path) -> None:
    space = icc.SPACES[name]
    stored = icc.from_srgb(COLOURS.astype(float), space)
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=icc.rgb_profile(space))
    assert error_of(tmp_path / "a.png", COLOURS) < 0.9  # 8 bits of a larger space are coarser


def test_transparency_stays_and_its_colours_are_turned(tmp_path: Path) -> None:
    space = icc.SPACES["ProPhoto"]
    alpha = np.full((64, 64, 1), 255, np.uint8)
    alpha[:32] = 0
    stored = Image.fromarray(np.concatenate([COLOURS, alpha], -1))
    stored.save(tmp_path / "a.png", icc_profile=icc.rgb_profile(space))
    seen = np.array(open_rgb(tmp_path / "a.png"), dtype=float)
    assert (seen[:32] == 255).all()
    assert np.abs(seen[32:] - icc.in_srgb(COLOURS[32:].astype(float), space)).mean() < 0.6


@pytest.mark.parametrize("mode", ["P", "L", "LA"])
def test_other_modes_have_profiles_too(mode: str, tmp_path: Path) -> None:
    space = icc.SPACES["ProPhoto"]
    stored = Image.fromarray(COLOURS).quantize(16) if mode == "P" else None
    stored = stored or Image.fromarray(COLOURS).convert(mode)
    stored.save(tmp_path / "a.png", icc_profile=icc.rgb_profile(space))
    wanted = icc.in_srgb(np.array(stored.convert("RGB"), dtype=float), space)
    assert error_of(tmp_path / "a.png", wanted) < 0.6


def test_a_grey_profile_is_heeded(tmp_path: Path) -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (40, 1))
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=icc.grey_profile(1.0))
    wanted = icc.srgb_from_linear(grey / 255) * 255
    assert error_of(tmp_path / "a.png", wanted[..., None]) < 0.6


def test_a_grey_profile_on_16_bits(tmp_path: Path) -> None:
    grey = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (40, 1))
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=icc.grey_profile(1.0))
    wanted = icc.srgb_from_linear(grey / 65535) * 255
    assert error_of(tmp_path / "a.png", wanted[..., None]) < 1.5  # 8 bits of a straight line


def test_a_profile_on_three_times_16_bits(tmp_path: Path) -> None:
    """Written by hand: Pillow reads such pictures and writes none."""
    space = icc.SPACES["Adobe RGB"]
    rows = b"".join(b"\0" + row.tobytes() for row in (COLOURS.astype(">u2") * 257))
    chunks = [
        (b"IHDR", struct.pack(">2I5B", 64, 64, 16, 2, 0, 0, 0)),
        (b"iCCP", b"p\0\0" + zlib.compress(icc.rgb_profile(space))),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    content = b"".join(
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    assert error_of(tmp_path / "a.png", icc.in_srgb(COLOURS.astype(float), space)) < 0.6


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_seen_through_its_profile(suffix: str, tmp_path: Path) -> None:
    """Real ink is no pure colour, for which Pillow takes it."""
    for number, light in enumerate([*icc.INKS, np.ones(3)]):
        path = tmp_path / f"{number}{suffix}"
        ink = [255 if n == number else 0 for n in range(4)]
        Image.new("CMYK", (64, 64), tuple(ink)).save(path, icc_profile=icc.cmyk_profile())
        assert error_of(path, icc.srgb_from_linear(light) * 255) < 2


def test_the_darkest_print_becomes_black(tmp_path: Path) -> None:
    """As a screen shows it: paper and ink give back some light even where all is black."""
    profile = icc.cmyk_profile(darkest=0.02)
    Image.new("CMYK", (64, 64), (0, 0, 0, 255)).save(tmp_path / "a.tif", icc_profile=profile)
    assert np.array(open_rgb(tmp_path / "a.tif")).max() <= 3
    Image.new("CMYK", (64, 64), (0, 0, 0, 0)).save(tmp_path / "b.tif", icc_profile=profile)
    assert np.array(open_rgb(tmp_path / "b.tif")).min() >= 252


def broken_profiles() -> dict[str, bytes]:
    whole = icc.rgb_profile(icc.SPACES["Adobe RGB"])
    return {
        "no profile at all": b"not a profile",
        "cut": whole[:200],
        "no curves": whole.replace(b"TRC", b"XXX"),
        "of other channels": icc.cmyk_profile(),
        "of grey": icc.grey_profile(2.2),
    }


@pytest.mark.parametrize("kind", broken_profiles())
def test_a_broken_profile_is_ignored_and_told(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(COLOURS).save(path, icc_profile=broken_profiles()[kind])
    assert np.array_equal(open_rgb(path), COLOURS)
    found = scan.examine(path)
    assert isinstance(found, scan.Picture)
    (remark,) = found.remarks
    assert "profile" in remark.message


def test_a_whole_profile_is_not_worth_a_word(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(COLOURS).save(path, icc_profile=icc.rgb_profile(icc.SPACES["Display P3"]))
    found = scan.examine(path)
    assert isinstance(found, scan.Picture)
    assert not found.remarks


@pytest.mark.parametrize(
    "profile",
    [
        icc.rgb_profile(icc.SRGB),
        icc.rgb_profile(icc.Space(((0.6406, 0.33), (0.30, 0.60), (0.15, 0.06)), icc.D65, 0)),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ],
)
def test_a_picture_in_srgb_keeps_every_byte(profile: bytes, tmp_path: Path) -> None:
    """Most pictures: what was learnt from them before is learnt still."""
    Image.fromarray(COLOURS).save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(open_rgb(tmp_path / "a.png"), COLOURS)


def test_caches_of_the_recipe_before_profiles_are_not_used() -> None:
    assert RECIPE >= 2
