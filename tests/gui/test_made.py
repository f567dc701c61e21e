"""The window with its real engine: what its dialogs make is what the command line makes."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.models.adapters import ABOUT
from app.views.main_window import MainWindow
from app.views.making_dialog import MakingDialog
from core import cli
from core.config.facts import SD1
from core.training import export
from tests.e2e.test_tools import adapter_for
from tests.gui.conftest import adapters_page

LONG_MS = 120_000


@pytest.fixture
def files(tmp_path: Path, tiny_base: Path) -> list[Path]:
    """Two adapters of the tiny base."""
    found = [tmp_path / f"{name}.safetensors" for name in ("ink", "lines")]
    for number, path in enumerate(found):
        header = {"ss_base_model_version": "sd_v1", "modelspec.trigger_phrase": "inkstyle"}
        export.write(path, adapter_for(tiny_base, SD1, number), SD1, header, "kohya")
    return found


def make(dialog: MakingDialog, folder: Path, qtbot: QtBot) -> Path:
    dialog._folder = folder
    dialog._on_changed()
    out = dialog.target
    assert dialog.go.isEnabled(), dialog.lack.text()
    dialog.go.click()
    qtbot.waitUntil(lambda: not dialog._maker.busy, timeout=LONG_MS)
    assert dialog.said.text().startswith(f"Wrote {out}"), dialog.said.text()
    return out


def test_another_rank_and_a_model_with_it_from_the_window(
    opened: MainWindow, files: list[Path], tiny_base: Path, tmp_path: Path, qtbot: QtBot, capsys
) -> None:
    for path in files:
        opened.studio.shelf.open(path)
    opened.show_page("Adapters")
    page = adapters_page(opened)
    known = opened.studio.inspector.known
    qtbot.waitUntil(lambda: all(known(path) for path in files), timeout=LONG_MS)
    row = page.list.currentIndex()
    assert page.cards.data(row, ABOUT) == "LoRA of rank 4, Stable Diffusion 1, trigger inkstyle"
    assert "It acts most in" in page.facts.text()
    assert page.proof.text.startswith("ComfyUI: ")
    lines = files[1]
    opened.studio.actions["adapter.resize"].trigger()
    assert page.dialog is not None
    small = make(page.dialog, tmp_path / "made", qtbot)
    assert "of what the adapter changes" in page.dialog.said.text()
    assert "ComfyUI" in page.dialog.said.text()
    page.dialog.reject()
    theirs = tmp_path / "cli.safetensors"
    assert cli.main(["resize", str(lines), "--out", str(theirs), "--rank", "2"]) == 0
    assert small.read_bytes() == theirs.read_bytes()
    assert page.cards.cards[page.list.currentIndex().row()].path == small
    opened.studio.actions["adapter.bake"].trigger()
    page.dialog.form.base.use(str(tiny_base))
    model = make(page.dialog, tmp_path / "made", qtbot)
    theirs = tmp_path / "cli-model"
    into = ["--into", str(tiny_base), "--out", str(theirs)]
    assert cli.main(["merge", str(small), *into]) == 0
    ours, others = (
        {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (model, theirs)
    )
    assert ours == others
    assert not list((tmp_path / "made").glob(".writing-*"))
