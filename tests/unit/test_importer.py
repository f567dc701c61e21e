"""Dropped pictures are copied whatever their names, and with captions of every suffix."""

from pathlib import Path

import pytest

from app.models.importer import copy_beside, free_name
from core.data import captions
from tests.conftest import draw_picture

LONG = "n" * 250  # with its suffix as long as file systems take


@pytest.mark.parametrize("stem", [LONG, "ネ" * 83])
def test_a_name_as_long_as_the_disk_allows_is_copied(tmp_path: Path, stem: str) -> None:
    source = draw_picture(tmp_path / f"{stem}.png", 1)
    source.with_suffix(".txt").write_text("words")
    copy = copy_beside(source, tmp_path / "images", set())
    assert copy.name == source.name
    assert copy.read_bytes() == source.read_bytes()
    assert captions.read(copy).text == "words"
    assert len(list((tmp_path / "images").iterdir())) == 2


@pytest.mark.parametrize("stem", [LONG, "ネ" * 83])
def test_a_long_name_that_is_taken_is_shortened_for_its_number(tmp_path: Path, stem: str) -> None:
    taken = {stem.lower()}
    names = [free_name(tmp_path, f"{stem}.jpeg", taken).name for _ in range(12)]
    assert len(set(names)) == 12
    for name in names:
        (tmp_path / name).write_bytes(b"")  # the disk takes it
        assert name.endswith(".jpeg")


@pytest.mark.parametrize("name", ["a.caption", "A.TXT", "a.png.txt"])
def test_a_caption_of_any_spelling_comes_with_its_picture(tmp_path: Path, name: str) -> None:
    source = draw_picture(tmp_path / "a.png", 1)
    (tmp_path / name).write_bytes(b"caf\xe9\r\n")
    copy = copy_beside(source, tmp_path / "images", set())
    assert captions.caption_file(copy).read_bytes() == b"caf\xe9\r\n"
