"""Captions keep every byte that a person did not edit."""

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import captions, exchange
from core.errors import StorageError

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


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", "shift-jis"]),
)
def test_lines_of_any_encoding_survive(lines: list[str], newline: str, encoding: str) -> None:
    content = newline.join(lines).encode(encoding, errors="ignore")
    assert captions.encode(captions.decode(content)) == content


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


def test_line_ends_that_an_editor_leaves_at_the_end_do_not_add_up(tmp_path: Path) -> None:
    """Nor are they taken for another program's text."""
    picture = tmp_path / "a.png"
    picture.with_suffix(".txt").write_bytes(b"old\n")
    before = "old"
    for text in ("new\n", "newer\n\n", "newer\n", "newest\n"):
        assert captions.write(picture, text, based_on=before) is None
        before = text
    assert picture.with_suffix(".txt").read_bytes() == b"newest\n"
    captions.write(tmp_path / "b.png", "\n")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


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


@pytest.mark.parametrize("name", ["a.caption", "A.TXT", "a.png.txt", "a.png.caption"])
def test_an_edit_goes_to_the_file_that_was_read(tmp_path: Path, name: str) -> None:
    """The program that wrote it goes on reading it."""
    picture = tmp_path / "a.png"
    (tmp_path / name).write_bytes(b"caf\xe9\r\n")
    assert captions.read(picture).text == "caf\u00e9"
    captions.write(picture, "th\u00e9")
    assert (tmp_path / name).read_bytes() == b"th\xe9\r\n"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_txt_goes_before_the_others(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    (tmp_path / "a.caption").write_text("from kohya")
    assert captions.read(picture).text == "from kohya"
    (tmp_path / "a.txt").write_text("ours")
    assert captions.read(picture).text == "ours"
    (tmp_path / "a.txt").unlink()
    assert captions.read(picture).text == "from kohya"


def test_a_new_caption_is_a_txt(tmp_path: Path) -> None:
    captions.write(tmp_path / "a.png", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_is_not_listed_for_each_of_its_pictures(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "0.caption").write_text("words")
    os.utime(tmp_path, (1, 1))  # as it is where nothing has changed for a while
    listed = []
    real = os.listdir
    monkeypatch.setattr(captions.os, "listdir", lambda f: listed.append(f) or real(f))
    for number in range(50):
        captions.read(tmp_path / f"{number}.png")
    assert len(listed) == 1
    (tmp_path / "7.caption").write_text("more words")  # changes the folder
    assert captions.read(tmp_path / "7.png").text == "more words"


@pytest.mark.parametrize("text", [", , ,", "...", "\u200b", "\ufeff\ufeff", " - "])
def test_marks_alone_are_not_learnt(text: str) -> None:
    assert captions.for_training(text, "") == ""
    assert captions.for_training(text, "ink") == "ink"


def test_marks_of_no_width_are_not_learnt() -> None:
    text = "\ufeffa\u200b cat\u2060, \u00adasleep"
    assert captions.for_training(text, "") == "a cat, asleep"
    family = "\U0001f469\u200d\U0001f467"  # one pictograph of two, joined
    assert captions.for_training(f"a {family}", "") == f"a {family}"


@pytest.fixture(params=["exchanging names", "renaming alone"])
def sidecar(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Path:
    """A caption, on a system that can exchange two files' names and on one that cannot."""
    if request.param == "renaming alone":
        monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    elif exchange._renameat2() is None:
        pytest.skip("this system cannot")
    (tmp_path / "set").mkdir()
    path = tmp_path / "set" / "a.txt"
    path.write_text("base")
    return path


def at_the_last_moment(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Play another program that writes once our new file is written and not yet in its place."""
    real = exchange.write_beside

    def written(path: Path, content: bytes) -> None:
        real(path, content)
        do()

    monkeypatch.setattr(exchange, "write_beside", written)


def by_renaming(path: Path, text: str) -> None:
    beside = path.with_suffix(".other")
    beside.write_text(text)
    beside.replace(path)


@pytest.mark.parametrize("write", [Path.write_text, by_renaming])
def test_what_another_program_writes_at_the_last_moment_is_kept(
    sidecar: Path, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_last_moment(monkeypatch, lambda: write(sidecar, "from a tagger"))
    bin_folder = sidecar.parents[1] / "bin"
    kept = captions.write(
        sidecar.with_suffix(".png"), "ours", based_on="base", bin_folder=bin_folder
    )
    assert sidecar.read_text() == "ours"
    assert kept is not None
    assert kept.parent == bin_folder
    assert kept.read_text() == "from a tagger"
    assert [p.name for p in sidecar.parent.iterdir()] == ["a.txt"]


def test_a_program_that_is_writing_goes_on_in_the_kept_file(
    sidecar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has opened the file, which empties it, and has yet to write."""
    opened = []
    at_the_last_moment(monkeypatch, lambda: opened.append(sidecar.open("w")))
    kept = captions.write(sidecar.with_suffix(".png"), "ours", based_on="base")
    opened[0].write("from a tagger")
    opened[0].close()
    assert kept is not None
    assert kept.read_text() == "from a tagger"
    assert sidecar.read_text() == "ours"


def test_an_empty_caption_that_is_being_written_is_kept_too(
    sidecar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sidecar.write_text("")
    os.utime(sidecar, (1, 1))
    opened = []
    at_the_last_moment(monkeypatch, lambda: opened.append(sidecar.open("w")))
    kept = captions.write(sidecar.with_suffix(".png"), "ours", based_on="")
    opened[0].write("from a tagger")
    opened[0].close()
    assert kept is not None
    assert kept.read_text() == "from a tagger"


def test_a_caption_that_comes_at_the_last_moment_is_kept(
    sidecar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sidecar.unlink()
    at_the_last_moment(monkeypatch, lambda: sidecar.write_text("from a tagger"))
    kept = captions.write(sidecar.with_suffix(".png"), "ours", based_on="")
    assert kept is not None
    assert kept.read_text() == "from a tagger"
    assert sidecar.read_text() == "ours"


def test_what_was_there_before_the_edit_began_is_kept_if_another_text(sidecar: Path) -> None:
    kept = captions.write(sidecar.with_suffix(".png"), "ours", based_on="older")
    assert kept is not None
    assert kept.read_text() == "base"


@pytest.mark.parametrize("based_on", ["base", None])
def test_nothing_is_kept_where_nobody_else_wrote(sidecar: Path, based_on: str | None) -> None:
    sidecar.chmod(0o640)
    assert captions.write(sidecar.with_suffix(".png"), "ours", based_on=based_on) is None
    assert [p.name for p in sidecar.parent.iterdir()] == ["a.txt"]
    assert sidecar.stat().st_mode & 0o777 == 0o640


def test_the_same_words_from_another_program_are_no_loss(
    sidecar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_last_moment(monkeypatch, lambda: by_renaming(sidecar, "ours"))
    assert captions.write(sidecar.with_suffix(".png"), "ours", based_on="base") is None


def test_kept_files_do_not_take_each_others_names(sidecar: Path) -> None:
    bin_folder = sidecar.parents[1] / "bin"
    bin_folder.mkdir()
    (bin_folder / "A.png").write_text("a removed picture, whose caption this is not")
    for number in (2, 3):
        sidecar.write_text("base")
        kept = captions.write(
            sidecar.with_suffix(".png"), f"ours {number}", based_on="older", bin_folder=bin_folder
        )
        assert kept == bin_folder / f"a-{number}.txt"


def test_where_nothing_can_be_kept_nothing_is_written(sidecar: Path) -> None:
    bin_folder = sidecar.parents[1] / "bin"
    bin_folder.write_text("no folder")
    with pytest.raises(StorageError, match="bin"):
        captions.write(sidecar.with_suffix(".png"), "ours", based_on="older", bin_folder=bin_folder)
    assert sidecar.read_text() == "base"
    assert [p.name for p in sidecar.parent.iterdir()] == ["a.txt"]


def test_a_linked_caption_that_is_put_back_stays_a_link(sidecar: Path) -> None:
    shared = sidecar.rename(sidecar.parents[1] / "shared.txt")
    sidecar.symlink_to(shared)
    bin_folder = sidecar.parents[1] / "bin"
    bin_folder.write_text("no folder")
    with pytest.raises(StorageError, match="bin"):
        captions.write(sidecar.with_suffix(".png"), "ours", based_on="older", bin_folder=bin_folder)
    assert sidecar.is_symlink()
    assert shared.read_text() == "base"


def test_a_full_disk_leaves_the_old_caption(sidecar: Path, monkeypatch) -> None:
    def full(path: Path, _content: bytes) -> None:
        raise StorageError(f"Could not write {path}: No space left on device.")

    monkeypatch.setattr(exchange, "write_beside", full)
    with pytest.raises(StorageError):
        captions.write(sidecar.with_suffix(".png"), "ours")
    assert sidecar.read_text() == "base"


def test_a_disk_without_second_names_keeps_the_other_text_too(
    sidecar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FAT and some network drives."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(exchange.os, "link", refused)
    at_the_last_moment(monkeypatch, lambda: by_renaming(sidecar, "from a tagger"))
    kept = captions.write(sidecar.with_suffix(".png"), "ours", based_on="base")
    assert kept is not None
    assert kept.read_text() == "from a tagger"


def test_an_empty_caption_on_such_a_disk_is_no_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taggers leave empty files; to read a copy of one for another's text would be told each time."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    monkeypatch.setattr(exchange.os, "link", refused)
    (tmp_path / "a.txt").touch()
    os.utime(tmp_path / "a.txt", (1, 1))
    assert captions.write(tmp_path / "a.png", "ours", based_on="") is None
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_disk_that_cannot_exchange_names_is_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The C library can, the disk answers that it cannot."""

    def refusing(*_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    monkeypatch.setattr(exchange, "_renameat2", lambda: refusing)
    (tmp_path / "a.txt").write_text("base")
    captions.write(tmp_path / "a.png", "ours")
    assert (tmp_path / "a.txt").read_text() == "ours"


@pytest.mark.parametrize("names", [["a.txt", "A.TXT"], ["A.TXT", "a.txt"]])
def test_of_two_that_differ_in_case_the_pictures_own_is_read(tmp_path: Path, names) -> None:
    """A walk, which knows names, and a reader, which asks the disk, agree."""
    for name in names:
        (tmp_path / name).write_text(name)
    assert captions.choice("a.png", captions.by_name(names)) == "a.txt"
    assert captions.read(tmp_path / "a.png").text == "a.txt"
