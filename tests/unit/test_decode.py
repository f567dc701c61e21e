"""Pictures of more than 8 bits keep their greys; a telephone's are opened."""

import subprocess
import sys
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image
from PIL.ImageOps import exif_transpose
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from core.data import decode, pixels, scan
from core.data.decode import UNREADABLE, eight_bit, open_picture, turned
from tests.unit.test_remarks import spoil_second_page

HEIC = b64decode("""
AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA
AAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAEAAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAA
AA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNw
AAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFz
wIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAA
Av////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAEhtZGF0AAAAPCgBr1jm9Oq//+J8
//o2kh8eP/X/89vVftM/P+jslaV9tHbBRIcPyrBEyKVv3GQGkTdV6NB8du1Vrys3oA==
""")  # 64 x 48 px, red and blue halves


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        ([0, 257, 32896, 65535], np.uint16, [0, 1, 128, 255]),
        ([128, 129, 32767, 65407], np.uint16, [0, 1, 127, 255]),  # to the nearest
        ([0, 257, 32896, 65535], np.int32, [0, 1, 128, 255]),
        ([0, 7, 128, 255], np.int32, [0, 7, 128, 255]),
        ([0.0, 0.25, 0.5, 1.0], np.float32, [0, 64, 128, 255]),
        ([0, 7, 128, 255], np.uint8, [0, 7, 128, 255]),
    ],
)
def test_the_whole_range_is_kept(values, kind, wanted) -> None:
    image = Image.fromarray(np.array([values], kind))
    assert np.array(eight_bit(image))[0].tolist() == wanted


def test_a_clear_grey_of_16_bits_is_not_sought_among_8(tmp_path) -> None:
    """Every dark grey would turn white."""
    grey = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=0)
    seen = np.array(pixels.open_rgb(tmp_path / "a.png"), dtype=float)[..., 0]
    assert np.abs(seen - grey / 257).max() <= 0.51


def test_big_endian_tiffs_are_read_too() -> None:
    content = np.array([0, 65535], ">u2").tobytes()
    assert np.array(eight_bit(Image.frombytes("I;16B", (2, 1), content))).tolist() == [[0, 255]]


@pytest.mark.parametrize("name", ["a.heic", "renamed.jpg"])
def test_a_heic_is_opened_whatever_its_name(name, tmp_path) -> None:
    path = tmp_path / name
    path.write_bytes(HEIC)
    with open_picture(path) as image:
        pixels = np.array(image.convert("RGB"), dtype=int)
    assert pixels.shape == (48, 64, 3)
    assert np.abs(pixels[:, :28] - [200, 40, 40]).max() < 16
    assert np.abs(pixels[:, 36:] - [40, 40, 200]).max() < 16


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_pillow_turns_it(orientation, tmp_path) -> None:
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        assert np.array_equal(np.asarray(turned(opened)), np.asarray(exif_transpose(opened)))


def test_a_png_may_say_so_behind_its_pixels(tmp_path) -> None:
    """Pillow reads that only once the pixels are decoded."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8))
    path = tmp_path / "a.png"
    image.save(path, exif=exif)
    content = path.read_bytes()
    at = content.index(b"eXIf") - 4
    length = int.from_bytes(content[at : at + 4], "big") + 12
    chunk, rest = content[at : at + length], content[:at] + content[at + length :]
    path.write_bytes(rest[:-12] + chunk + rest[-12:])  # before the last one, IEND
    found = scan.examine(path)
    assert isinstance(found, scan.Picture)
    assert (found.width_px, found.height_px) == pixels.open_rgb(path).size == (40, 60)


def test_an_odd_entry_beside_the_orientation_does_not_matter(tmp_path) -> None:
    """Old programs mistype entries, which Pillow's own function writes anew and fails on."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = IFDRational(72, 1)  # XResolution
    content = bytearray(exif.tobytes())
    entry = content.index(b"\x1a\x01" if b"II" in content[:10] else b"\x01\x1a")
    content[entry + 2 : entry + 4] = b"\x02\x00" if b"II" in content[:10] else b"\x00\x02"  # text
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=bytes(content))
    with Image.open(tmp_path / "a.jpg") as image:
        assert turned(image).size == (20, 40)
        with pytest.raises(UNREADABLE):
            exif_transpose(image)  # else this test shows nothing


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a_picture_whose_exif_is_damaged_is_a_picture(suffix, tmp_path) -> None:
    image = Image.fromarray(np.random.default_rng(4).integers(0, 256, (40, 50, 3), np.uint8))
    image.save(tmp_path / f"a{suffix}", exif=b"Exif\0\0no EXIF at all")
    found = scan.examine(tmp_path / f"a{suffix}")
    assert isinstance(found, scan.Picture)
    assert pixels.open_rgb(found.path).size == (50, 40)


def test_whatever_pillow_raises_is_an_oserror_to_the_engine(tmp_path, monkeypatch) -> None:
    """It leaves out a picture for that; any other error is the engine's own."""

    def odd(_image: Image.Image) -> None:
        raise TypeError("an odd entry")

    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    monkeypatch.setattr(decode, "turned", odd)
    with pytest.raises(OSError, match="an odd entry"):
        pixels.open_rgb(tmp_path / "a.png")


def test_text_of_many_megabytes_does_not_matter(tmp_path) -> None:
    """Programs write their whole workflow into a picture."""
    info = PngInfo()
    info.add_text("workflow", "x" * 3_000_000, zip=True)
    info.add_itxt("prompt", "y" * 3_000_000, zip=True)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png", pnginfo=info)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "b.png", icc_profile=bytes(2_000_000))
    for name in ("a.png", "b.png"):
        assert isinstance(scan.examine(tmp_path / name), scan.Picture)
        assert pixels.open_rgb(tmp_path / name).getpixel((0, 0)) == (255, 0, 0)


def test_a_picture_of_120_million_pixels_gives_no_warning(tmp_path) -> None:
    """In a process of its own: here a warning would be an error."""
    Image.new("1", (12_000, 10_000)).save(tmp_path / "a.png")
    code = f"""
from pathlib import Path
from core.data import scan
found = scan.examine(Path({str(tmp_path / "a.png")!r}))
print(found.width_px, found.height_px)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("12000 10000\n", "")


def test_pillows_other_warnings_do_not_reach_the_terminal(tmp_path) -> None:
    """Of a damaged second page it warns of corrupt EXIF."""
    path = tmp_path / "a.tif"
    pages = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green")]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    spoil_second_page(path)
    code = (
        f"from pathlib import Path; from core.data import scan; scan.examine(Path({str(path)!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_the_limit_of_pixels_holds_for_every_way_in(tmp_path) -> None:
    Image.new("1", (30_000, 6_000)).save(tmp_path / "a.png")
    with pytest.raises(UNREADABLE):
        open_picture(tmp_path / "a.png")
    with pytest.raises(OSError, match="pixels"):
        pixels.open_rgb(tmp_path / "a.png")


def test_no_other_program_is_started_for_a_picture(tmp_path) -> None:
    """Pillow would call Ghostscript for this, whatever its name."""
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n"
    (tmp_path / "a.png").write_bytes(content)
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.format == "EPS"  # else this test shows nothing
    assert "not a picture" in str(scan.examine(tmp_path / "a.png"))
