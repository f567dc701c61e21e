"""What is said of pictures and folders, in a project's file."""

from pathlib import Path

import pytest

from core.config.options import DatasetConfig
from core.data import marks
from core.data.examine import Picture
from core.data.marks import TOO_MANY, Mark, Marks
from core.errors import DatasetError


def test_marks_outlast_the_move_of_a_project(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "p", tmp_path / "elsewhere" / "b.png"
    root.mkdir()
    said = Marks(
        {root / "images" / "ä.png": Mark(4, unused=True), elsewhere: Mark(held_out=True)},
        {root / "images" / "5_x": 3},
    )
    marks.write(root / "marks.json", said, root)
    assert marks.read(root / "marks.json", root) == said
    moved = root.rename(tmp_path / "q")
    found = marks.read(moved / "marks.json", moved)
    assert found.of(moved / "images" / "ä.png") == Mark(4, unused=True)
    assert found.of(elsewhere) == Mark(held_out=True)
    assert found.folders == {moved / "images" / "5_x": 3}
    assert marks.read(tmp_path / "none.json", root) == Marks()


@pytest.mark.parametrize(
    "content",
    [
        *(b"{", b"[1]", b'{"pictures": 3}', b'{"pictures": {"a": 3}}', b"\xff"),
        *(b'{"pictures": {"a": {"rating": 6}}}', b'{"pictures": {"a": {"rating": true}}}'),
        *(b'{"pictures": {"a": {"unused": 1}}}', b'{"pictures": {"a": {"other": 1}}}'),
        *(b'{"folders": {"a": 0}}', b'{"folders": {"a": 1.5}}', b'{"folders": ["a"]}'),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "marks.json"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=r"marks\.json") as caught:
        marks.read(file, tmp_path)
    assert "remove it" in str(caught.value)
    assert file.read_bytes() == content


def test_what_says_nothing_is_not_kept() -> None:
    a, b, folder = Path("a.png"), Path("b.png"), Path("5_x")
    said = Marks({a: Mark(1), b: Mark(2)}, {folder: 2})
    assert said.changed({a: Mark()}) == Marks({b: Mark(2)}, {folder: 2})
    assert said.changed({}, {folder: 0}) == Marks({a: Mark(1), b: Mark(2)})


def test_repeats_that_are_set_outweigh_a_name() -> None:
    named, other = Path("5_x"), Path("y")
    by_name = DatasetConfig(folder_repeats=True)
    said = Marks(folders={named: 1, other: 7})
    assert [Marks().repeats(f, by_name) for f in (named, other)] == [5, 1]
    assert [said.repeats(f, by_name) for f in (named, other)] == [1, 7]
    assert [said.repeats(f, DatasetConfig()) for f in (named, other)] == [1, 7]


def test_more_held_out_than_learnt_is_said_of_those() -> None:
    pictures = [Picture(Path(f"{n}.png"), 64, 64, "") for n in range(5)]
    two = Marks({Path(f"{n}.png"): Mark(held_out=True) for n in range(2)})
    assert marks.findings(pictures, two) == []
    two_of_three = two.changed({Path(f"{n}.png"): Mark(unused=True) for n in (3, 4)})
    found = marks.findings(pictures, two_of_three)
    assert [f.path.name for f in found] == ["0.png", "1.png"]
    assert {f.summary for f in found} == {TOO_MANY}
    assert "2 pictures are held out, and 1 are learnt from" in found[0].message
