"""Altered pictures and captions: what comes out is a picture, a finding, or every byte again."""

import io
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from core.data import captions, scan
from core.data.decode import open_rgb
from tests.unit import icc
from tests.unit.test_colours import exif_of, points_of
from tests.unit.test_decode import HEIC

SHORT, LONG = 400, 20_000
RANDOM_COLOURS = np.random.default_rng(3).integers(0, 256, (40, 48, 4)).astype(np.uint8)


def originals() -> dict[str, bytes]:
    """Of eight formats, each with what its readers may stumble upon."""
    clear = Image.fromarray(RANDOM_COLOURS)
    plain = clear.convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "made for a test"
    profile = icc.rgb_profile(icc.SPACES["Adobe RGB"])
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "x" * 300, zip=True)
    text.add_itxt("prompt", "y" * 300, zip=True)
    both = {"exif": exif, "icc_profile": profile}
    frames = {"save_all": True, "append_images": [clear.rotate(180)]}
    return {
        "png": _saved(clear, "PNG", pnginfo=text, **both, **frames),
        "said.png": _saved(plain, "PNG", pnginfo=_said()),
        "jpg": _saved(plain, "JPEG", **both),
        "camera.jpg": _saved(plain, "JPEG", exif=exif_of(0xFFFF, "R03", 6)),
        "cmyk.jpg": _saved(plain.convert("CMYK"), "JPEG", icc_profile=icc.cmyk_profile()),
        "webp": _saved(clear, "WEBP", lossless=True, **both, **frames),
        "gif": _saved(clear, "GIF", **frames),
        "bmp": _saved(plain, "BMP"),
        "tif": _saved(clear, "TIFF", compression="tiff_lzw", **both, **frames),
        "16.tif": _saved(Image.fromarray(RANDOM_COLOURS[..., 0].astype(np.uint16) * 257), "TIFF"),
        "avif": _saved(clear, "AVIF", **both),  # Pillow dies of both at once
        "frames.avif": _saved(clear, "AVIF", **frames),
        "heic": HEIC,
    }


def _said() -> PngImagePlugin.PngInfo:
    """Colours in PNG's own words."""
    said = PngImagePlugin.PngInfo()
    said.add(b"gAMA", struct.pack(">I", 55_556))
    said.add(b"cHRM", struct.pack(">8I", *points_of(icc.SPACES["Adobe RGB"])))
    return said


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def altered(content: bytes, rng: random.Random) -> bytes:
    """One to four errors as disks, networks and attackers make them."""
    new = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(new) or 1)
        # Heads hold what readers trust.
        at = at if rng.random() < 0.5 else min(at, rng.randrange(1, 200))
        match rng.randrange(7):
            case 0:
                new[at : at + 1] = rng.randbytes(1)
            case 1:
                new[at : at + 4] = rng.choice([bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff"])
            case 2:
                del new[at:]
            case 3:
                del new[at : at + rng.randint(1, 64)]
            case 4:
                new[at:at] = rng.randbytes(rng.randint(1, 64))
            case 5:
                new[at:at] = new[at : at + rng.randint(1, 400)]
            case _:
                new[at : at + 64] = bytes(64)
    return bytes(new)


def fuzz_pictures(folder: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    files = list(originals().items())
    used = 0
    for number in range(count):
        name, content = files[number % len(files)]
        path = folder / f"a.{name}"
        path.write_bytes(altered(content, rng))
        try:
            found = scan.examine(path)
            assert isinstance(found, scan.Picture | scan.Finding)
            if isinstance(found, scan.Picture):
                used += 1
                assert open_rgb(path).size == (found.width_px, found.height_px)
        except BaseException as error:
            error.add_note(f"number {number} of seed {seed}, {name}: {path.read_bytes().hex()}")
            raise
    assert count // 20 < used < count  # else the alterations are too weak, or too strong


def fuzz_captions(folder: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    kinds = [
        "a cat\r\nnoir\r\n",
        "caf\u00e9\n",
        "\ufeff\u732b",
        "a\rb",
        "\u200b, ,",
        "\\(x\\) <|y|> (z:1.2)",
    ]
    codings = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "shift-jis"]
    picture, file = folder / "a.png", folder / "a.txt"
    for number in range(count):
        words = rng.choice(kinds).encode(rng.choice(codings), errors="ignore")
        content = altered(words, rng) if rng.random() < 0.8 else words
        file.write_bytes(content)
        try:
            caption = captions.read(picture)
            captions.write(picture, caption.text)
            assert file.read_bytes() == content
            captions.for_training(caption.text, "ink").encode("utf-8", errors="surrogatepass")
            scan.caption_findings(scan.Picture(picture, 64, 64, caption.text, caption.guessed))
            captions.write(picture, "new words")
            assert captions.read(picture).text == "new words"
        except BaseException as error:
            error.add_note(f"number {number} of seed {seed}: {content!r}")
            raise


def test_altered_pictures(tmp_path: Path) -> None:
    fuzz_pictures(tmp_path, SHORT, seed=1)


def test_altered_captions(tmp_path: Path) -> None:
    fuzz_captions(tmp_path, SHORT, seed=1)


def test_altered_profiles(tmp_path: Path) -> None:
    """They never break the picture that carries them."""
    fuzz_profiles(tmp_path, SHORT, seed=1)


def fuzz_profiles(folder: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    plain = Image.fromarray(RANDOM_COLOURS[..., :3])
    kinds = [
        (plain, icc.rgb_profile(icc.SPACES["ProPhoto"])),
        (plain.convert("L"), icc.grey_profile(1.8)),
        (plain.convert("CMYK"), icc.cmyk_profile()),
    ]
    for number in range(count):
        image, profile = kinds[number % len(kinds)]
        path = folder / "a.tif"
        image.save(path, icc_profile=altered(profile, rng))
        try:
            assert isinstance(scan.examine(path), scan.Picture)
            assert open_rgb(path).size == image.size
        except BaseException as error:
            error.add_note(f"number {number} of seed {seed}: {path.read_bytes().hex()}")
            raise


@pytest.mark.fuzz
@pytest.mark.parametrize("fuzz", [fuzz_pictures, fuzz_captions, fuzz_profiles])
def test_many_more(fuzz, tmp_path: Path) -> None:
    fuzz(tmp_path, LONG, seed=2)
