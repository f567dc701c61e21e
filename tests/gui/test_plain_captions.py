"""A prompt's signs are taken out of all captions by one press, and come back by one."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.views.main_window import MainWindow
from core.data import wording
from core.project.layout import Project
from tests.gui.conftest import button, dataset_page, editor_of

TEXTS = {
    "p00": ("hatsune miku \\(vocaloid\\)\r\n", "hatsune miku (vocaloid)\r\n"),
    "p02": ("(masterpiece:1.3), a cat", "masterpiece, a cat"),
    "p04": ("a cat (asleep)", "a cat (asleep)"),
}


@pytest.fixture
def signed(faked: MainWindow, project: Project, qtbot: QtBot) -> MainWindow:
    for name, (text, _) in TEXTS.items():
        (project.images / f"{name}.txt").write_bytes(text.encode())
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: len(signs(faked)) == 2)
    faked.show_page("Dataset")
    faked.studio.actions["dataset.findings"].trigger()
    findings = faked.studio.dataset.findings
    row = next(n for n, group in enumerate(findings.groups) if group[0].summary == wording.SIGNS)
    dataset_page(faked).findings.list.setCurrentIndex(findings.index(row))
    return faked


def signs(window: MainWindow) -> list[Path]:
    return [f.path for f in window.studio.dataset.findings.all if f.summary == wording.SIGNS]


def in_files(project: Project) -> dict[str, bytes]:
    return {name: (project.images / f"{name}.txt").read_bytes() for name in TEXTS}


def rested(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not window.studio.dataset.busy)


def test_one_press_writes_them_all_and_one_undoes_it(
    signed: MainWindow, project: Project, qtbot: QtBot
) -> None:
    before = in_files(project)
    page = dataset_page(signed)
    page.grid.choose(0)
    editor_of(signed).insertPlainText("my ")  # not saved yet
    button(page, "Write 2 captions in plain words").click()
    assert editor_of(signed).toPlainText() == "my hatsune miku (vocaloid)"
    assert signs(signed) == []
    rested(signed, qtbot)
    plain = {name: text.encode() for name, (_, text) in TEXTS.items()}
    assert in_files(project) == plain | {"p00": b"my hatsune miku (vocaloid)\r\n"}
    assert not signed.studio.actions["dataset.mend"].isVisible()
    assert signed.messages.text == "Wrote 2 captions in plain words."
    button(signed.messages, "Undo").click()
    rested(signed, qtbot)
    assert in_files(project) == before | {"p00": b"my hatsune miku \\(vocaloid\\)\r\n"}
    qtbot.waitUntil(lambda: len(signs(signed)) == 2)
    assert not list(project.bin.glob("*"))


def test_what_another_program_wrote_meanwhile_stays(
    signed: MainWindow, project: Project, qtbot: QtBot
) -> None:
    theirs = project.images / "p02.txt"
    theirs.write_text("their words", encoding="utf-8")
    button(dataset_page(signed), "Write 2 captions in plain words").click()
    rested(signed, qtbot)
    assert theirs.read_text(encoding="utf-8") == "their words"
    rows = signed.studio.dataset.rows
    assert rows.pictures[rows.row_of(project.images / "p02.png")].caption == "their words"


def test_what_cannot_be_written_is_told(
    signed: MainWindow, project: Project, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = in_files(project)
    monkeypatch.setattr("app.models.rewriting.captions.write", full)
    button(dataset_page(signed), "Write 2 captions in plain words").click()
    rested(signed, qtbot)
    assert "No space left" in signed.messages.text
    assert len(signs(signed)) == 2  # as it is on the disk
    assert in_files(project) == before


def test_it_can_be_found_by_ctrl_k(signed: MainWindow) -> None:
    QApplication.processEvents()
    words = [action.text() for action in signed.studio.actions.possible()]
    assert "Write 2 captions in plain words" in words
