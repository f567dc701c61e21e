"""What another process changes in the folders appears without turning to the window."""

import subprocess
import sys
import time
from pathlib import Path

from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from core.data.watch import Watch
from core.project.layout import Project
from tests.conftest import draw_picture, fill
from tests.gui.conftest import dataset_page, editor_of, open_project


def elsewhere(code: str, *paths: Path) -> None:
    """Let another process do it."""
    start = "import os, shutil, sys\nfrom pathlib import Path\npaths = [*map(Path, sys.argv[1:])]\n"
    subprocess.run([sys.executable, "-c", start + code, *map(str, paths)], check=True)


def captions_of(window: MainWindow) -> list[str]:
    return [picture.caption for picture in window.studio.dataset.rows.pictures]


def test_what_another_process_does_appears_by_itself(
    opened: MainWindow, qtbot: QtBot, project: Project, tmp_path: Path
) -> None:
    rows = opened.studio.dataset.rows
    first, second, third = (project.images / f"p0{n}.png" for n in range(3))
    other = draw_picture(tmp_path / "new.png", 9)
    elsewhere("shutil.copy(*paths)", other, project.images / "new.png")
    qtbot.waitUntil(lambda: rows.rowCount() == 7)
    elsewhere("paths[0].write_text('in its place')", first.with_suffix(".txt"))
    qtbot.waitUntil(lambda: captions_of(opened)[1] == "in its place")
    elsewhere(
        "b = paths[0].with_name('b'); b.write_text('by a rename'); b.replace(paths[0])",
        second.with_suffix(".txt"),
    )
    qtbot.waitUntil(lambda: captions_of(opened)[2] == "by a rename")
    elsewhere("paths[0].unlink()", third.with_suffix(".txt"))
    qtbot.waitUntil(lambda: captions_of(opened)[3] == "")
    elsewhere("paths[0].unlink()", third)
    qtbot.waitUntil(lambda: rows.rowCount() == 6)
    elsewhere(
        "(paths[1] / 'deep').mkdir(); shutil.copy(paths[0], paths[1] / 'deep' / 'x.png')",
        other,
        project.images,
    )
    qtbot.waitUntil(lambda: rows.rowCount() == 7)
    elsewhere("shutil.copy(*paths)", other, project.images / "deep" / "y.png")
    qtbot.waitUntil(lambda: rows.rowCount() == 8)


def test_a_linked_folder_that_goes_and_comes_back(
    opened: MainWindow, qtbot: QtBot, project: Project, tmp_path: Path
) -> None:
    fill(tmp_path / "stick", 2)
    opened.studio.settings.set("dataset.folders", ("images", str(tmp_path / "stick")))
    opened.studio.dataset.rescan()
    rows = opened.studio.dataset.rows
    qtbot.waitUntil(lambda: rows.rowCount() == 8 and not opened.studio.dataset.busy)
    elsewhere("paths[0].rename(paths[1])", tmp_path / "stick", tmp_path / "away")
    qtbot.waitUntil(lambda: rows.rowCount() == 6)
    elsewhere("paths[1].rename(paths[0])", tmp_path / "stick", tmp_path / "away")
    qtbot.waitUntil(lambda: rows.rowCount() == 8 and not opened.studio.dataset.busy)
    elsewhere("paths[0].write_text('on the stick')", tmp_path / "stick" / "p01.txt")
    qtbot.waitUntil(lambda: "on the stick" in captions_of(opened))


def test_nothing_is_lost_of_what_is_being_typed(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    page = dataset_page(opened)
    page._choose(0)
    page.editor._timer.setInterval(60_000)  # the person has not stopped typing
    editor_of(opened).setPlainText("what I am typing")
    sidecar = project.images / "p00.txt"
    elsewhere("paths[0].write_text('from a tagger')", sidecar)
    qtbot.waitUntil(lambda: captions_of(opened)[0] == "from a tagger")
    assert editor_of(opened).toPlainText() == "what I am typing"
    page.editor.save()
    assert sidecar.read_text() == "what I am typing"
    assert [p.read_text() for p in project.bin.iterdir()] == ["from a tagger"]
    opened.undo.trigger()
    assert sidecar.read_text() == "from a tagger"


def test_what_is_written_here_is_no_news(
    opened: MainWindow, qtbot: QtBot, project: Project
) -> None:
    dataset = opened.studio.dataset
    qtbot.wait(1500)  # the watch has seen all
    scans = []
    dataset.folders.started.connect(lambda: scans.append(1))
    path = dataset.rows.pictures[0].path
    for text in ("one", "two", "three"):
        assert dataset.set_caption(path, text, dataset.rows.pictures[0].caption, apart=True)
        qtbot.wait(700)
    for _ in range(3):
        dataset.undo_stack.undo()
        qtbot.wait(700)
    assert len(scans) <= 2  # a look may fall between our writing and our saying so
    scans.clear()
    elsewhere("paths[0].write_text('theirs')", project.images / "p00.txt")
    qtbot.waitUntil(lambda: captions_of(opened)[0] == "theirs")
    assert scans


def test_another_project_is_watched_and_the_first_no_longer(
    opened: MainWindow, qtbot: QtBot, project: Project, tmp_path: Path
) -> None:
    from core.config.options import RunConfig
    from core.project.layout import create

    other = create(tmp_path / "other", RunConfig(name="O", base="demo"))
    fill(other.images, 2)
    open_project(opened, qtbot, other, pictures=2)
    draw_picture(project.images / "more.png", 3)
    elsewhere("paths[0].write_text('theirs')", other.images / "p01.txt")
    qtbot.waitUntil(lambda: captions_of(opened)[1] == "theirs")
    assert opened.studio.dataset.rows.rowCount() == 2


def test_a_watch_keeps_to_its_share_of_the_time(tmp_path: Path) -> None:
    """Of very many files some are looked at at a time, all of them in turn."""
    for number in range(4000):
        (tmp_path / f"{number}.txt").write_bytes(b"x")
    watch = Watch()
    watch.begin([tmp_path], time.time_ns() + 10**10)
    while not watch._files[str(tmp_path)] or None in watch._files[str(tmp_path)].values():
        assert not watch.look(0.002)
    (tmp_path / "3999.txt").write_bytes(b"other")
    began = time.process_time()
    found = watch.look(0.002)
    assert time.process_time() - began < 0.02
    rounds = 1
    while not found:
        found, rounds = watch.look(0.002), rounds + 1
        assert rounds < 4000
    assert not any(watch.look(0.002) for _ in range(rounds))
