"""A catalogue saves work and changes nothing: what it says is what a scan without it says."""

import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from core.data import catalogue as cataloguing
from core.data import examine as examining
from core.data import scan
from core.data.findings import Finding
from core.training import pictures
from core.training.control import Control
from tests.conftest import draw_picture, fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "images", 3)
    return tmp_path / "images"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "pictures.sqlite"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded from now on."""
    names: list[str] = []
    real = examining.of_pixels

    def noted(path: Path, *, decode: bool) -> scan.Picture | Finding:
        names.append(path.name)
        return real(path, decode=decode)

    monkeypatch.setattr(examining, "of_pixels", noted)
    return names


def looked_at(folder: Path, file: Path) -> scan.Dataset:
    """As another start of the program would."""
    return scan.scan([folder], scan.Catalogue(file))


def test_a_file_is_decoded_once_in_several_starts(
    folder: Path, file: Path, decoded: list[str]
) -> None:
    first = looked_at(folder, file)
    assert decoded == ["p00.png", "p01.png", "p02.png"]
    assert looked_at(folder, file) == first == scan.scan([folder])
    assert len(decoded) == 6  # those of the scan without one


def test_a_run_looks_over_what_the_window_has_not(
    folder: Path, file: Path, decoded: list[str]
) -> None:
    looked_at(folder, file)
    draw_picture(folder / "new.png", 4)
    decoded.clear()
    *_, last = pictures.read([folder], scan.Catalogue(file), Control())
    assert decoded == ["new.png"]
    assert last


def test_what_was_found_is_there_before_a_look_at_the_disk(folder: Path, file: Path) -> None:
    sub = folder / "a sub-folder"
    fill(sub, 1)
    found = looked_at(folder, file)
    elsewhere = file.parents[1] / "images of another"
    fill(elsewhere, 1)
    catalogue = scan.Catalogue(file)
    catalogue.examine(elsewhere / "p00.png")
    catalogue.save()
    for path in (*folder.glob("*.*"), *sub.glob("*")):
        path.unlink()
    assert tuple(scan.Catalogue(file).below([folder])) == found.pictures


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "p00.png").write_bytes(b"spoilt"),
        lambda folder: draw_picture(folder / "p00.png", 4, (80, 64)),
        lambda folder: (folder / "p00.txt").write_text("other words"),
        lambda folder: (folder / "p00.txt").unlink(),
        lambda folder: (folder / "p00.txt").rename(folder / "p00.caption"),
        lambda folder: (folder / "p00.png").rename(folder / "x.png"),
        lambda folder: ((folder / "p00.txt").unlink(), (folder / "p00.txt").mkdir()),
    ],
)
def test_a_change_is_seen(folder: Path, file: Path, change) -> None:
    looked_at(folder, file)
    change(folder)
    assert looked_at(folder, file) == scan.scan([folder])


def test_a_caption_written_again_at_the_same_time_and_length_is_read_again(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some drives tell times by two seconds."""
    path = folder / "p00.txt"
    step, real = cataloguing.SETTLED_NS, cataloguing._stamp_of
    monkeypatch.setattr(
        cataloguing, "_stamp_of", lambda s: (*(n // step * step for n in real(s)[:2]), 9)
    )
    path.write_text("one words")
    looked_at(folder, file)
    path.write_text("new words")
    assert looked_at(folder, file).pictures[0].caption == "new words"


def test_a_caption_of_another_suffix_is_seen_where_files_do_not_tell_of_a_new_name(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where a file's second time is that of its making."""
    real = cataloguing._stamp_of
    monkeypatch.setattr(cataloguing, "_stamp_of", lambda s: (real(s)[0], 0, real(s)[2]))
    monkeypatch.setattr(cataloguing, "SETTLED_NS", 0)
    (folder / "p00.caption").write_text("b ball number 0")  # as long as the other
    for name in ("p00.txt", "p00.caption"):
        os.utime(folder / name, (1, 1))
    looked_at(folder, file)
    (folder / "p00.txt").unlink()
    assert looked_at(folder, file) == scan.scan([folder])


def test_what_is_out_of_reach_is_tried_again(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: Path, *, decode: bool) -> scan.Picture:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(examining, "of_pixels", locked)
        assert [f.message for f in looked_at(folder, file).findings] == ["It may not be read."] * 3
    assert looked_at(folder, file) == scan.scan([folder])


def test_a_drive_that_fails_is_no_damaged_picture(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, *_: object, **__: object) -> Image.Image:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(examining, "open_picture", failing)
    found = scan.examine(folder / "p00.png")
    assert isinstance(found, Finding)
    assert found.message == "It cannot be read (Input/output error)."


def test_what_is_left_out_stays_so_without_a_second_look(
    folder: Path, file: Path, decoded: list[str]
) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    first = looked_at(folder, file)
    decoded.clear()
    assert looked_at(folder, file) == first
    assert decoded == []
    assert [f.path.name for f in first.findings if not f.usable] == ["bad.png"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b"no database, but long enough to be taken for one" * 99),
        lambda file: file.write_bytes(file.read_bytes()[:3000]),
        lambda file: _change(file, "PRAGMA user_version = 999"),
        lambda file: _change(file, "UPDATE pictures SET measures = 'words', sharp = 1"),
        lambda file: _change(file, "UPDATE pictures SET measures = x'00'"),
        lambda file: _change(file, "UPDATE pictures SET said = '{'"),
        lambda file: _change(file, "DROP TABLE pictures"),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), file.mkdir()),
    ],
)
def test_a_catalogue_that_is_spoilt_is_made_anew(folder: Path, file: Path, spoil) -> None:
    expected = looked_at(folder, file)
    spoil(file)
    for _ in range(3):
        assert looked_at(folder, file) == expected


