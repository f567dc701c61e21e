"""Whatever lies in a folder, a scan names each file that cannot be used and goes on."""

from pathlib import Path

import pytest
from PIL import Image

from core.data import pixels, scan
from core.data.scan import Finding
from tests.conftest import draw_picture, fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path, 2)
    return tmp_path


def spoil_truncated(folder: Path) -> Path:
    path = draw_picture(folder / "cut.png", 1, (200, 200))
    path.write_bytes(path.read_bytes()[:300])
    return path


def spoil_tiny(folder: Path) -> Path:
    path = folder / "tiny.png"
    Image.new("RGB", (1, 1)).save(path)
    return path


def spoil_huge(folder: Path) -> Path:
    """30,000 x 30,000 px in a few hundred kilobytes."""
    path = folder / "huge.png"
    Image.new("1", (30_000, 30_000)).save(path)
    return path


def spoil_text(folder: Path) -> Path:
    path = folder / "words.jpg"
    path.write_text("not a picture")
    return path


def spoil_narrow(folder: Path) -> Path:
    path = folder / "long.png"
    Image.new("RGB", (30_000, 40)).save(path)
    return path


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (spoil_truncated, "damaged"),
        (spoil_tiny, "too small (1 x 1 px)"),
        (spoil_huge, "million pixels"),
        (spoil_text, "not a picture"),
        (spoil_narrow, "too long and narrow"),
    ],
)
def test_a_bad_file_is_named_and_the_rest_goes_on(folder: Path, spoil, word: str) -> None:
    bad = spoil(folder)
    content = bad.read_bytes()
    found = scan.scan([folder])
    assert len(found.pictures) == 2
    (finding,) = found.findings
    assert (finding.path, finding.usable) == (bad, False)
    assert word in finding.message
    assert finding.hint
    assert bad.name in str(finding)
    assert bad.read_bytes() == content


def test_an_empty_caption_is_a_finding_but_the_picture_is_used(folder: Path) -> None:
    (folder / "p00.txt").write_text("  \n")
    found = scan.scan([folder])
    assert len(found.pictures) == 2
    assert [f.usable for f in found.findings] == [True]


def test_size_is_as_seen_after_rotation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.new("RGB", (80, 60)).save(path, exif=exif)
    found = scan.examine(path)
    assert not isinstance(found, Finding)
    assert (found.width_px, found.height_px) == (60, 80)


def test_folders_are_read_in_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden"):
        fill(tmp_path / name, 1)
    names = [p.parent.name for p in scan.picture_files([tmp_path])]
    assert names == ["a", "b"]


def test_a_caption_in_an_unknown_encoding_is_named(folder: Path) -> None:
    (folder / "p01.txt").write_bytes("ネコ".encode("shift-jis"))
    (finding,) = scan.scan([folder]).findings
    assert finding.path.name == "p01.png"
    assert finding.usable
    assert "not UTF-8" in finding.message


def test_a_caption_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "p01.txt").unlink()
    (folder / "p01.txt").mkdir()
    found = scan.scan([folder])
    assert [p.path.name for p in found.pictures] == ["p00.png"]
    assert "p01.txt" in found.findings[0].message
    assert not found.findings[0].usable


def test_a_folder_that_is_gone_is_named(folder: Path) -> None:
    found = scan.scan([folder, folder / "on a stick"])
    assert len(found.pictures) == 2
    assert [f.path.name for f in found.findings] == ["on a stick"]


def test_a_project_among_the_pictures_does_not_learn_from_itself(folder: Path) -> None:
    project = folder / "project"
    for part in ("images", "bin", "runs/001/previews"):
        fill(project / part, 1)
    (project / "project.toml").touch()
    names = [p.relative_to(folder).as_posix() for p in scan.picture_files([folder])]
    assert names == ["p00.png", "p01.png", "project/images/p00.png"]


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".webp"])
def test_a_turned_picture_has_the_size_that_is_seen(folder: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = folder / f"turned{suffix}"
    Image.new("RGB", (80, 60)).save(path, exif=exif)
    found = scan.examine(path)
    assert isinstance(found, scan.Picture)
    assert (found.width_px, found.height_px) == (60, 80)
    assert pixels.open_rgb(path).size == (60, 80)


def test_what_is_left_out_comes_first(folder: Path) -> None:
    for number in range(5):
        draw_picture(folder / f"a{number}.png", number)
    bad = spoil_truncated(folder)
    (folder / "z.psd").write_text("layers")
    findings = scan.scan([folder]).findings
    assert [f.path.name for f in findings[:2]] == [bad.name, "z.psd"]
    assert [f.usable for f in findings[2:]].count(True) == len(findings) - 2 >= 5


def test_captions_of_another_suffix_or_case_are_read(tmp_path: Path) -> None:
    for number, name in enumerate(["a.caption", "B.TXT", "c.png.txt", "d.Caption"]):
        draw_picture(tmp_path / f"{name[0].lower()}.png", number)
        (tmp_path / name).write_text(f"words of {name}")
    found = scan.scan([tmp_path])
    assert [p.caption for p in found.pictures] == [
        "words of a.caption",
        "words of B.TXT",
        "words of c.png.txt",
        "words of d.Caption",
    ]
    assert not found.findings


def test_a_picture_with_a_caption_of_its_own_shares_none(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    (tmp_path / "p00.txt").rename(tmp_path / "p00.png.txt")
    twin = draw_picture(tmp_path / "x.png", 3).rename(tmp_path / "p00.jpg")
    twin.with_name("p00.jpg.txt").write_text("another")
    found = scan.scan([tmp_path])
    assert [p.caption for p in found.pictures] == ["another", "a ball number 0"]
    assert not found.findings


def test_pictures_of_one_caption_are_told(folder: Path) -> None:
    draw_picture(folder / "x.png", 3).rename(folder / "p01.jpg")
    (finding,) = scan.scan([folder]).findings
    assert finding.path.name == "p01.png"
    assert "p01.jpg" in finding.message


def test_the_remarks_on_a_picture_stay_when_its_caption_changes(tmp_path: Path) -> None:
    """The window asks for all findings of a picture anew when its caption was written."""
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    memory = scan.Catalogue()
    for _ in range(2):
        found = memory.examine(tmp_path / "a.png")
        assert isinstance(found, scan.Picture)
        messages = [f.message for f in scan.findings_of(found)]
        assert messages == ["It is black all over.", "It has no caption."]
