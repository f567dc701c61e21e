"""Every file of a dataset's folders is a picture, its caption, or in a finding."""

import os
from pathlib import Path

import pytest

from core.data import walk as walking
from core.data.findings import Finding
from core.data.walk import walk
from tests.conftest import draw_picture, fill


def put(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def names(tmp_path: Path) -> list[str]:
    return [p.relative_to(tmp_path).as_posix() for p in walk([tmp_path]).pictures]


def only(tmp_path: Path) -> Finding:
    (finding,) = walk([tmp_path]).findings
    assert finding.hint
    return finding


def test_nothing_is_to_be_said_of_pictures_with_captions(tmp_path: Path) -> None:
    fill(tmp_path / "a", 2)
    fill(tmp_path / "b" / "deep", 1)
    assert names(tmp_path) == ["a/p00.png", "a/p01.png", "b/deep/p00.png"]
    assert not walk([tmp_path]).findings


def test_every_file_is_accounted_for(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    for name in (
        "a.jxl",
        "b.psd",
        "c.mp4",
        "notes.md",
        "no-suffix",
        "alone.txt",
        "p00-masklabel.png",
    ):
        put(tmp_path / "more" / name)
    os.link(tmp_path / "p00.png", tmp_path / "twin.png")
    found = walk([tmp_path])
    told = {*found.pictures, *(f.path for f in found.findings)}
    captions = {p.with_suffix(".txt") for p in found.pictures}
    files = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert files == told | captions
    assert len(found.pictures) + len(found.findings) == len(told)  # each once


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "A.JPG", "a.webp", "a.heif"])
def test_a_picture_by_its_suffix(tmp_path: Path, name: str) -> None:
    put(tmp_path / name)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a.jxl", "a.PSD", "a.jp2", "a.cr2", "a.dng", "a.mp4"])
def test_a_kind_that_is_not_read_is_left_out_with_a_word(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name)
    finding = only(tmp_path)
    assert (finding.path, finding.usable) == (path, False)
    assert path.suffix.lower() in finding.message
    assert names(tmp_path) == []


def test_another_file_is_passed_over_with_a_word(tmp_path: Path) -> None:
    put(tmp_path / "notes.md")
    assert only(tmp_path).usable


def test_a_linked_folder_is_followed_once(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", 1)
    fill(tmp_path / "set", 1)
    for link in ("first", "second"):
        (tmp_path / "set" / link).symlink_to(tmp_path / "elsewhere")
    found = walk([tmp_path / "set"])
    assert [p.relative_to(tmp_path / "set").as_posix() for p in found.pictures] == [
        "p00.png",
        "first/p00.png",
    ]
    assert [f.path.name for f in found.findings] == ["second"]


def test_a_link_does_not_take_a_folders_own_name(tmp_path: Path) -> None:
    fill(tmp_path / "z", 1)
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert names(tmp_path) == ["z/p00.png"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "b", 1)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    assert names(tmp_path) == ["a/b/p00.png"]


def test_folders_named_twice_count_once(tmp_path: Path) -> None:
    fill(tmp_path / "set" / "sub", 2)
    fill(tmp_path / "set", 1)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "set" / "sub")
    found = walk([tmp_path / "set", tmp_path / "set" / "sub", link])
    assert len(found.pictures) == 3
    assert [f.path for f in found.findings] == [tmp_path / "set" / "sub", link]
    assert len(walk([tmp_path / "set" / "sub", tmp_path / "set"]).pictures) == 3


@pytest.mark.parametrize("make", [os.link, os.symlink])
def test_a_picture_named_twice_counts_once(tmp_path: Path, make) -> None:
    first = draw_picture(tmp_path / "a.png", 1)
    make(first, tmp_path / "b.png")
    assert names(tmp_path) == ["a.png"]
    finding = only(tmp_path)
    assert (finding.path.name, finding.usable) == ("b.png", False)
    assert "a.png" in finding.message


def test_copies_are_no_twins(tmp_path: Path) -> None:
    content = draw_picture(tmp_path / "a.png", 1).read_bytes()
    (tmp_path / "b.png").write_bytes(content)
    assert names(tmp_path) == ["a.png", "b.png"]


