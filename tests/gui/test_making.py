"""The Adapters page and its dialogs: what is asked becomes a job, what is told becomes words."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from app.models.adapters import ABOUT, READERS
from app.views.adapters_page import AdaptersPage
from app.views.main_window import MainWindow
from app.views.making_dialog import MakingDialog
from core.project.layout import Project
from core.protocol.commands import (
    BakeJob,
    ExportJob,
    ExtractJob,
    InspectJob,
    JoinJob,
    ResizeJob,
    Stop,
    TrainJob,
)
from core.protocol.events import (
    Failed,
    FileMade,
    Finished,
    Inspected,
    Progress,
    Reader,
    Warned,
)
from tests.conftest import made
from tests.gui.conftest import adapters_page, button, preview_page
from tests.gui.fake_worker import FakeWorker
from tests.gui.made_runs import made_run

XL = "Stable Diffusion XL"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Adapters of other programs, as far as the window sees them."""
    folder = tmp_path / "loras"
    folder.mkdir()
    found = {name: folder / f"{name}.safetensors" for name in ("ink", "lines", "wide", "broken")}
    for number, path in enumerate(found.values(), 1):
        path.write_bytes(b"x" * 2**20 * number)
    return found


def told(path: str) -> Inspected:
    if "broken" in path:
        return Inspected(path=path, problem="It cannot be read as an adapter.")
    wide = "wide" in path
    readers = [
        Reader(program="ComfyUI", words="264 of 264", whole=True),
        Reader(program="Forge", words="refuses it", whole=not wide),
    ]
    return Inspected(
        path=path,
        kind="LoRA of rank 16",
        family=XL if wide else "Stable Diffusion 1",
        trigger="inkstyle",
        rank=16,
        words=["LoRA of rank 16 at strength 1.", "It acts most in unet mid_block (30%)."],
        readers=readers,
    )


def inspect(workers: list[FakeWorker]) -> list[str]:
    """Answer what is asked; which files these were."""
    asked = []
    for worker in [one for one in workers if isinstance(one.job, InspectJob) and one.running]:
        asked += worker.job.files
        worker.tell(*map(told, worker.job.files), Finished())
        worker.end()
    return asked


@pytest.fixture
def page(
    faked: MainWindow, project: Project, files: dict[str, Path], workers, qtbot: QtBot
) -> AdaptersPage:
    """One of a run, three of other programs; all looked at."""
    made_run(project, "#ff0000")
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    for name in ("broken", "wide", "lines", "ink"):
        faked.studio.shelf.open(files[name])
    faked.show_page("Adapters")
    made_page = adapters_page(faked)
    qtbot.waitUntil(lambda: bool(workers))
    inspect(workers)
    return made_page


def choose(page: AdaptersPage, path: Path) -> None:
    page.list.choose([card.path for card in page.cards.cards].index(path))


def opened(page: AdaptersPage, action: str) -> MakingDialog:
    page._studio.actions[f"adapter.{action}"].trigger()
    assert page.dialog is not None
    return page.dialog


def of(workers: list[FakeWorker], kind: type) -> FakeWorker:
    return [worker for worker in workers if isinstance(worker.job, kind)][-1]


def test_each_row_says_what_it_is(page: AdaptersPage, workers, project: Project) -> None:
    rows = page.cards
    names = [rows.data(rows.index(row)) for row in range(rows.rowCount())]
    assert names == ["001-Small, step 100", "ink", "lines", "wide", "broken"]
    assert (
        rows.data(rows.index(1), ABOUT) == "LoRA of rank 16, Stable Diffusion 1, trigger inkstyle"
    )
    assert rows.data(rows.index(1), READERS) == "Loaded in full by ComfyUI, Forge"
    assert rows.data(rows.index(0), READERS) == "For the demo base model alone"
    assert rows.data(rows.index(4), ABOUT) == "It cannot be read"
    said = rows.data(rows.index(3), Qt.ItemDataRole.AccessibleTextRole)
    assert said == f"wide, LoRA of rank 16, {XL}, trigger inkstyle. Loaded in full by ComfyUI"


