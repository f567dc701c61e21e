"""Captions by a model in the window: proposed, looked through, written, undone."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPlainTextEdit
from pytestqt.qtbot import QtBot

from app.models.proposals import NOW, PICTURE, THEN
from app.views.captioning_dialog import ALL, CHOSEN, SILENT, CaptioningDialog
from app.views.main_window import MainWindow
from core.base.captioners import PLAIN, WELL_KNOWN, open_captioner
from core.captioning import reader
from core.captioning.captions import captioned
from core.data.proposals import Rules, proposal
from core.project.layout import Project
from core.protocol.commands import CaptionJob, FetchJob, Stop, TrainJob
from core.protocol.events import Captioned, Failed, Fetched, Finished, Progress, Tag, Warned
from tests.gui.conftest import dataset_page, open_project
from tests.gui.fake_worker import FakeWorker
from tests.tiny_captioners import write_blip, write_tagger

TEXTS = ("an owl", "ballstyle, fox, red", "", "", "fox\r\nsecond line", " ,")


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tagger(tmp_path_factory.mktemp("models") / "wd-tagger")


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blip(tmp_path_factory.mktemp("models") / "blip")


@pytest.fixture
def project(project: Project) -> Project:
    for n, text in enumerate(TEXTS):
        (project.images / f"p{n:02}.txt").write_bytes(text.encode())
    return project


def texts(project: Project) -> list[str]:
    return [(project.images / f"p{n:02}.txt").read_bytes().decode() for n in range(6)]


def opened(window: MainWindow) -> CaptioningDialog:
    window.show_page("Dataset")
    window.studio.actions["dataset.caption_all"].trigger()
    dialog = dataset_page(window).captioning
    assert dialog is not None
    assert dialog.isVisible()
    return dialog


@pytest.fixture
def dialog(faked: MainWindow, tagger: Path) -> CaptioningDialog:
    made = opened(faked)
    made.model.use(tagger)
    return made


def begun(dialog: CaptioningDialog) -> FakeWorker:
    dialog.go.click()
    worker = FakeWorker.made[-1]
    assert isinstance(worker.job, CaptionJob)
    return worker


def tags(project: Project, number: int) -> Captioned:
    path = str(project.images / f"p{number:02}.png")
    return Captioned(path=path, tags=[Tag("fox", 0.9), Tag("tree", 0.5), Tag("moon", 0.2)])


def shown(dialog: CaptioningDialog, column: int = THEN) -> list[str]:
    model = dialog.proposals
    return [model.index(row, column).data() for row in range(model.rowCount())]


def settled(dialog: CaptioningDialog, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: dialog.proposals.ready)


def test_without_a_model_it_says_so_and_does_nothing(faked: MainWindow) -> None:
    dialog = opened(faked)
    assert "Choose a model first" in dialog.said.text()
    assert not dialog.go.isEnabled()
    assert not dialog.apply.isEnabled()
    assert dialog.scope.currentIndex() == SILENT
    assert [dialog.scope.itemText(n) for n in range(3)] == [
        "The 1 chosen picture", "3 pictures without a caption", "All 6 pictures shown",
    ]  # fmt: skip


def test_those_without_a_caption_are_asked_for_and_written(
    faked: MainWindow, dialog: CaptioningDialog, project: Project, tagger: Path, qtbot: QtBot
) -> None:
    assert dialog.go.text() == "Caption 3 pictures"
    worker = begun(dialog)
    assert worker.job.model == str(tagger)
    assert [Path(name).name for name in worker.job.pictures] == ["p02.png", "p03.png", "p05.png"]
    assert dialog.go.text() == "Stop"
    assert not dialog.model.isEnabled()
    worker.tell(tags(project, 2), Progress(phase="Captioning, CPU", done=1, total=3))
    worker.tell(tags(project, 3), Progress(phase="Captioning, CPU", done=2, total=3))
    assert "Captioning, CPU: 2 of 3" in dialog.said.text()
    assert (dialog.bar.value(), dialog.bar.maximum()) == (2, 3)
    worker.tell(tags(project, 5), Finished())
    worker.end()
    settled(dialog, qtbot)
    assert shown(dialog) == ["fox, tree"] * 3
    assert shown(dialog, NOW) == ["", "", " ,"]
    assert texts(project) == list(TEXTS)
    assert dialog.apply.text() == "Write 3 captions"
    dialog.apply.click()
    wanted = [*TEXTS[:2], "fox, tree", "fox, tree", TEXTS[4], "fox, tree"]
    qtbot.waitUntil(lambda: texts(project) == wanted)
    assert not dialog.isVisible()
    assert "Wrote 3 captions." in faked.messages.text
    faked.undo.trigger()
    qtbot.waitUntil(lambda: texts(project) == list(TEXTS))


def test_rules_work_on_what_was_told_and_nothing_is_asked_again(
    dialog: CaptioningDialog, project: Project, qtbot: QtBot
) -> None:
    dialog.scope.setCurrentIndex(ALL)
    assert dialog.go.text() == "Caption 3 pictures"  # the others would be left as they are
    dialog.merge.setCurrentIndex(3)
    assert dialog.go.text() == "Caption 6 pictures"
    worker = begun(dialog)
    worker.tell(*(tags(project, n) for n in range(6)), Finished())
    worker.end()
    settled(dialog, qtbot)
    assert shown(dialog)[:2] == ["an owl, fox, tree", "ballstyle, fox, red, tree"]
    assert shown(dialog)[4] == "fox, tree\nsecond line"
    dialog.merge.setCurrentIndex(2)
    settled(dialog, qtbot)
    assert shown(dialog)[:2] == ["fox, tree, an owl", "ballstyle, tree, fox, red"]
    dialog.threshold.setValue(0.1)
    dialog.leave_out.setText("Tree")
    settled(dialog, qtbot)
    assert shown(dialog)[0] == "fox, moon, an owl"
    dialog.most.setValue(1)
    settled(dialog, qtbot)
    assert shown(dialog)[0] == "fox, an owl"
    dialog.merge.setCurrentIndex(0)
    settled(dialog, qtbot)
    assert shown(dialog)[:2] == ["an owl", "ballstyle, fox, red"]
    assert dialog.apply.text() == "Write 3 captions"
    assert dialog.go.text() == "Start"
    assert not dialog.go.isEnabled()
    assert len(FakeWorker.made) == 1


def test_the_projects_trigger_stays_in_front(
    faked: MainWindow, dialog: CaptioningDialog, project: Project, qtbot: QtBot
) -> None:
    dialog.reject()
    faked.studio.settings.set("dataset.trigger", "an owl")
    opened(faked)
    dialog.scope.setCurrentIndex(ALL)
    dialog.merge.setCurrentIndex(2)
    worker = begun(dialog)
    worker.tell(tags(project, 0), tags(project, 1))
    assert shown(dialog) == ["an owl, fox, tree", "tree, ballstyle, fox, red"]


def test_a_proposal_can_be_changed_or_left_out(
    dialog: CaptioningDialog, project: Project, qtbot: QtBot
) -> None:
    worker = begun(dialog)
    worker.tell(*(tags(project, n) for n in (2, 3, 5)), Finished())
    worker.end()
    model, table = dialog.proposals, dialog.table
    table.setCurrentIndex(model.index(0, THEN))
    table.edit(model.index(0, THEN))
    (editor,) = table.findChildren(QPlainTextEdit)
    editor.setPlainText("a fox of mine")
    qtbot.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert shown(dialog)[0] == "a fox of mine"
    dialog.threshold.setValue(0.6)
    settled(dialog, qtbot)
    assert shown(dialog) == ["a fox of mine", "fox", "fox"]  # what was typed stays
    table.setFocus()
    table.setCurrentIndex(model.index(1, PICTURE))
    qtbot.keyClick(table, Qt.Key.Key_Space)
    settled(dialog, qtbot)
    assert model.index(1, PICTURE).data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Unchecked
    assert dialog.apply.text() == "Write 2 captions"
    dialog.apply.click()
    wanted = [*TEXTS[:2], "a fox of mine", "", TEXTS[4], "fox"]
    qtbot.waitUntil(lambda: texts(project) == wanted)


def test_what_is_being_typed_is_written_too(
    dialog: CaptioningDialog, project: Project, qtbot: QtBot
) -> None:
    worker = begun(dialog)
    worker.tell(tags(project, 2), Finished())
    worker.end()
    settled(dialog, qtbot)
    dialog.table.setCurrentIndex(dialog.proposals.index(0, THEN))
    dialog.table.edit(dialog.proposals.index(0, THEN))
    (editor,) = dialog.table.findChildren(QPlainTextEdit)
    editor.setPlainText("typed")
    dialog.apply.click()
    qtbot.waitUntil(lambda: texts(project)[2] == "typed")


def test_all_are_ticked_or_none(dialog: CaptioningDialog, project: Project, qtbot: QtBot) -> None:
    worker = begun(dialog)
    worker.tell(*(tags(project, n) for n in (2, 3)))
    settled(dialog, qtbot)
    dialog._none.click()
    settled(dialog, qtbot)
    assert not dialog.apply.isEnabled()
    dialog._all.click()
    settled(dialog, qtbot)
    assert dialog.apply.text() == "Write 2 captions"


def test_stop_keeps_what_was_told_and_start_goes_on(
    dialog: CaptioningDialog, project: Project, qtbot: QtBot
) -> None:
    worker = begun(dialog)
    worker.tell(tags(project, 2))
    dialog.go.click()
    assert worker.heard == [Stop()]
    assert "Stopping after the picture in hand" in dialog.said.text()
    assert dialog.go.text() == "End now"
    worker.tell(tags(project, 3), Finished(stopped=True))
    worker.end()
    settled(dialog, qtbot)
    assert shown(dialog) == ["fox, tree"] * 2
    assert dialog.go.text() == "Caption 1 picture"
    again = begun(dialog)
    assert [Path(name).name for name in again.job.pictures] == ["p05.png"]
    dialog.go.click()
    dialog.go.click()
    assert again.killed
    qtbot.waitUntil(lambda: not dialog._captioner.busy)
    assert dialog.proposals.rowCount() == 2
    assert "Killed" not in dialog.said.text()


def test_written_while_it_goes_on_the_rest_still_comes(
    dialog: CaptioningDialog, project: Project, qtbot: QtBot
) -> None:
    worker = begun(dialog)
    worker.tell(tags(project, 2))
    settled(dialog, qtbot)
    dialog.apply.click()
    qtbot.waitUntil(lambda: texts(project)[2] == "fox, tree")
    assert dialog.isVisible()
    assert dialog.proposals.rowCount() == 0
    worker.tell(tags(project, 3), Finished())
    worker.end()
    settled(dialog, qtbot)
    assert shown(dialog, PICTURE) == ["p03.png"]


def test_closed_it_goes_on_and_opened_again_all_is_there(
    faked: MainWindow, dialog: CaptioningDialog, project: Project, qtbot: QtBot
) -> None:
    worker = begun(dialog)
    worker.tell(tags(project, 2))
    dialog.reject()
    assert not worker.killed
    worker.tell(tags(project, 3))
    again = opened(faked)
    settled(again, qtbot)
    assert shown(again, PICTURE) == ["p02.png", "p03.png"]
    assert again.apply.text() == "Write 2 captions"


def test_a_caption_that_was_written_meanwhile_is_left(
    faked: MainWindow, dialog: CaptioningDialog, project: Project, qtbot: QtBot
) -> None:
    worker = begun(dialog)
    worker.tell(tags(project, 2), tags(project, 3), Finished())
    worker.end()
    settled(dialog, qtbot)
    (project.images / "p02.txt").write_text("mine, by hand")  # by another program: not known yet
    dialog.apply.click()
    qtbot.waitUntil(lambda: texts(project)[3] == "fox, tree")
    assert texts(project)[2] == "mine, by hand"
    assert faked.studio.dataset.project is not None


def test_a_picture_that_cannot_be_is_told(dialog: CaptioningDialog, project: Project) -> None:
    worker = begun(dialog)
    worker.tell(
        Warned(message="p02.png cannot be opened.", path="x"), Warned(message="p03.png.", path="y")
    )
    worker.tell(tags(project, 5), Finished())
    worker.end()
    assert dialog.said.text().startswith("p02.png cannot be opened. And 1 more.")


def test_a_failure_is_said_where_it_is_looked_for(
    faked: MainWindow, dialog: CaptioningDialog, project: Project
) -> None:
    worker = begun(dialog)
    worker.end(Failed(code="captioner", message="It is not whole.", hint="Get another."))
    assert "It is not whole. Get another." in dialog.said.text()
    assert dialog.go.isEnabled()
    begun(dialog)
    assert "not whole" not in dialog.said.text()


def test_it_waits_for_a_run_and_can_be_given_up(
    faked: MainWindow, dialog: CaptioningDialog
) -> None:
    dialog.reject()
    faked.studio.actions["train"].trigger()
    assert isinstance(FakeWorker.made[-1].job, TrainJob)
    opened(faked)
    dialog.go.click()
    assert "Waiting for the engine" in dialog.said.text()
    assert isinstance(FakeWorker.made[-1].job, TrainJob)
    dialog.go.click()
    assert not dialog._captioner.busy
    assert dialog.go.text() == "Caption 3 pictures"


def test_a_model_is_remembered_with_its_words(
    faked: MainWindow, dialog: CaptioningDialog, blip: Path, tagger: Path, qtbot: QtBot
) -> None:
    assert dialog.threshold.isVisibleTo(dialog)
    assert not dialog.prompt.isVisibleTo(dialog)
    dialog.model.use(blip)
    assert not dialog.threshold.isVisibleTo(dialog)
    assert dialog.prompt.accessibleName() == "Words to begin with"
    dialog.prompt.setText("a drawing of")
    dialog.leave_out.setText("arafed")
    assert begun(dialog).job.prompt == "a drawing of"
    again = CaptioningDialog(faked.studio)
    qtbot.addWidget(again)
    assert again.model.captioner == open_captioner(blip)
    assert (again.prompt.text(), again.leave_out.text()) == ("a drawing of", "arafed")


def test_another_model_is_asked_anew_and_takes_the_place(
    dialog: CaptioningDialog, project: Project, blip: Path, qtbot: QtBot
) -> None:
    worker = begun(dialog)
    worker.tell(*(tags(project, n) for n in (2, 3, 5)), Finished())
    worker.end()
    dialog.model.use(blip)
    assert dialog.go.text() == "Caption 3 pictures"
    worker = begun(dialog)
    worker.tell(Captioned(path=str(project.images / "p02.png"), text="A fox."))
    settled(dialog, qtbot)
    assert shown(dialog) == ["A fox.", "fox, tree", "fox, tree"]


def test_a_folder_that_holds_no_model_is_refused(
    dialog: CaptioningDialog, tagger: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    dialog.model._on_folder_wished()
    assert "is no captioner" in dialog.said.text()
    assert dialog.model.captioner == open_captioner(tagger)


def test_a_model_from_the_hub_is_used_once_it_is_there(
    faked: MainWindow, dialog: CaptioningDialog, project: Project, blip: Path
) -> None:
    base = project.config().base
    faked.page("Train")  # where what is fetched would become the base
    dialog.model.offer_fetching()
    fetching = dialog.model.dialog
    assert [choice.text() for choice in fetching.known] == [one.title for one in WELL_KNOWN]
    fetching.known[2].setChecked(True)
    fetching.go.click()
    worker = FakeWorker.made[-1]
    assert isinstance(worker.job, FetchJob)
    assert worker.job.repo == WELL_KNOWN[2].repo
    worker.tell(Fetched(path=str(blip), words="BLIP", captioner=True), Finished())
    worker.end()
    assert dialog.model.captioner == open_captioner(blip)
    assert not fetching.isVisible()
    assert project.config().base == base
    assert "base model" not in faked.messages.text


def test_several_chosen_ones_are_meant_alone(
    faked: MainWindow, dialog: CaptioningDialog, project: Project
) -> None:
    dialog.reject()
    page = dataset_page(faked)
    page.grid.choose(0)
    model = page.grid.selectionModel()
    model.select(page.shown.index(2), model.SelectionFlag.Select)
    again = opened(faked)
    assert again.scope.currentIndex() == CHOSEN
    assert again.go.text() == "Caption 1 picture"
    again.merge.setCurrentIndex(1)
    assert again.go.text() == "Caption 2 pictures"


def test_another_project_begins_anew(
    faked: MainWindow, dialog: CaptioningDialog, project: Project, tmp_path: Path, qtbot: QtBot
) -> None:
    from core.project.layout import create
    from tests.conftest import fill, small_config

    worker = begun(dialog)
    worker.tell(tags(project, 2))
    other = create(tmp_path / "other", small_config("demo"))
    fill(other.images, 2)
    open_project(faked, qtbot, other, 2)
    assert worker.killed
    assert dialog.proposals.rowCount() == 0
    assert not faked.studio.captioner.kept
    assert not faked.studio.captioner.busy


@pytest.mark.parametrize("close", [False, True])
def test_the_window_asks_before_proposals_are_lost(
    faked: MainWindow, dialog: CaptioningDialog, project: Project, close: bool, qtbot: QtBot
) -> None:
    asked: list[int] = []
    faked.closing.ask_to_lose_proposals = lambda count: asked.append(count) or close
    worker = begun(dialog)
    worker.tell(tags(project, 2))
    settled(dialog, qtbot)
    dialog.reject()
    assert faked.close() is close
    assert asked == [1]
    faked.closing.ask_to_lose_proposals = lambda count: True


def test_it_stands_in_a_pictures_menu(faked: MainWindow) -> None:
    grid = dataset_page(faked).grid
    assert grid.contextMenuPolicy() == Qt.ContextMenuPolicy.ActionsContextMenu
    words = [action.text() for action in grid.actions() if action.isVisible()]
    assert words[:2] == ["Caption automatically...", "Change captions"]


def test_a_chat_model_shows_what_it_is_asked(faked: MainWindow, dialog: CaptioningDialog) -> None:
    from core.base.captioners import KINDS, Captioner

    chat = next(kind for kind in KINDS if kind.name == "chat")
    dialog.model.captioner = Captioner(Path("x"), chat)
    dialog.model.chosen.emit()
    assert dialog.prompt.placeholderText() == PLAIN
    assert dialog.asked == PLAIN
    dialog.wish.setCurrentIndex(1)
    assert dialog.asked == chat.wishes[1].prompt
    dialog.prompt.setText(" Which colours? ")
    assert dialog.asked == "Which colours?"


def test_the_real_engine_proposes_and_its_words_are_written(
    opened: MainWindow, project: Project, blip: Path, qtbot: QtBot
) -> None:
    """The whole path: folder, worker, pipe, events, proposals, files."""
    opened.show_page("Dataset")
    opened.studio.actions["dataset.caption_all"].trigger()
    dialog = dataset_page(opened).captioning
    dialog.model.use(blip)
    dialog.go.click()
    qtbot.waitUntil(lambda: not dialog._captioner.busy, timeout=60_000)
    assert shown(dialog, PICTURE) == ["p02.png", "p03.png", "p05.png"]
    settled(dialog, qtbot)
    before = {path: path.read_bytes() for path in project.images.iterdir()}
    dialog.apply.click()
    qtbot.waitUntil(lambda: texts(project)[5] != TEXTS[5])
    loaded = reader.load(open_captioner(blip))
    for number in (2, 3, 5):
        path = project.images / f"p{number:02}.png"
        (event,) = captioned(loaded, [path], lambda: False)
        assert texts(project)[number] == proposal("", event, Rules())
    written = {f"p{n:02}.txt" for n in (2, 3, 5)}
    for path, content in before.items():
        assert path.name in written or path.read_bytes() == content
