"""The models behind the pages, under Qt's own checks."""

from pathlib import Path
from threading import Event

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QAbstractItemModel
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from app.models import scanner
from app.models.dataset import Dataset
from app.models.importer import copy_beside, free_name, taken_stems
from app.models.picture_rows import Role
from app.models.pictures import Thumbnails
from app.models.previews import PreviewTable
from app.models.rows import changes
from app.models.run_record import read
from app.models.runs import Runs
from app.models.scanner import Look
from core.config.options import RunConfig
from core.data import scan
from core.data.scan import Dataset as Scanned
from core.project.layout import Project, create
from core.protocol import wire
from core.protocol.events import PreviewReady, StepDone
from core.training.clock import Clock
from tests.conftest import draw_picture, fill


def checked(model: QAbstractItemModel) -> None:
    mode = QAbstractItemModelTester.FailureReportingMode.Fatal
    QAbstractItemModelTester(model, mode, model)


@pytest.fixture
def opened(tmp_path: Path) -> Project:
    project = create(tmp_path / "p", RunConfig(name="P", base="demo"))
    fill(project.images, 3)
    return project


@pytest.fixture
def model(qtbot: QtBot, opened: Project):
    thumbnails = Thumbnails()
    made = Dataset(thumbnails)
    checked(made.rows)
    made.open(opened)
    qtbot.waitUntil(lambda: made.rows.rowCount() == 3 and not made.busy)
    yield made
    made.finish()
    thumbnails.finish()