def test_files_are_looked_at_once_the_chosen_one_first(
    page: AdaptersPage, faked: MainWindow, workers, files, qtbot: QtBot
) -> None:
    assert len([worker for worker in workers if isinstance(worker.job, InspectJob)]) == 1
    assert "001-" in of(workers, InspectJob).job.files[0]
    faked.show_page("Train")
    faked.show_page("Adapters")
    qtbot.wait(10)
    assert len([worker for worker in workers if isinstance(worker.job, InspectJob)]) == 1
    files["ink"].write_bytes(b"another")
    faked.show_page("Train")
    faked.show_page("Adapters")
    qtbot.waitUntil(lambda: of(workers, InspectJob).running)
    assert inspect(workers) == [str(files["ink"])]


def test_what_is_known_of_one_stands_beside_the_list(page: AdaptersPage, files) -> None:
    choose(page, files["wide"])
    assert page.name.text() == "wide"
    assert "It acts most in unet mid_block" in page.facts.text()
    assert page.proof.text == "ComfyUI: 264 of 264\nForge: refuses it"
    assert not page.problem.isVisibleTo(page)
    page._studio.actions["adapter.copy"].trigger()
    assert QApplication.clipboard().text() == "inkstyle"
    choose(page, files["broken"])
    assert page.problem.text() == "It cannot be read as an adapter."
    assert not button(page, "Save for...").isEnabled()
    assert not page._studio.actions["adapter.resize"].isEnabled()
    assert page.proof.text == ""


def test_an_engine_that_dies_while_it_looks_is_told_and_not_asked_again(
    faked: MainWindow, workers, files, qtbot: QtBot
) -> None:
    faked.studio.shelf.open(files["ink"])
    faked.show_page("Adapters")
    qtbot.waitUntil(lambda: bool(workers))
    workers[0].end(Failed(code="killed", message="The engine was ended from outside."))
    assert "ended from outside" in adapters_page(faked).problem.text()
    faked.show_page("Train")
    faked.show_page("Adapters")
    qtbot.wait(10)
    assert len(workers) == 1


def test_a_file_is_opened_and_taken_off_the_list(
    faked: MainWindow, files, monkeypatch: pytest.MonkeyPatch
) -> None:
    faked.show_page("Adapters")
    page = adapters_page(faked)
    chosen = (str(files["ink"]), "")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: chosen)
    button(page, "Open a file...").click()  # of the empty page
    assert page.name.text() == "ink"
    assert not button(page, "Draw with it").isEnabled()  # there is no run
    assert page._close.isVisible()
    page._close.trigger()
    assert page.cards.rowCount() == 0
    assert files["ink"].exists()
    assert button(page, "Open a file...").isVisible()


def test_dropped_files_are_looked_at(faked: MainWindow, files) -> None:
    there = [files["ink"], files["lines"]]
    assert faked.dropping._promise(there) == "Let go to look at ink.safetensors, lines.safetensors"
    assert faked.dropping._promise([files["ink"], files["ink"].parent]) != ""  # as pictures
    faked.dropping.drops.dropped.emit(there)
    page = adapters_page(faked)
    assert page.isVisible()
    assert [card.path for card in page.cards.cards] == [files["lines"], files["ink"]]
    assert page.name.text() == "lines"


def test_draw_with_an_opened_file(page: AdaptersPage, faked: MainWindow, files) -> None:
    choose(page, files["lines"])
    button(page, "Draw with it").click()
    assert preview_page(faked).drawing.worn.first.path == files["lines"]


def test_a_rank_is_asked_for(page: AdaptersPage, files, project: Project, workers) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "resize")
    size = dialog.form.size_choice
    assert size.rank.value() == 8  # the half of what it has
    assert dialog.makes.text() == "About 0.5 MiB; it is 1.0 MiB now."
    assert dialog.target == project.adapters / "ink-rank8.safetensors"
    size.rank.setValue(16)
    assert not dialog.go.isEnabled()
    assert "choose a smaller rank" in dialog.lack.text()
    size.rank.setValue(4)
    dialog.go.click()
    assert of(workers, ResizeJob).job == ResizeJob(
        source=str(files["ink"]),
        out=str(project.adapters / "ink-rank4.safetensors"),
        rank=4,
        kept=1.0,
    )


