"""Getting a base model in the window: chosen, seen coming, stopped, used."""

import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.views.fetch_dialog import FetchDialog
from app.views.main_window import MainWindow
from core.base.hub import WELL_KNOWN
from core.project.layout import Project
from core.protocol.commands import FetchJob, Stop, TrainJob
from core.protocol.events import Failed, Fetched, FetchStarted, Finished, Progress
from tests.gui.conftest import train_page
from tests.gui.fake_worker import FakeWorker


@pytest.fixture
def dialog(faked: MainWindow, tmp_path, monkeypatch) -> FetchDialog:
    monkeypatch.setenv("STYLEWRIGHT_HOME", str(tmp_path / "home"))
    faked.show_page("Train")
    faked.studio.actions["base.fetch"].trigger()
    made = train_page(faked).form.base.dialog
    assert made is not None
    return made


def begun(dialog: FetchDialog) -> FakeWorker:
    dialog.go.click()
    worker = FakeWorker.made[-1]
    assert isinstance(worker.job, FetchJob)
    return worker


def test_a_known_model_is_fetched_and_used(
    faked: MainWindow, dialog: FetchDialog, project: Project, tiny_base, qtbot: QtBot
) -> None:
    dialog.known[1].setChecked(True)
    worker = begun(dialog)
    assert worker.job.repo == WELL_KNOWN[1].repo
    assert worker.job.to == str(dialog.target)
    assert dialog.target.parent.name == "models"
    assert dialog.said.text() == f"Asking the hub for {WELL_KNOWN[1].repo}"
    assert not dialog.known[0].isEnabled()
    worker.tell(
        FetchStarted(repo=WELL_KNOWN[1].repo, path="x", total_bytes=4 * 10**9, licence="mit")
    )
    worker.tell(Progress(phase="Fetching unet/x", done=10**9, total=4 * 10**9))
    assert "1.00 of 4.00 GB. Licence: mit." in dialog.said.text()
    assert dialog.bar.value() == 250
    worker.tell(Fetched(path=str(tiny_base), words="Stable Diffusion 1"), Finished())
    worker.end()
    assert project.config().base == str(tiny_base)
    assert not dialog.isVisible()
    assert "Stable Diffusion 1" in faked.messages.text


def test_a_stop_is_said_to_the_worker_and_another_can_be_chosen(dialog: FetchDialog) -> None:
    worker = begun(dialog)
    dialog.halt.click()
    assert worker.heard == [Stop()]
    worker.tell(Finished(stopped=True))
    worker.end()
    assert dialog.known[0].isEnabled()
    assert dialog.go.isVisibleTo(dialog)


def test_any_other_model_by_its_name(dialog: FetchDialog) -> None:
    dialog.other.setChecked(True)
    assert not dialog.go.isEnabled()
    dialog.name.setText("maker")
    assert not dialog.go.isEnabled()
    dialog.name.setText(" maker/model ")
    assert dialog.go.isEnabled()
    assert begun(dialog).job.repo == "maker/model"
    assert dialog.target.name == "model"


def test_a_failure_is_said_in_words(faked: MainWindow, dialog: FetchDialog) -> None:
    worker = begun(dialog)
    worker.end(Failed(code="base-model", message="maker wants its terms accepted.", hint="Log in."))
    assert "terms accepted" in faked.messages.text
    assert dialog.known[0].isEnabled()


def test_training_and_fetching_do_not_wait_for_each_other(
    faked: MainWindow, dialog: FetchDialog
) -> None:
    fetching = begun(dialog)
    faked.studio.actions["train"].trigger()
    training = FakeWorker.made[-1]
    assert isinstance(training.job, TrainJob)
    assert fetching.running
    assert training.running


def test_the_folder_can_be_chosen(dialog: FetchDialog, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "disk"))
    dialog._on_place_wished()
    assert dialog.target == tmp_path / "disk" / "stable-diffusion-v1-5"
    assert str(tmp_path / "disk") in dialog._where.text()


def test_closed_it_goes_on_and_opened_again_it_shows_so(
    faked: MainWindow, dialog: FetchDialog
) -> None:
    worker = begun(dialog)
    worker.tell(FetchStarted(repo=WELL_KNOWN[0].repo, path="x", total_bytes=100))
    dialog.reject()
    assert not worker.killed
    worker.tell(Progress(phase="x", done=50, total=100))
    faked.studio.actions["base.fetch"].trigger()
    again = train_page(faked).form.base.dialog
    assert again.bar.value() == 500
    assert again.halt.isVisibleTo(again)