def _change(file: Path, command: str) -> None:
    db = sqlite3.connect(file)
    try:
        db.execute(command)
        db.commit()
    except sqlite3.OperationalError:
        assert "sharp" in command  # of an older table
    db.close()


def test_what_another_version_found_is_found_anew(
    folder: Path, file: Path, decoded: list[str]
) -> None:
    """It may have found other things in the same files."""
    looked_at(folder, file)
    _change(file, "PRAGMA user_version = 999")
    decoded.clear()
    looked_at(folder, file)
    assert len(decoded) == 3
    looked_at(folder, file)
    assert len(decoded) == 3


def test_a_spoilt_one_serves_again_from_the_second_scan_on(
    folder: Path, file: Path, decoded: list[str]
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database" * 500)
    for _ in range(2):
        looked_at(folder, file)
    decoded.clear()
    looked_at(folder, file)
    assert decoded == []


def test_another_program_may_be_writing(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = looked_at(folder, file)
    monkeypatch.setattr(cataloguing, "_WAIT_SECONDS", 0.05)
    draw_picture(folder / "new.png", 4)
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    assert len(looked_at(folder, file).pictures) == 4
    db.execute("ROLLBACK")
    (folder / "new.png").unlink()
    assert looked_at(folder, file) == expected
    assert file.exists()
    db.close()


def test_names_that_are_no_utf8_and_odd_dates(folder: Path, file: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
    draw_picture(folder / "x.png", 4).rename(odd)
    (folder / "ünïcode ネコ.png").write_bytes(odd.read_bytes())
    os.utime(folder / "p01.png", (2**40, 2**40))
    first = looked_at(folder, file)
    assert first == looked_at(folder, file) == scan.scan([folder])
    assert len(scan.Catalogue(file).below([folder])) == 5


def test_what_is_gone_is_forgotten(folder: Path, file: Path) -> None:
    catalogue = scan.Catalogue(file)
    paths = sorted(folder.glob("*.png"))
    for path in paths:
        catalogue.examine(path)
    catalogue.save()
    catalogue.keep_only(paths[:2])
    catalogue.save()
    found = scan.Catalogue(file).below([folder])
    assert [one.path for one in found] == paths[:2]


EDITS = st.sampled_from(
    ["draw", "spoil", "write", "unwrite", "rename caption", "remove", "move", "restart"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(EDITS, st.integers(0, 3), st.integers(0, 3)), max_size=14))
def test_it_says_what_a_scan_without_one_says(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int, int]]
) -> None:
    """Whatever is done to the files, in whatever order; every write has a length of its own."""
    folder = tmp_path_factory.mktemp("images")
    file = tmp_path_factory.mktemp("cache") / "pictures.sqlite"
    catalogue = scan.Catalogue(file)
    before, cataloguing.SETTLED_NS = cataloguing.SETTLED_NS, 0
    try:
        for number, (edit, one, other) in enumerate(edits):
            _edit(folder, edit, f"p{one}", f"p{other}", number)
            if edit == "restart":
                catalogue = scan.Catalogue(file)
            assert scan.scan([folder], catalogue) == scan.scan([folder])
    finally:
        cataloguing.SETTLED_NS = before


def _edit(folder: Path, edit: str, one: str, other: str, number: int) -> None:
    picture, text = folder / f"{one}.png", folder / f"{one}.txt"
    match edit:
        case "draw":
            draw_picture(picture, number, (64 + number, 64))
        case "spoil":
            picture.write_bytes(b"x" * (number + 1))
        case "write":
            text.write_text("w" * (number + 1))
        case "unwrite":
            text.unlink(missing_ok=True)
        case "rename caption" if text.exists():
            text.rename(folder / f"{other}.caption")
        case "remove":
            picture.unlink(missing_ok=True)
        case "move" if picture.exists():
            picture.rename(folder / f"{other}.png")
        case _:
            pass
