"""A picture and its mask opened to be painted on: turned, in its own size, or refused in words."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.config.options import DatasetConfig
from core.data import canvas, masks
from core.data.examine import Picture, examine
from core.errors import DatasetError


def halves(size=(40, 20)) -> Image.Image:
    """Left red, right blue."""
    image = Image.new("RGB", size, "#f00")
    image.paste("#00f", (size[0] // 2, 0, *size))
    return image


def test_a_picture_is_turned_as_a_run_sees_it(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    halves().save(picture, exif=exif)
    opened = canvas.opened(picture)
    assert opened.mask.shape == opened.pixels.shape[:2] == (40, 20)
    assert opened.pixels[0, 0].tolist() == [255, 0, 0]
    assert opened.pixels[-1, 0].tolist() == [0, 0, 255]
    assert (opened.mask == 255).all()


def test_what_is_written_is_read_by_a_run_pixel_for_pixel(tmp_path: Path) -> None:
    picture = tmp_path / "a.b.jpeg"
    halves().save(picture)
    mask = np.random.default_rng(1).integers(0, 256, (20, 40)).astype(np.uint8)
    file = masks.place(picture)
    assert file.name == "a.b-masklabel.png"  # OneTrainer's name
    file.write_bytes(canvas.content(mask))
    assert (canvas.opened(picture).mask == mask).all()
    source = masks.source(picture, DatasetConfig(masks="files"))
    assert source == file
    assert (np.array(masks.opened(file, "files")) == mask).all()
    with Image.open(file) as read:
        assert (read.format, read.mode, read.info) == ("PNG", "L", {})


def test_a_mask_of_another_size_is_fitted(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    halves((80, 40)).save(picture)
    small = Image.new("L", (8, 4), 255)
    small.paste(0, (4, 0, 8, 4))
    small.save(masks.place(picture))
    mask = canvas.opened(picture).mask
    assert mask.shape == (40, 80)
    assert (mask[:, :30] == 255).all()
    assert (mask[:, 50:] == 0).all()
    stored = canvas.mask_of(picture)
    assert stored is not None
    assert stored.shape == (4, 8)


def test_smaller_copies_are_of_the_same_picture(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    halves((5000, 200)).save(picture)
    opened = canvas.opened(picture)
    assert [one.shape[:2] for one in opened.smaller] == [(100, 2500), (50, 1250), (25, 625)]
    for one in opened.smaller:
        assert one[3, 3].tolist() == [255, 0, 0]
        assert one[3, -3].tolist() == [0, 0, 255]


def frames() -> bytes:
    file = io.BytesIO()
    halves().save(file, "GIF", save_all=True, append_images=[halves().rotate(180)])
    return file.getvalue()


@pytest.mark.parametrize("read", [canvas.opened, canvas.transparency])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.gif", frames(), "2 frames"),
        ("a.png", b"\x89PNG\r\n\x1a\nbroken", "cannot be read"),
        ("a.png", b"", "cannot be read"),
    ],
)
def test_what_is_not_painted_on_is_refused_in_words(
    tmp_path: Path, read, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=words) as refused:
        read(tmp_path / name)
    assert name in str(refused.value)
    assert refused.value.hint


def test_one_that_is_too_large_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves((400, 200)).save(tmp_path / "a.png")
    monkeypatch.setattr(canvas, "MOST_PIXELS", 79_999)
    with pytest.raises(DatasetError, match=r"a\.png has more than 0 million pixels"):
        canvas.opened(tmp_path / "a.png")


def test_one_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.png cannot be read \(No such file"):
        canvas.opened(tmp_path / "gone.png")


def test_a_damaged_mask_is_told_and_not_taken_for_none(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    halves().save(picture)
    masks.place(picture).write_bytes(b"broken")
    with pytest.raises(DatasetError, match=r"a-masklabel\.png cannot be read"):
        canvas.opened(picture)


def test_transparency_as_a_mask(tmp_path: Path) -> None:
    clear = halves().convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize((40, 20)))
    clear.save(tmp_path / "a.png")
    mask = canvas.transparency(tmp_path / "a.png")
    assert mask is not None
    assert (mask == np.array(clear.getchannel("A"))).all()
    halves().save(tmp_path / "b.png")
    assert canvas.transparency(tmp_path / "b.png") is None
    halves().convert("RGBA").save(tmp_path / "c.png")  # a channel that says nothing
    assert canvas.transparency(tmp_path / "c.png") is None


def test_a_run_that_heeds_no_masks_says_so(tmp_path: Path) -> None:
    halves((80, 40)).save(tmp_path / "a.png")
    halves((80, 40)).save(tmp_path / "b.png")
    Image.new("L", (40, 20)).save(masks.place(tmp_path / "b.png"))
    pictures = [examine(tmp_path / name) for name in ("a.png", "b.png")]
    there = [one for one in pictures if isinstance(one, Picture)]
    assert [one.masked for one in there] == [False, True]
    for kind in ("none", "alpha"):
        (said,) = masks.unheeded(there, DatasetConfig(masks=kind))
        assert said.path.name == "b.png"
        assert "dataset.masks" in said.hint
    assert masks.unheeded(there, DatasetConfig(masks="files")) == []
