"""A picture's colours are what its profile says, in sRGB."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from core.data import scan
from core.data.decode import open_rgb
from core.data.pixels import RECIPE
from tests.unit import icc
from tests.unit.test_decode import HEIC

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


def test_caches_of_the_recipes_before_are_not_used() -> None:
    """Profiles were heeded from the second on, what else tells colours from the third."""
    assert RECIPE >= 3


PATCHES = np.kron(COLOURS[:8, :8], np.ones((16, 16, 1), np.uint8))  # see above


def exif_of(space: int, mark: str, orientation: int = 1) -> bytes:
    """As cameras write it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.ColorSpace] = space
    inner[ExifTags.IFD.Interop] = {1: mark}
    return exif.tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_cameras_adobe_rgb_is_heeded(suffix: str, orientation: int, tmp_path: Path) -> None:
    """It writes no profile, but two entries of EXIF."""
    path = tmp_path / f"a{suffix}"
    exif = exif_of(0xFFFF, "R03", orientation)
    Image.fromarray(PATCHES).save(path, exif=exif, quality=100, lossless=True)
    if suffix == ".avif":  # else it says itself that it is sRGB
        path.write_bytes(path.read_bytes().replace(b"nclx\0\1\0\x0d", b"nclx\0\2\0\2"))
    with Image.open(path) as image:
        stored = np.array(image.convert("RGB"), dtype=float)
    stored = np.rot90(stored, 3) if orientation == 6 else stored
    assert error_of(path, icc.in_srgb(stored, icc.SPACES["Adobe RGB"])) < 0.6


@pytest.mark.parametrize(("space", "mark"), [(1, "R98"), (1, "R03"), (0xFFFF, "R98"), (0xFFFF, "")])
def test_other_entries_of_exif_are_srgb(space: int, mark: str, tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif_of(space, mark))
    assert np.array_equal(open_rgb(tmp_path / "a.png"), COLOURS)


def test_a_profile_outweighs_exif(tmp_path: Path) -> None:
    space = icc.SPACES["ProPhoto"]
    picture = Image.fromarray(COLOURS)
    exif = exif_of(0xFFFF, "R03")
    picture.save(tmp_path / "a.png", icc_profile=icc.rgb_profile(space), exif=exif)
    assert error_of(tmp_path / "a.png", icc.in_srgb(COLOURS.astype(float), space)) < 0.6


def png_saying(path: Path, chunks: dict[bytes, tuple[int, ...]], mode: str = "RGB") -> Path:
    """A PNG with numbers in chunks that tell its colours."""
    info = PngInfo()
    for name, numbers in chunks.items():
        kind = "B" if name in (b"cICP", b"sRGB") else "I"
        info.add(name, struct.pack(f">{len(numbers)}{kind}", *numbers))
    Image.fromarray(COLOURS).convert(mode).save(path, pnginfo=info)
    return path


def points_of(space: icc.Space, white: tuple[float, float] = (0.3127, 0.329)) -> tuple[int, ...]:
    return tuple(round(v * 100_000) for pair in (white, *space.primaries) for v in pair)


def gamma_space(gamma: float, name: str = "") -> icc.Space:
    return icc.Space((icc.SPACES[name] if name else icc.SRGB).primaries, icc.D65, gamma)


@pytest.mark.parametrize(
    ("chunks", "space"),
    [
        ({b"gAMA": (100_000,)}, gamma_space(1.0)),
        ({b"gAMA": (55_556,)}, gamma_space(1.8)),
        (
            {b"gAMA": (45_455,), b"cHRM": points_of(icc.SPACES["Adobe RGB"])},
            gamma_space(2.2, "Adobe RGB"),
        ),
        ({b"cHRM": points_of(icc.SPACES["Display P3"])}, icc.SPACES["Display P3"]),
        (
            {
                b"gAMA": (55_556,),
                b"cHRM": points_of(icc.SPACES["ProPhoto"], (0.34567, 0.3585)),
            },
            icc.SPACES["ProPhoto"],
        ),
        ({b"cICP": (12, 13, 0, 1), b"gAMA": (100_000,)}, icc.SPACES["Display P3"]),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_a_png_says_of_its_colours_is_heeded(chunks, space, mode, tmp_path: Path) -> None:
    path = png_saying(tmp_path / "a.png", chunks, mode)
    stored = np.array(Image.fromarray(COLOURS).convert(mode).convert("RGB"), dtype=float)
    assert error_of(path, icc.in_srgb(stored, space)) < 0.6
    found = scan.examine(path)
    assert isinstance(found, scan.Picture)
    assert not found.remarks


@pytest.mark.parametrize(
    "chunks",
    [
        {b"gAMA": (45_455,)},
        {b"gAMA": (45_455,), b"cHRM": points_of(icc.SRGB)},
        {b"cHRM": points_of(icc.SRGB)},
        {b"sRGB": (0,), b"gAMA": (100_000,)},
        {b"cICP": (1, 13, 0, 1), b"gAMA": (100_000,)},
        {b"gAMA": (0,)},
        {b"gAMA": (1,)},
        {b"cHRM": (0,) * 8},
        {b"cHRM": (30_000,) * 8},
        {b"cHRM": (2**32 - 1, 1) * 4},
    ],
)
def test_what_means_srgb_or_nothing_keeps_every_byte(chunks, tmp_path: Path) -> None:
    assert np.array_equal(open_rgb(png_saying(tmp_path / "a.png", chunks)), COLOURS)


def coded(kind: str, *numbers: bytes) -> bytes:
    """A HEIC or AVIF whose primaries and curve have other numbers than sRGB's."""
    content = HEIC
    if kind == "AVIF":
        file = io.BytesIO()
        Image.fromarray(PATCHES).save(file, kind, quality=100, subsampling="4:4:4")
        content = file.getvalue()
    assert content.count(b"colrnclx\0\1\0\x0d") == 1  # else this shows nothing
    return content.replace(b"colrnclx\0\1\0\x0d", b"colrnclx" + b"".join(numbers))


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
def test_display_p3_by_numbers_is_heeded(kind: str, tmp_path: Path) -> None:
    path, plain = tmp_path / "a.png", tmp_path / "b.png"
    plain.write_bytes(coded(kind, b"\0\1\0\x0d"))
    stored = np.array(open_rgb(plain), dtype=float)
    path.write_bytes(coded(kind, b"\0\x0c\0\x0d"))
    wanted = icc.in_srgb(stored, icc.SPACES["Display P3"])
    assert np.abs(stored - wanted).mean() > 5  # what comes of heeding none
    assert error_of(path, wanted) < 0.6
    path.write_bytes(coded(kind, b"\0\x02\0\x02"))  # it does not say
    assert np.array_equal(open_rgb(path), stored)


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
@pytest.mark.parametrize(("curve", "name"), [(b"\x10", "PQ"), (b"\x12", "HLG")])
def test_hdr_is_told(kind: str, curve: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(coded(kind, b"\0\x09\0" + curve))
    found = scan.examine(path)
    assert isinstance(found, scan.Picture)
    assert [f.message for f in found.remarks] == [
        f"It is HDR ({name}), and is learnt paler than a person sees it."
    ]