def test_a_share_is_asked_for(page: AdaptersPage, files, workers) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "resize")
    dialog.form.size_choice.share.setValue(90)
    assert dialog.form.size_choice.by_share.isChecked()
    assert dialog.name.text() == "ink-keep90"
    dialog.go.click()
    job = of(workers, ResizeJob).job
    assert (job.rank, job.kept) == (0, 0.9)


def test_what_goes_on_and_what_came_of_it_is_said(
    page: AdaptersPage, faked: MainWindow, files, workers, project: Project
) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "resize")
    dialog.go.click()
    worker = of(workers, ResizeJob)
    assert dialog.said.text() == "Starting the engine"
    assert dialog.bar.isVisibleTo(dialog)
    worker.tell(Progress(phase="Working out layers", done=66, total=264))
    assert (dialog.said.text(), dialog.bar.value()) == ("Working out layers", 250)
    assert not dialog.form.isEnabled()
    out = Path(worker.job.out)
    out.parent.mkdir()
    out.write_bytes(b"made")
    readers = [
        Reader(program="ComfyUI", words="264 of 264", whole=True),
        Reader(program="diffusers", words="refuses it", whole=False),
    ]
    words = "264 layers of rank 8. It keeps 97.1% of what the adapter changes."
    worker.tell(FileMade(path=str(out), words=words, readers=readers), Finished())
    worker.end()
    proof = "Loaded in full by ComfyUI. diffusers: refuses it."
    assert dialog.said.text() == f"Wrote {out}: {words}\n{proof}"
    assert f"Saved {out}: {words}\n{proof}" in faked.messages.text
    assert dialog.name.text() == "ink-rank8-2"  # what is there is not written over
    assert dialog.go.isEnabled()
    assert page.cards.cards[page.list.currentIndex().row()].path == out
    dialog.form.size_choice.rank.setValue(3)
    assert not dialog.said.isVisibleTo(dialog)


def test_stop_is_said_to_the_engine(page: AdaptersPage, faked: MainWindow, files, workers) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "resize")
    dialog.go.click()
    worker = of(workers, ResizeJob)
    dialog.halt.click()
    assert worker.heard == [Stop()]
    assert dialog.said.text() == "Stopping"
    worker.tell(Progress(phase="Working out layers", done=3, total=4))
    assert dialog.said.text() == "Stopping"
    worker.tell(Finished(stopped=True))
    worker.end()
    assert dialog.said.text() == "Stopped. Nothing was written."
    assert "Nothing was written" in faked.messages.text
    assert dialog.go.isEnabled()


def test_a_failure_is_said_where_one_looks(
    page: AdaptersPage, faked: MainWindow, files, workers
) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "resize")
    dialog.go.click()
    failure = Failed(
        code="adapter", message="What a DoRA does hangs on the base.", hint="Merge it."
    )
    of(workers, ResizeJob).end(failure)
    assert dialog.said.text() == "What a DoRA does hangs on the base. Merge it."
    assert "hangs on the base" in faked.messages.text


def test_closed_it_goes_on_and_one_file_is_written_at_a_time(
    page: AdaptersPage, faked: MainWindow, files, workers
) -> None:
    choose(page, files["ink"])
    opened(page, "resize").go.click()
    page.dialog.reject()
    worker = of(workers, ResizeJob)
    assert worker.running
    other = opened(page, "resize")
    assert not other.go.isEnabled()
    assert "Another file is being written" in other.lack.text()
    assert not other.halt.isVisibleTo(other)
    worker.tell(FileMade(path="x", words="Done."))
    worker.end()
    assert other.go.isEnabled()
    assert not other.said.isVisibleTo(other)


def test_it_waits_for_a_run_and_can_then_be_given_up(
    page: AdaptersPage, faked: MainWindow, files, workers
) -> None:
    faked.studio.actions["train"].trigger()
    choose(page, files["ink"])
    dialog = opened(page, "resize")
    dialog.go.click()
    assert dialog.said.text() == "It begins once the run has ended."
    assert "once the run has ended" in faked.messages.text
    dialog.halt.click()
    assert dialog.said.text() == "Stopped. Nothing was written."
    of(workers, TrainJob).end()
    assert not [worker for worker in workers if isinstance(worker.job, ResizeJob)]


