"""Pictures out of a .zip, which may be broken or meant ill."""

import io
import shutil
import stat
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.models.background import Work
from app.models.importer import copy_all
from core.data import archive
from core.errors import UserError
from tests.conftest import draw_picture


def never() -> bool:
    return False


def inside(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A picture with its caption, some in a folder, and what is no one's picture."""
    file = tmp_path / "style.zip"
    picture = draw_picture(tmp_path / "a.png", 1).read_bytes()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name in ("a.png", "10_cats/b.PNG", "10_cats/ネコ.png", "__MACOSX/._a.png", ".c.png"):
            made.writestr(name, picture)
        made.writestr("a.txt", b"caf\xe9\r\n")
        made.writestr("10_cats/b.caption", "a cat")
        made.writestr("setup.exe", b"MZ")
    return file


def test_pictures_and_captions_come_out_as_they_were(packed: Path, tmp_path: Path) -> None:
    before = packed.read_bytes()
    archive.unpack(packed, tmp_path / "out", never)
    assert inside(tmp_path / "out") == [
        "10_cats/b.PNG",
        "10_cats/b.caption",
        "10_cats/ネコ.png",
        "a.png",
        "a.txt",
    ]
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"caf\xe9\r\n"
    assert packed.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:\\evil.png", "..\\evil.png"]
)
def test_nothing_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    file = tmp_path / "in" / "evil.zip"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(name, b"x")
    out = tmp_path / "in" / "deep" / "out"
    archive.unpack(file, out, never)
    assert [p for p in tmp_path.rglob("*evil*") if p != file and out not in p.parents] == []
    assert len(inside(out)) <= 1  # names that begin with a dot are hidden, and passed over


def test_links_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "links.zip"
    with zipfile.ZipFile(file, "w") as made:
        link = zipfile.ZipInfo("secret.txt")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
        made.writestr("a.png", b"x")
    archive.unpack(file, tmp_path / "out", never)
    assert inside(tmp_path / "out") == ["a.png"]


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "bomb.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.bmp", bytes(archive.SMALL_BYTES + 1))
    assert file.stat().st_size < 200_000
    with pytest.raises(UserError, match=r"bomb\.zip would become 0\.1 GB in 1 files"):
        archive.unpack(file, tmp_path / "out", never)
    assert not (tmp_path / "out").exists()


def test_a_file_that_lies_of_its_size_is_no_bomb(tmp_path: Path) -> None:
    file = tmp_path / "liar.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.bmp", bytes(archive.SMALL_BYTES + 1))
    content = file.read_bytes()
    size = (archive.SMALL_BYTES + 1).to_bytes(4, "little")
    file.write_bytes(content.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(UserError, match=r"liar\.zip cannot be unpacked"):
        archive.unpack(file, tmp_path / "out", never)
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) <= 1000


def test_a_full_disk_is_told_before(packed: Path, tmp_path: Path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=archive.SPARE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="the disk has"):
        archive.unpack(packed, tmp_path / "out", never)
    assert not (tmp_path / "out").exists()


def test_a_password_is_asked_for_elsewhere(packed: Path, tmp_path: Path) -> None:
    content = bytearray(packed.read_bytes())
    at = content.find(b"PK\1\2")
    while at >= 0:
        content[at + 8] |= 1  # the bit that says encrypted
        at = content.find(b"PK\1\2", at + 1)
    packed.write_bytes(content)
    with pytest.raises(UserError, match="wants a password"):
        archive.unpack(packed, tmp_path / "out", never)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_altered_archives_end_in_words(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.png", b"some picture" * 20)
        made.writestr("b.txt", b"words")
    content = bytearray(buffer.getvalue())
    at %= len(content)
    if cut:
        del content[at:]
    else:
        content[at] = value
    file = folder / "x.zip"
    file.write_bytes(content)
    told = ""
    try:
        archive.unpack(file, folder / "out", never)
    except UserError as error:
        told = str(error)
    assert told == "" or "x.zip" in told


def test_it_ends_when_it_is_stopped(packed: Path, tmp_path: Path) -> None:
    asked = iter([False, False, True])
    archive.unpack(packed, tmp_path / "out", lambda: next(asked))
    assert len(inside(tmp_path / "out")) == 2


def test_dropped_archives_are_copied_with_their_captions(packed: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK no")
    plain = draw_picture(tmp_path / "a.png", 4)
    work = Work(lambda done, total: None, threading.Event())
    imported = copy_all([packed, broken, plain], images, work)
    assert inside(images) == ["a-2.png", "a-2.txt", "a.png", "b.PNG", "b.txt", "ネコ.png"]
    assert (images / "a.png").read_bytes() == plain.read_bytes()
    assert (images / "a-2.txt").read_bytes() == b"caf\xe9\r\n"
    assert (imported.found, imported.copied) == (4, 4)
    assert "broken.zip cannot be unpacked" in imported.problem
    assert not list(images.glob(".*"))