def test_files_that_a_drive_gives_one_number_are_no_twins(tmp_path: Path, monkeypatch) -> None:
    class Entry:
        def __init__(self, entry: os.DirEntry) -> None:
            self.name, self.is_dir, self.is_file = entry.name, entry.is_dir, entry.is_file
            self.is_symlink, self.stat = entry.is_symlink, entry.stat

        def inode(self) -> int:
            return 7

    class Listed(list):
        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *_: None  # noqa: E731

    fill(tmp_path, 3)
    real = os.scandir
    monkeypatch.setattr(walking.os, "scandir", lambda f: Listed(Entry(e) for e in real(f)))
    assert len(walk([tmp_path]).pictures) == 3


def test_a_picture_and_its_mask_are_one(tmp_path: Path) -> None:
    for name in ("a.png", "b.webp", "b-masklabel.png", "c.png", "deep/c-masklabel.png"):
        put(tmp_path / name)
    found = walk([tmp_path])
    assert dict(zip(names(tmp_path), found.masked, strict=True)) == {
        "a.png": False,
        "b.webp": True,
        "c.png": False,
    }
    assert [f.path.name for f in found.findings] == ["c-masklabel.png"]  # of no picture there


@pytest.mark.parametrize("name", ["b-masklabel.png", "char-condlabel.png", "Char-MaskLabel.PNG"])
def test_masks_of_others_are_left_out_with_a_word(tmp_path: Path, name: str) -> None:
    put(tmp_path / "char.png")
    put(tmp_path / name)
    assert names(tmp_path) == ["char.png"]
    assert not only(tmp_path).usable
    assert "mask" in only(tmp_path).message


@pytest.mark.parametrize(
    "junk",
    [
        "@eaDir/a.png/SYNOFILE_THUMB_M.jpg",
        "__MACOSX/a.png",
        "$RECYCLE.BIN/a.png",
        "lost+found/a.png",
        ".hidden/a.png",
        "._a.png",
        "Thumbs.db",
        "desktop.ini",
    ],
)
def test_what_systems_leave_is_not_learnt(tmp_path: Path, junk: str) -> None:
    put(tmp_path / junk)
    assert names(tmp_path) == []
    assert not walk([tmp_path]).findings


def test_folders_of_repeats_get_a_note(tmp_path: Path) -> None:
    fill(tmp_path / "10_ink style", 1)
    fill(tmp_path / "1_other", 1)
    fill(tmp_path / "2024", 1)
    fill(tmp_path / "3_empty" / "deeper", 1)
    finding = only(tmp_path)
    assert (finding.path.name, finding.usable) == ("10_ink style", True)
    assert "10 repeats" in finding.message


@pytest.mark.parametrize("name", ["1_reg", "reg", "reg_images/1_dog", "regularization", "My-Regs"])
def test_folders_of_regularisation_get_a_note(tmp_path: Path, name: str) -> None:
    fill(tmp_path / name, 1)
    assert "regularisation" in only(tmp_path).message


@pytest.mark.parametrize("name", ["regular", "regina", "1_register", "agreg", "congreg_1"])
def test_other_folders_get_none(tmp_path: Path, name: str) -> None:
    fill(tmp_path / name, 1)
    assert not walk([tmp_path]).findings


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    finding = walk([tmp_path / "on a stick"]).findings[0]
    assert "not there" in finding.message
    assert not finding.usable


def test_a_folder_that_may_not_be_read_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so that the refusal is played."""
    fill(tmp_path / "closed", 1)
    fill(tmp_path / "open", 1)
    real = os.scandir

    def refusing(folder: Path):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(walking.os, "scandir", refusing)
    assert names(tmp_path) == ["open/p00.png"]
    finding = only(tmp_path)
    assert (finding.path.name, finding.usable) == ("closed", False)
    assert "Permission denied" in finding.message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert names(tmp_path) == []
    assert not only(tmp_path).usable


def test_a_broken_link_is_told_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "a.caption", "a.CAPTION", "a.png.txt"])
def test_a_caption_of_any_spelling_is_no_other_file(tmp_path: Path, name: str) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / name)
    assert not walk([tmp_path]).findings


def test_a_second_caption_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    put(tmp_path / "a.txt")
    put(tmp_path / "a.caption")
    finding = only(tmp_path)
    assert finding.path.name == "a.caption"
    assert "a.txt" in finding.message


def test_a_caption_without_a_picture_is_told(tmp_path: Path) -> None:
    put(tmp_path / "b.txt")
    assert "no picture" in only(tmp_path).message
