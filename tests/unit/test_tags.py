"""Tags one by one: what is not edited keeps every byte."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import captions
from core.data.tags import in_pieces, misspelt, tags_of

text = st.text(alphabet="ab ,\n\t\u00a0\u3000é,,", max_size=30)
anything = st.text(max_size=60)


@given(st.one_of(text, anything))
def test_pieces_put_together_are_the_caption(caption: str) -> None:
    line = in_pieces(caption)
    assert line.text == caption
    assert len(line.frame) == len(line.tags) + 1
    lines = [tags_of(one) for one in caption.split("\n")]
    assert list(line.tags) == next((one for one in lines if one), [])
    assert all(not between.replace(",", "").strip() for between in line.frame)


@given(text.filter(tags_of), st.data())
def test_a_tag_that_is_moved_moves_alone(caption: str, data: st.DataObject) -> None:
    line = in_pieces(caption)
    rows = st.integers(0, len(line.tags) - 1)
    row, to = data.draw(rows), data.draw(rows)
    moved = line.moved(row, to)
    others = [tag for n, tag in enumerate(line.tags) if n != row]
    assert [tag for n, tag in enumerate(moved.tags) if n != to] == others
    assert moved.tags[to] == line.tags[row]
    assert (moved.before, moved.frame, moved.after) == (line.before, line.frame, line.after)
    assert in_pieces(moved.text) == moved
    assert moved.moved(to, row).text == caption


@given(text.filter(tags_of), st.data(), st.sampled_from(["c", "c d", " c ", "é"]))
def test_a_tag_that_is_edited_is_edited_alone(caption: str, data: st.DataObject, new: str) -> None:
    line = in_pieces(caption)
    row = data.draw(st.integers(0, len(line.tags) - 1))
    edited = line.put(row, new)
    assert edited.frame == line.frame
    assert edited.tags == (*line.tags[:row], new.strip(), *line.tags[row + 1 :])
    assert edited.put(row, line.tags[row]).text.split() == caption.split()
    assert line.put(row, line.tags[row]) is line


@given(text.filter(tags_of), st.data())
def test_a_tag_that_is_taken_out_leaves_the_others(caption: str, data: st.DataObject) -> None:
    line = in_pieces(caption)
    row = data.draw(st.integers(0, len(line.tags) - 1))
    left = line.without(row)
    assert left.tags == (*line.tags[:row], *line.tags[row + 1 :])
    assert left.text.startswith(line.before)
    assert left.text.endswith(line.after)
    assert in_pieces(left.text).tags == left.tags or not left.tags
    kept = list(line.frame)
    assert not left.tags or left.frame in [
        (*kept[:gone], *kept[gone + 1 :]) for gone in (row, row + 1)
    ]


@given(text, st.lists(st.sampled_from(["c", "d", "E f"]), max_size=3))
def test_what_is_added_stands_at_the_end_and_all_else_as_before(
    caption: str, new: list[str]
) -> None:
    line = in_pieces(caption)
    added = line.added(", ".join(new))
    assert added.tags == (*line.tags, *dict.fromkeys(new))
    assert added.text.startswith(line.before)
    assert added.text.endswith(line.after)
    if line.tags:
        shown = caption[: len(caption) - len(line.after)] if line.after else caption
        kept = shown if "," in line.frame[-1] else shown[: len(shown) - len(line.frame[-1])]
        assert added.text.startswith(kept)
    assert added.added("C, D, e F").tags[: len(added.tags)] == added.tags


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("fox, red", lambda line: line.added("sea"), "fox, red, sea"),
        ("fox,red", lambda line: line.added("sea"), "fox,red,sea"),
        ("fox, red,", lambda line: line.added("sea"), "fox, red, sea"),
        ("fox, red, ", lambda line: line.added("sea"), "fox, red, sea"),
        ("", lambda line: line.added(" sea ,, sky\nsea"), "sea, sky"),
        ("fox, red\nmore", lambda line: line.added("sea"), "fox, red, sea\nmore"),
        ("\n\nfox\n", lambda line: line.added("sea"), "\n\nfox, sea\n"),
        ("fox, red", lambda line: line.added("Fox, RED"), "fox, red"),
        ("fox, red, sea", lambda line: line.without(0), "red, sea"),
        ("fox, red, sea", lambda line: line.without(1), "fox, sea"),
        ("fox, red, sea", lambda line: line.without(2), "fox, red"),
        ("fox,red, sea", lambda line: line.without(1), "fox,sea"),
        (" fox ,", lambda line: line.without(0), ""),
        ("fox\nmore, words", lambda line: line.without(0), "\nmore, words"),
        ("fox, red", lambda line: line.put(0, "a, b"), "a, b, red"),
        ("fox, red", lambda line: line.put(1, ""), "fox"),
        ("fox ,  red,sea", lambda line: line.moved(0, 2), "red ,  sea,fox"),
    ],
)
def test_an_edit(before: str, edit, after: str) -> None:
    assert edit(in_pieces(before)).text == after


@given(
    st.lists(st.sampled_from(["fox", "Füchse", "two words"]), min_size=1, max_size=4),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from(["\r\n", "\n"]),
    st.integers(0, 3),
)
def test_a_file_keeps_its_spelling(own: list[str], encoding: str, newline: str, at: int) -> None:
    """Encoding, mark, line ends, further lines: an edit and its undo give back every byte."""
    with tempfile.TemporaryDirectory() as folder:
        keeps_its_spelling(Path(folder) / "a.png", own, encoding, newline, at)


def keeps_its_spelling(picture: Path, own: list[str], encoding: str, newline: str, at: int) -> None:
    content = f"{' ,'.join(own)}{newline}größer, line{newline}".encode(encoding)
    picture.with_suffix(".txt").write_bytes(content)
    old = captions.read(picture).text
    line = in_pieces(old)
    captions.write(picture, line.without(at % len(line.tags)).added("new").text)
    made = picture.with_suffix(".txt").read_bytes()
    assert f"{newline}größer, line{newline}" in made.decode(encoding)
    assert made.startswith(content[:2]) or encoding in ("utf-8", "cp1252")
    captions.write(picture, old)
    assert picture.with_suffix(".txt").read_bytes() == content


@pytest.mark.parametrize(
    ("rare", "common", "found"),
    [
        ("crimsom", "crimson", True),
        ("crimso", "crimson", True),
        ("crimsson", "crimson", True),
        ("crismon", "crimson", True),
        ("rcimson", "crimson", True),
        ("Crimson", "crimson", True),
        ("crimson sky", "crimson", False),
        ("crisnom", "crimson", False),
        ("1girl", "2girl", False),
        ("1girls", "1girl", True),
        ("red", "rod", False),  # short words are often a letter apart
    ],
)
def test_what_looks_misspelt(rare: str, common: str, found: bool) -> None:
    made = dict(pair for pair in misspelt({rare: 2, common: 20, "else": 3}) if pair)
    assert made == ({rare: common} if found else {})
    assert not any(misspelt({rare: 3, common: 20}))  # too frequent for a slip


words = st.text(alphabet="abc", min_size=5, max_size=8)


@given(st.lists(words, min_size=1, max_size=6, unique=True), words)
def test_near_words_are_found_as_a_search_through_all_finds_them(
    common: list[str], rare: str
) -> None:
    if rare in common:
        return
    counts = dict.fromkeys(common, 50) | {rare: 1}
    made = dict(pair for pair in misspelt(counts) if pair)
    near = [word for word in common if _distance(rare, word) == 1]
    assert (rare in made) == bool(near)
    assert made.get(rare) in (near or [None])


def _distance(one: str, other: str) -> int:
    """By the textbook: letters put in, left out, exchanged, neighbours swapped."""
    rows = {(-1, -1): 0}
    for i in range(-1, len(one)):
        for j in range(-1, len(other)):
            if (i, j) == (-1, -1):
                continue
            ways = []
            if i >= 0:
                ways.append(rows[i - 1, j] + 1)
            if j >= 0:
                ways.append(rows[i, j - 1] + 1)
            if i >= 0 and j >= 0:
                ways.append(rows[i - 1, j - 1] + (one[i] != other[j]))
            if i > 0 and j > 0 and one[i] == other[j - 1] and one[i - 1] == other[j]:
                ways.append(rows[i - 2, j - 2] + 1)
            rows[i, j] = min(ways)
    return rows[len(one) - 1, len(other) - 1]
