"""Captions keep every byte that a person did not edit."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import captions

SPELLINGS = [
    b"plain",
    b"plain\n",
    "caf\u00e9, \u732b".encode(),
    b"\xef\xbb\xbfwith a mark\r\n",
    "utf-16 \u732b".encode("utf-16"),
    b"caf\xe9 in cp1252\r\nsecond line\r\n\r\n",
    b"\x81 a hole in cp1252",
    b"",
]


@pytest.mark.parametrize("content", SPELLINGS)
def test_unedited_bytes_survive(content: bytes) -> None:
    assert captions.encode(captions.decode(content)) == content


@given(st.binary().filter(lambda b: b.count(b"\n") == b.count(b"\r\n") or b"\r\n" not in b))
def test_any_bytes_survive(content: bytes) -> None:
    caption = captions.decode(content)
    if "\n" not in caption.text or caption.encoding == "utf-8":
        assert captions.encode(caption) == content


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"caf\xe9\r\n", "caf\u00e9"), ("\ufeff\u732b".encode("utf-16-le"), "\u732b")],
)
def test_text_is_read_in_its_encoding(content: bytes, text: str) -> None:
    assert captions.decode(content).text == text


def test_an_edit_keeps_encoding_mark_and_line_ends(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    sidecar = picture.with_suffix(".txt")
    sidecar.write_bytes(b"caf\xe9\r\nnoir\r\n")
    captions.write(picture, "caf\u00e9\nblanc")
    assert sidecar.read_bytes() == b"caf\xe9\r\nblanc\r\n"


def test_a_character_that_the_encoding_lacks_makes_it_utf8(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.with_suffix(".txt").write_bytes(b"caf\xe9")
    captions.write(picture, "caf\u00e9 \u732b")
    assert picture.with_suffix(".txt").read_bytes() == "caf\u00e9 \u732b".encode()


def test_the_same_text_is_not_written_again(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    sidecar = picture.with_suffix(".txt")
    sidecar.write_bytes(b"same\r\n")
    before = sidecar.stat().st_ino
    captions.write(picture, "same")
    assert sidecar.stat().st_ino == before


@pytest.mark.parametrize(
    ("text", "trigger", "expected"),
    [
        ("a cat", "inkstyle", "inkstyle, a cat"),
        ("a cat, Inkstyle", "inkstyle", "a cat, Inkstyle"),
        ("", "inkstyle", "inkstyle"),
        ("two\nlines ", "", "two lines"),
    ],
)
def test_the_trigger_comes_first_and_once(text: str, trigger: str, expected: str) -> None:
    assert captions.for_training(text, trigger) == expected


@pytest.mark.parametrize(
    ("text", "trigger", "wanted"),
    [
        ("a pink flower", "ink", "ink, a pink flower"),
        ("a flower, INK", "ink", "a flower, INK"),
        ("c++ style cat", "c++ style", "c++ style cat"),
        ("", "ink", "ink"),
    ],
)
def test_the_trigger_is_a_word_of_its_own(text: str, trigger: str, wanted: str) -> None:
    assert captions.for_training(text, trigger) == wanted


def test_a_linked_caption_stays_a_link(tmp_path: Path) -> None:
    shared = tmp_path / "shared.txt"
    shared.write_text("old")
    picture = tmp_path / "a.png"
    picture.with_suffix(".txt").symlink_to(shared)
    captions.write(picture, "new")
    assert picture.with_suffix(".txt").is_symlink()
    assert shared.read_text() == "new"


def test_a_name_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    picture = tmp_path / ("ネ" * 83 + ".png")
    captions.write(picture, "new")
    assert captions.read(picture).text == "new"