def test_the_window_closes_once_a_file_is_given_up(
    page: AdaptersPage, faked: MainWindow, files, workers, qtbot: QtBot
) -> None:
    choose(page, files["ink"])
    opened(page, "resize").go.click()
    page.dialog.reject()
    assert not faked.close()
    assert "A file is still being written" in faked.messages.text
    button(faked.messages, "Stop it").click()
    worker = of(workers, ResizeJob)
    assert worker.heard == [Stop()]
    worker.tell(Finished(stopped=True))
    worker.end()
    qtbot.waitUntil(lambda: not faked.isVisible())


def test_names_are_those_of_files_that_are_not_there(
    page: AdaptersPage, files, project: Project, qtbot: QtBot
) -> None:
    project.adapters.mkdir()
    (project.adapters / "ink-rank8.safetensors").write_bytes(b"mine")
    choose(page, files["ink"])
    dialog = opened(page, "resize")
    assert dialog.name.text() == "ink-rank8-2"
    for typed, lack in (
        ("ink-rank8", "ink-rank8.safetensors is there already. Choose another name."),
        ("a/b", "Give it a name without / and \\."),
        (" ", "Give it a name without / and \\."),
        ("mine", ""),
    ):
        dialog.name.selectAll()
        qtbot.keyClicks(dialog.name, typed)
        assert dialog.lack.text() == lack
        assert dialog.go.isEnabled() == (not lack)
    dialog.form.size_choice.rank.setValue(2)
    assert dialog.name.text() == "mine"  # what was typed stays


def test_adapters_are_joined(page: AdaptersPage, files, project: Project, workers) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "join")
    form = dialog.form
    assert len(form.worn.rows) == 2
    form.worn.wear({str(files["ink"]): 0.8, str(files["lines"]): 0.4})
    form.method.setCurrentIndex(1)
    form.density.setValue(0.3)
    form.size_choice.rank.setValue(6)
    assert "about 0.8 MiB" in dialog.makes.text()  # 2 MiB of rank 16
    dialog.go.click()
    worker = of(workers, JoinJob)
    assert worker.job == JoinJob(
        adapters={str(files["ink"]): 0.8, str(files["lines"]): 0.4},
        out=str(project.adapters / "ink-and-lines.safetensors"),
        method="ties",
        rank=6,
        kept=1.0,
        density=0.3,
    )
    words = "ink and lines: They work against each other (-0.45 of -1 to 1 over 264 layers)."
    worker.tell(Warned(message=words), FileMade(path=worker.job.out, words="264 layers."))
    assert words in dialog.said.text()


def test_adapters_that_do_not_go_together_are_named(page: AdaptersPage, files) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "join")
    worn = dialog.form.worn
    for row in worn.rows[1:]:
        worn._remove(row)
    assert "two adapters or more" in dialog.lack.text()
    worn.wear({str(files["ink"]): 1.0, str(files["wide"]): 1.0})
    worn.changed.emit()
    assert dialog.lack.text() == (
        f"wide.safetensors is for {XL}, ink.safetensors for Stable Diffusion 1. Choose others."
    )
    worn.wear({str(files["ink"]): 1.0, str(files["broken"]): 1.0})
    worn.changed.emit()
    assert dialog.lack.text() == "broken.safetensors: It cannot be read as an adapter."
    assert not dialog.go.isEnabled()
    worn.wear({str(files["ink"]): 1.0, str(files["lines"]): 1.0})
    worn.changed.emit()
    worn.rows[1].weight.setValue(0)
    assert "two adapters or more" in dialog.lack.text()