def test_dropped_files_and_folders_are_copied_with_their_captions(
    model: Dataset, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(tmp_path / "more" / "deep", 2)
    (tmp_path / "more" / "notes.md").write_text("not a picture")
    single = draw_picture(tmp_path / "p00.png", 9)
    with qtbot.waitSignal(model.imported) as told:
        model.import_paths([tmp_path / "more", single])
    assert (told.args[0].found, told.args[0].copied) == (3, 3)
    qtbot.waitUntil(lambda: model.rows.rowCount() == 6)
    names = [p.path.name for p in model.rows.pictures]
    assert "p00-2.png" in names  # the name was taken: nothing is overwritten
    assert model.project is not None
    assert (model.project.images / "p00-2.txt").read_text() == "a ball number 0"
    assert single.exists()


def test_a_caption_is_written_and_undone(model: Dataset) -> None:
    path = model.rows.pictures[0].path
    sidecar = path.with_suffix(".txt")
    sidecar.write_bytes(b"caf\xe9\r\n")
    assert model.set_caption(path, "caf\u00e9 noir", "caf\u00e9")
    assert sidecar.read_bytes() == b"caf\xe9 noir\r\n"
    assert model.rows.index(0).data(Role.CAPTION) == "caf\u00e9 noir"
    model.undo_stack.undo()
    assert sidecar.read_bytes() == b"caf\xe9\r\n"
    model.undo_stack.redo()
    assert sidecar.read_bytes() == b"caf\xe9 noir\r\n"


def test_an_empty_caption_is_a_finding_at_once(model: Dataset) -> None:
    path = model.rows.pictures[1].path
    assert model.set_caption(path, "", model.rows.pictures[1].caption)
    assert [f.path for f in model.findings.all] == [path]
    assert model.rows.index(1).data(Role.FINDING)
    model.undo_stack.undo()
    assert not model.findings.all


def test_removed_pictures_go_to_the_bin_and_come_back(model: Dataset, qtbot: QtBot) -> None:
    paths = [model.rows.pictures[0].path, model.rows.pictures[2].path]
    contents = [p.read_bytes() for p in paths]
    model.remove(paths)
    assert model.rows.rowCount() == 1
    qtbot.waitUntil(lambda: not model.busy)
    assert model.project is not None
    assert len(list(model.project.bin.iterdir())) == 4
    model.undo_stack.undo()
    qtbot.waitUntil(lambda: model.rows.rowCount() == 3)
    assert [p.read_bytes() for p in paths] == contents
    assert [p.with_suffix(".txt").exists() for p in paths] == [True, True]


def test_a_folder_that_cannot_be_written_is_told(model: Dataset, qtbot: QtBot, monkeypatch) -> None:
    monkeypatch.setattr(
        "app.models.importer.shutil.copyfile",
        lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")),
    )
    other = draw_picture(model.rows.pictures[0].path.parents[2] / "other.png", 1)
    with qtbot.waitSignal(model.imported) as told:
        model.import_paths([other])
    assert (told.args[0].found, told.args[0].copied) == (1, 0)
    assert "Permission denied" in told.args[0].problem
    assert "images" in told.args[0].problem
    assert not list((model.rows.pictures[0].path.parent).glob("other*"))


def test_another_programs_caption_is_kept(model: Dataset, qtbot: QtBot) -> None:
    """What was written here wins, and the other text is not lost."""
    path = model.rows.pictures[0].path
    path.with_suffix(".txt").write_text("from a tagger")
    with qtbot.waitSignal(model.noted) as noted:
        assert model.set_caption(path, "mine", "a ball number 0")
    assert path.with_suffix(".txt").read_text() == "mine"
    assert model.project is not None
    (kept,) = model.project.bin.iterdir()
    assert kept.read_text() == "from a tagger"
    assert str(kept) in noted.args[0]


def test_undo_leaves_another_programs_caption(model: Dataset, qtbot: QtBot) -> None:
    path = model.rows.pictures[0].path
    sidecar = path.with_suffix(".txt")
    assert model.set_caption(path, "mine", "a ball number 0")
    sidecar.write_text("from a tagger")
    with qtbot.waitSignal(model.failed) as said:
        model.undo_stack.undo()
    assert sidecar.read_text() == "from a tagger"
    assert model.project is not None
    assert [p.read_text() for p in model.project.bin.iterdir()] == ["a ball number 0"]
    assert "p00.txt has been changed by another program" in said.args[0]
    assert str(model.project.bin) in said.args[0]


def test_a_project_file_that_is_gone_is_told(model: Dataset, qtbot: QtBot) -> None:
    assert model.project is not None
    model.project.config_file.unlink()
    with qtbot.waitSignal(model.failed) as said:
        model.rescan()
    assert "project.toml" in said.args[0]


def test_a_scan_that_is_given_up_leaves_nothing_behind(
    model: Dataset, qtbot: QtBot, tmp_path: Path
) -> None:
    other = create(tmp_path / "other", RunConfig(name="O", base="demo"))
    fill(other.images, 2)
    model.rescan()
    model.open(other)
    qtbot.waitUntil(lambda: not model.busy)
    assert [p.path.parent for p in model.rows.pictures] == [other.images] * 2
    model.open(None)
    assert model.rows.rowCount() == 0


def test_a_scan_does_not_undo_what_was_written_meanwhile(model: Dataset, qtbot: QtBot) -> None:
    path = model.rows.pictures[1].path
    old = model.rows.pictures[1].caption
    model.rescan()
    before = scan.scan([path.parent])  # what a scan read that began before the edit
    assert model.set_caption(path, "new words", old)
    model._on_found(look_of(before, model))
    assert model.rows.pictures[1].caption == "new words"
    qtbot.waitUntil(lambda: not model.busy)
    assert model.rows.pictures[1].caption == "new words"


def look_of(dataset: Scanned, model: Dataset) -> Look:
    """As the thread would tell it that began before the model's list changed."""
    rows = {str(p.path): row for row, p in enumerate(dataset.pictures)}
    shown = list(model.rows.pictures)
    return Look(dataset, shown, changes(shown, dataset.pictures), rows, sure=True)


def test_new_files_join_without_a_reset(model: Dataset, qtbot: QtBot) -> None:
    """A reset would throw selection and scrolling away."""
    resets = []
    model.rows.modelReset.connect(lambda: resets.append(1))
    images = model.rows.pictures[0].path.parent
    draw_picture(images / "aa.png", 5)
    draw_picture(images / "p01b.png", 5)
    model.rows.pictures[2].path.unlink()
    model.rescan()
    qtbot.waitUntil(
        lambda: [p.path.name for p in model.rows.pictures][1:] == ["p00.png", "p01.png", "p01b.png"]
    )
    assert not resets


def test_a_removed_picture_comes_back_with_its_caption(model: Dataset, qtbot: QtBot) -> None:
    path = model.rows.pictures[2].path
    caption = model.rows.pictures[2].caption
    model.remove([path])
    assert model.rows.row_of(path) == -1
    assert not model.set_caption(path, "written too late", "")
    qtbot.waitUntil(lambda: not path.with_suffix(".txt").exists())
    while model.undo_stack.canUndo():
        model.undo_stack.undo()
    qtbot.waitUntil(lambda: model.rows.row_of(path) == 2)
    assert path.with_suffix(".txt").read_text() == caption


def test_pictures_of_one_name_do_not_take_each_others_caption(model: Dataset, qtbot: QtBot) -> None:
    first = model.rows.pictures[0].path
    twin = first.with_suffix(".jpg")
    draw_picture(first.with_name("x.png"), 7).rename(twin)
    model.rescan()
    qtbot.waitUntil(lambda: any("shares its caption" in f.message for f in model.findings.all))
    model.remove([first])
    qtbot.waitUntil(lambda: not first.exists() and not model.busy)
    assert first.with_suffix(".txt").exists()
    taken = taken_stems(first.parent)
    assert free_name(first.parent, "P00.webp", taken).name == "P00-2.webp"
    assert free_name(first.parent, "p00.png", taken).name == "p00-3.png"


def test_a_caption_that_cannot_be_read_is_one_finding(model: Dataset, qtbot: QtBot) -> None:
    path = model.rows.pictures[1].path
    path.with_suffix(".txt").unlink()
    path.with_suffix(".txt").mkdir()
    model.rescan()
    qtbot.waitUntil(lambda: model.rows.rowCount() == 2 and not model.busy)
    (finding,) = model.findings.all
    assert finding.path == path
    assert "p01.txt" in finding.message


def test_thumbnails_arrive_and_follow_the_file(qtbot: QtBot, tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "a.png", 1)
    thumbnails = Thumbnails()
    for edge in (64, 96):
        draw_picture(path, 1, (edge, edge))
        with qtbot.waitSignal(thumbnails.ready):
            thumbnails.get(path)
        image = thumbnails.get(path)
        assert image is not None
        assert image.width() == edge
    thumbnails.finish()


def test_free_names_respect_captions_of_others(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a caption without its picture")
    taken = taken_stems(tmp_path)
    assert free_name(tmp_path, "a.png", taken).name == "a-2.png"
    source = draw_picture(tmp_path / "b.png", 1)
    assert copy_beside(source, tmp_path, taken) == source


def test_pictures_of_one_name_from_many_folders_are_all_copied(
    model: Dataset, qtbot: QtBot, tmp_path: Path
) -> None:
    for number in range(3):
        fill(tmp_path / "drop" / str(number), 2)
    with qtbot.waitSignal(model.imported):
        model.import_paths([tmp_path / "drop"])
    qtbot.waitUntil(lambda: model.rows.rowCount() == 9)
    assert all(picture.caption for picture in model.rows.pictures)


def test_copying_can_be_stopped(model: Dataset, qtbot: QtBot, tmp_path: Path) -> None:
    fill(tmp_path / "drop", 20)
    model.busy_changed.connect(model.stop_importing)  # at the first sign of it
    with qtbot.waitSignal(model.imported) as said:
        model.import_paths([tmp_path / "drop"])
    (imported,) = said.args
    assert imported.stopped
    assert imported.copied < 20


def test_a_file_that_comes_while_pictures_are_copied_is_not_written_over(tmp_path: Path) -> None:
    taken = taken_stems(tmp_path)
    for name in ("a.png", "b.txt"):
        (tmp_path / name).write_text("the person's own")
    assert free_name(tmp_path, "a.png", taken).name == "a-2.png"
    assert free_name(tmp_path, "b.png", taken).name == "b-2.png"


def test_an_import_after_a_stopped_one_is_whole(
    model: Dataset, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(tmp_path / "one", 20)
    fill(tmp_path / "two", 5)
    said = []
    model.imported.connect(said.append)
    model.import_paths([tmp_path / "one"])
    model.stop_importing()
    model.import_paths([tmp_path / "two"])
    qtbot.waitUntil(lambda: len(said) == 2)
    assert said[0].stopped
    assert (said[1].copied, said[1].stopped) == (5, False)
    assert not model.importing


def test_what_is_on_screen_now_is_decoded_before_what_was(qtbot: QtBot, tmp_path: Path) -> None:
    paths = [draw_picture(tmp_path / f"{n}.png", n, (1500, 1500)) for n in range(12)]
    thumbnails = Thumbnails()
    came: list[str] = []
    thumbnails.ready.connect(came.append)
    for path in paths:
        thumbnails.get(path)
    qtbot.waitUntil(lambda: len(came) == 12, timeout=20_000)
    assert came.index(str(paths[11])) < came.index(str(paths[4]))
    thumbnails.finish()


def test_a_record_is_read_from_a_log_with_odd_lines(opened: Project) -> None:
    run = opened.new_run(opened.config())
    steps = [step_done(1, 0.5), step_done(2, 0.25)]
    content = b"".join(wire.to_line(e) for e in steps)
    run.log_file.write_bytes(b'{"type":"from the future"}\n' + content + b'{"type":"ste')
    record = read(run)
    assert list(record.losses) == [0.5, 0.25]
    record.take(step_done(2, 0.3))
    assert list(record.losses) == [0.5, 0.3]  # a resumed run does a step again


def step_done(step: int, loss: float) -> StepDone:
    return StepDone(step=step, loss=loss, lr=0.1, grad_norm=1, seconds=1, seconds_left=1)


def like(config: RunConfig, steps: int) -> RunConfig:
    """Four prompts every ten steps."""
    preview = replace(config.preview, prompts=("a", "b", "c", "d"), every=10)
    training = replace(config.training, steps=steps, checkpoint_every=10)
    return replace(config, preview=preview, training=training)


def told(config: RunConfig, until: int) -> tuple[list[StepDone], float]:
    """What a run says until a step, and how long it takes in all: 1 s a step, 3 s a picture."""
    clock, events, seconds = Clock(config, untrained=4), [], 0.0
    for step in range(1, config.training.steps + 1):
        clock.step_took(1.0)
        seconds += 1
        if step <= until:
            left = clock.left(step)
            events.append(
                StepDone(step=step, loss=0.5, lr=0.1, grad_norm=1, seconds=1, seconds_left=left)
            )
        drawn = 1 if step <= 4 else 4 if step % 10 == 0 or step == config.training.steps else 0
        if drawn:
            clock.pictures_took(3.0 * drawn, drawn, 0 if step <= 4 else step)
            seconds += 3.0 * drawn
        if step % 10 == 0:
            clock.save_took(2.0)
            seconds += 2
    return events, seconds


@pytest.mark.parametrize("until", [6, 25, 40])
def test_the_estimate_is_within_a_quarter(opened: Project, qtbot: QtBot, until: int) -> None:
    config = like(opened.config(), 40)
    run = opened.new_run(config)
    events, seconds = told(config, until)
    run.log_file.write_bytes(b"".join(wire.to_line(event) for event in events))
    runs = Runs()
    runs.open(opened)
    qtbot.waitUntil(lambda: not runs.reading)
    assert runs.estimate_seconds(config) == pytest.approx(seconds, rel=0.25)
    longer = like(config, 400)
    assert runs.estimate_seconds(longer) == pytest.approx(told(longer, 0)[1], rel=0.25)
    larger = replace(config, dataset=replace(config.dataset, resolution_px=768))
    assert runs.estimate_seconds(larger) is None


def test_previews_fill_a_table_while_they_come(opened: Project, qtbot: QtBot) -> None:
    runs = Runs()
    runs.open(opened)
    thumbnails = Thumbnails()
    table = PreviewTable(runs, thumbnails)
    checked(table)
    run = opened.new_run(opened.config())
    for step in (0, 100):
        for index in range(2):
            path = run.preview_file(step, index)
            path.parent.mkdir(exist_ok=True)
            draw_picture(path, index)
            event = PreviewReady(step=step, index=index, prompt=f"p{index}", seed=1, path=str(path))
            runs.take(event, run.root.name)
    assert (table.rowCount(), table.columnCount()) == (2, 2)
    preview = table.preview(1, 1)
    assert preview is not None
    assert (preview.prompt, preview.step) == ("p1", 100)
    thumbnails.finish()


def test_many_pictures_are_shown_as_they_were_before_their_folder_is_read(
    model: Dataset, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = model.project
    assert project is not None
    names = [picture.path.name for picture in model.rows.pictures]
    monkeypatch.setattr(scanner, "MANY", 2)
    shown: list[list[str]] = []
    real = scan.walk

    read_on = Event()
    monkeypatch.setattr(scan, "walk", lambda folders: (read_on.wait(10), real(folders))[1])
    (project.images / names[0]).unlink()
    model.open(None)
    model.open(project)
    qtbot.waitUntil(lambda: model.rows.rowCount() == len(names))
    shown.append([picture.path.name for picture in model.rows.pictures])
    assert model.findings.all == ()
    read_on.set()
    qtbot.waitUntil(lambda: not model.busy)
    shown.append([picture.path.name for picture in model.rows.pictures])
    assert shown == [names, names[1:]]