def test_a_base_with_adapters_is_asked_for(
    page: AdaptersPage, files, workers, tiny_base: Path, tmp_path: Path, monkeypatch
) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "bake")
    form = dialog.form
    assert "demo base" in form.base.words.text()  # the project's
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tiny_base))
    form.base._on_folder_wished()
    assert form.base.words.text() == f"{tiny_base.name}: Stable Diffusion 1, predicts noise"
    assert dialog.target == tiny_base.parent / f"{tiny_base.name}-with-ink"
    assert dialog.makes.text().startswith("A model of ")
    form.worn.first.weight.setValue(14)
    dialog._folder = tmp_path
    dialog.go.click()
    assert of(workers, BakeJob).job == BakeJob(
        adapters={str(files["ink"]): 0.7},
        base=str(tiny_base),
        out=str(tmp_path / f"{tiny_base.name}-with-ink"),
    )


def test_a_base_that_is_none_or_another_familys_is_named(
    page: AdaptersPage, files, tiny_base: Path, monkeypatch
) -> None:
    choose(page, files["wide"])
    dialog = opened(page, "bake")
    dialog.form.base.use(str(tiny_base))
    assert dialog.lack.text() == (
        f"wide.safetensors is for {XL}, the model is a Stable Diffusion 1. Choose others."
    )
    dialog.form.base.use(str(files["ink"]))
    assert "ink.safetensors" in dialog.lack.text()
    assert not dialog.go.isEnabled()
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("", (), {"free": 10})())
    choose(page, files["ink"])
    dialog = opened(page, "bake")
    dialog.form.base.use(str(tiny_base))
    assert "10 MiB" not in dialog.lack.text()
    assert "0.0 MiB are free" in dialog.lack.text()


def test_an_adapter_is_taken_out_of_a_model(
    faked: MainWindow, workers, tiny_base: Path, tmp_path: Path, project: Project, tmp_path_factory
) -> None:
    faked.show_page("Adapters")
    dialog = opened(adapters_page(faked), "extract")
    form = dialog.form
    assert dialog.lack.text() == "Choose the fine-tuned model."
    form.tuned.use(str(tiny_base))
    assert dialog.lack.text() == "Choose the model that it was made from."
    form.parent_base.use(str(tiny_base))
    assert dialog.lack.text() == "Both are the same model."
    form.parent_base.use(str(made("sdxl", tmp_path_factory)))
    assert f"a {XL}. Choose the model that it was made from." in dialog.lack.text()
    form.parent_base.use(str(made("sd1-v", tmp_path_factory)))
    form.size_choice.rank.setValue(12)
    form.layers.setCurrentIndex(2)
    form.convolutions.setChecked(True)
    dialog.go.click()
    assert of(workers, ExtractJob).job == ExtractJob(
        tuned=str(tiny_base),
        parent=str(made("sd1-v", tmp_path_factory)),
        out=str(project.adapters / f"{tiny_base.name}-rank12.safetensors"),
        rank=12,
        targets="linear",
        convolutions=True,
    )


def test_a_copy_for_another_program_goes_where_the_last_went(
    page: AdaptersPage, files, workers, tmp_path: Path
) -> None:
    choose(page, files["ink"])
    dialog = opened(page, "save")
    dialog._folder = tmp_path
    for number, format_ in enumerate(("usual", "diffusers", "kohya", "peft")):
        dialog.form.group.button(number).click()
        assert dialog.target.suffix == ("" if format_ == "peft" else ".safetensors")
        dialog.go.click()
        worker = of(workers, ExportJob)
        assert (worker.job.format, worker.job.source) == (format_, str(files["ink"]))
        Path(worker.job.out).write_bytes(b"saved")
        worker.tell(FileMade(path=worker.job.out, words="1 layer."))
        worker.end()
    assert [card.path.stem for card in page.cards.cards[1:]] == ["ink", "lines", "wide", "broken"]
    assert opened(page, "save").folder == tmp_path


def test_everything_is_reached_by_keys_and_named(page: AdaptersPage, files) -> None:
    choose(page, files["ink"])
    for action in ("save", "resize", "join", "bake", "extract"):
        dialog = opened(page, action)
        nameless = [
            type(widget).__name__
            for widget in dialog.findChildren(QWidget)
            if widget.isVisibleTo(dialog)
            and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            and not (widget.accessibleName() or getattr(widget, "text", lambda: "")())
        ]
        assert nameless == [], action
        dialog.reject()
