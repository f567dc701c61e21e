"""Masks are painted by mouse and by keys, written beside their pictures, and undone to the byte."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QCheckBox
from pytestqt.qtbot import QtBot

from app.models import mask_files
from app.models.background import Work
from app.models.importer import copy_beside
from app.models.picture_rows import Role
from app.views.main_window import MainWindow
from app.views.mask_panel import FILL, MaskPanel
from app.widgets.mask_canvas import MaskCanvas
from core.data import canvas, masks
from core.data.history import Notes
from core.project.layout import Project
from tests.conftest import draw_picture
from tests.gui.conftest import button, dataset_page, editor_of, open_project

LEFT = Qt.MouseButton.LeftButton
SIZE = (300, 200)
Key = Qt.Key


@pytest.fixture
def painted(faked: MainWindow, project: Project, qtbot: QtBot) -> MainWindow:
    """Two pictures of two colours, the second with transparency; the first is chosen."""
    for file in project.images.iterdir():
        file.unlink()
    first = Image.new("RGB", SIZE, "#c33")
    first.paste("#33c", (150, 0, *SIZE))
    first.save(project.images / "a.png")
    clear = first.convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 300, 100))
    clear.save(project.images / "b.png")
    open_project(faked, qtbot, project, pictures=2)
    faked.show_page("Dataset")
    dataset_page(faked)._choose(0)
    return faked


def panel_of(window: MainWindow) -> MaskPanel:
    panel = dataset_page(window).masks.panel
    assert panel is not None
    return panel


def mask_of(window: MainWindow) -> np.ndarray:
    """As it is painted now."""
    mask = panel_of(window).model.mask
    assert mask is not None
    return mask


def do(window: MainWindow, name: str) -> None:
    window.studio.actions[name].trigger()


def paint(window: MainWindow, qtbot: QtBot) -> MaskCanvas:
    """Open the chosen picture's mask."""
    do(window, "dataset.mask")
    masks_of = dataset_page(window).masks
    qtbot.waitUntil(lambda: masks_of.painting and masks_of.panel.model.canvas is not None)
    return panel_of(window).canvas


def rest(window: MainWindow, qtbot: QtBot) -> None:
    dataset = window.studio.dataset
    qtbot.waitUntil(lambda: not dataset.busy and not dataset._files.busy)


def settle(window: MainWindow, qtbot: QtBot) -> None:
    """Until what goes on in the mask's own thread has ended."""
    qtbot.waitUntil(lambda: not panel_of(window).model.busy)


def leave(window: MainWindow, qtbot: QtBot) -> None:
    do(window, "mask.done")
    qtbot.waitUntil(lambda: not dataset_page(window).masks.painting)
    rest(window, qtbot)


def at(view: MaskCanvas, x: float, y: float) -> QPoint:
    return view._sight.to_view((x, y)).toPoint()


def drag(qtbot: QtBot, view: MaskCanvas, start: tuple[float, float], *ends: tuple[float, float]):
    qtbot.mousePress(view, LEFT, pos=at(view, *start))
    for end in ends:
        qtbot.mouseMove(view, pos=at(view, *end))
    qtbot.mouseRelease(view, LEFT, pos=at(view, *(ends or (start,))[-1]))


def file_of(project: Project, name: str = "a") -> Path:
    return project.images / f"{name}-masklabel.png"


def mask_in(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        assert image.mode == "L"
        return np.array(image)


def test_what_is_painted_is_written_and_undone_across_a_restart(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    view = paint(painted, qtbot)
    panel_of(painted)._set_width(40)
    drag(qtbot, view, (50, 100), (100, 100))
    assert not file_of(project).exists()  # not before it is done
    leave(painted, qtbot)
    mask = mask_in(file_of(project))
    assert mask.shape == (200, 300)
    assert mask[100, 50:100].max() == 0
    assert mask[100, 125] == mask[100, 20] == mask[60, 75] == mask[140, 75] == 255
    first = file_of(project).read_bytes()
    assert "mask of a.png" in painted.messages.text

    view = paint(painted, qtbot)
    drag(qtbot, view, (200, 50), (200, 150))
    leave(painted, qtbot)
    assert mask_in(file_of(project))[100, 200] == 0
    second = file_of(project).read_bytes()

    window = painted
    window.studio.workspace.open(project.root)  # as a start does
    rest(window, qtbot)
    assert window.undo.text() == "Undo: mask of a.png"
    window.undo.trigger()
    rest(window, qtbot)
    assert file_of(project).read_bytes() == first
    window.undo.trigger()
    rest(window, qtbot)
    assert not file_of(project).exists()  # there was none
    window.redo.trigger()
    window.redo.trigger()
    rest(window, qtbot)
    assert file_of(project).read_bytes() == second
    assert sorted(file.name for file in project.images.iterdir()) == [
        "a-masklabel.png",
        "a.png",
        "b.png",
    ]


def test_strokes_are_undone_one_by_one_and_nothing_else_is(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    page = dataset_page(painted)
    path = page.shown.picture(0).path
    assert painted.studio.dataset.set_caption(path, "a ball", "")
    view = paint(painted, qtbot)
    states = [mask_of(painted).copy()]
    for x in (40, 120, 200):
        drag(qtbot, view, (x, 40), (x + 20, 60), (x, 90))
        states.append(mask_of(painted).copy())
    assert painted.undo.text() == "Undo: stroke"
    for state in (*states[-2::-1], states[0]):
        painted.undo.trigger()
        assert (mask_of(painted) == state).all()
    assert (project.images / "a.txt").read_text().strip() == "a ball"
    for state in states[1:]:
        painted.redo.trigger()
        assert (mask_of(painted) == state).all()
    painted.undo.trigger()
    leave(painted, qtbot)
    assert (mask_in(file_of(project)) == states[-2]).all()
    painted.undo.trigger()  # the whole edit is one step of the page's
    rest(painted, qtbot)
    assert not file_of(project).exists()
    assert painted.undo.text().startswith("Undo: caption")


def test_a_mask_that_was_undone_to_the_end_is_not_written(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    index = painted.studio.dataset.undo_stack.index()
    view = paint(painted, qtbot)
    drag(qtbot, view, (50, 50), (90, 90))
    painted.undo.trigger()
    leave(painted, qtbot)
    assert not file_of(project).exists()
    assert painted.studio.dataset.undo_stack.index() == index


def test_keys_alone_paint(painted: MainWindow, project: Project, qtbot: QtBot) -> None:
    dataset_page(painted).grid.setFocus()
    qtbot.keyClick(dataset_page(painted).grid, Key.Key_M)
    masks_of = dataset_page(painted).masks
    qtbot.waitUntil(lambda: masks_of.painting and masks_of.panel.model.canvas is not None)
    panel = panel_of(painted)
    view = panel.canvas
    qtbot.waitUntil(view.hasFocus)
    width = panel.model.brush.radius_px
    qtbot.keyClick(view, Key.Key_BracketLeft)
    assert panel.model.brush.radius_px < width
    qtbot.keyClick(view, Key.Key_BracketRight)
    assert panel.model.brush.radius_px == pytest.approx(width, abs=1)
    assert view.at == (150, 100)  # the middle
    qtbot.keyClick(view, Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert view.at == (149, 100)
    qtbot.keyPress(view, Key.Key_Space)
    for _ in range(5):
        qtbot.keyClick(view, Key.Key_Left)
    qtbot.keyRelease(view, Key.Key_Space)
    qtbot.keyClick(view, Key.Key_Down)  # painting has ended
    x = int(view.at[0])
    assert panel.model.stack.count() == 1
    assert mask_of(painted)[100, x:149].max() == 0
    assert f"{x}, 110 of 300 x 200 px: left out." in panel._where.text()
    qtbot.keyClick(view, Key.Key_X)
    assert panel.model.brush.learnt
    assert panel._sides.checkedId() == 1
    qtbot.keyClick(view, Key.Key_Up)
    qtbot.keyClick(view, Key.Key_Space)  # a single dab, back to what is learnt
    assert mask_of(painted)[100, x] == 255
    qtbot.keyClick(view, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert mask_of(painted)[100, x] == 0
    qtbot.keyClick(view, Key.Key_Escape)
    qtbot.waitUntil(lambda: file_of(project).exists())
    assert not masks_of.painting


def test_a_fill_takes_what_is_of_one_colour(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    view = paint(painted, qtbot)
    panel_of(painted).use(FILL)
    qtbot.mouseClick(view, LEFT, pos=at(view, 200, 100))
    settle(painted, qtbot)
    mask = mask_of(painted)
    assert (mask[:, :150] == 255).all()
    assert (mask[:, 150:] == 0).all()
    assert panel_of(painted)._said.text() == "50% is learnt"
    assert painted.undo.text() == "Undo: fill"
    leave(painted, qtbot)
    assert (mask_in(file_of(project)) == mask).all()


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("invert", lambda mask: 255 - mask),
        ("clear", lambda mask: np.full_like(mask, 255)),
    ],
)
def test_the_whole_mask_is_changed_as_one_step(
    painted: MainWindow, qtbot: QtBot, name: str, of: Callable
) -> None:
    view = paint(painted, qtbot)
    drag(qtbot, view, (50, 50), (90, 90))
    before = mask_of(painted).copy()
    do(painted, f"mask.{name}")
    settle(painted, qtbot)
    assert (mask_of(painted) == of(before)).all()
    painted.undo.trigger()
    assert (mask_of(painted) == before).all()


def test_edges_grow_shrink_and_blur_by_what_is_said(painted: MainWindow, qtbot: QtBot) -> None:
    paint(painted, qtbot)
    panel, model = panel_of(painted), panel_of(painted).model
    panel.use(FILL)
    panel._on_pressed(200.0, 100.0)
    settle(painted, qtbot)
    panel._edge.setValue(5)
    for name, edge in (("grow", 155), ("shrink", 150), ("shrink", 145)):
        do(painted, f"mask.{name}")
        settle(painted, qtbot)
        assert (mask_of(painted)[100] == 255).sum() == edge
    do(painted, "mask.blur")
    settle(painted, qtbot)
    assert 0 < mask_of(painted)[100, 145] < 255
    assert [model.stack.text(n) for n in range(model.stack.count())] == [
        "fill",
        "grow by 5 px",
        "shrink by 5 px",
        "shrink by 5 px",
        "blur by 5 px",
    ]


def test_from_transparency_in_the_mode(painted: MainWindow, qtbot: QtBot) -> None:
    paint(painted, qtbot)
    do(painted, "mask.from_transparency")
    settle(painted, qtbot)
    assert "a.png has no transparency" in painted.messages.text
    assert not panel_of(painted).model.altered
    leave(painted, qtbot)
    dataset_page(painted)._choose(1)
    paint(painted, qtbot)
    do(painted, "mask.from_transparency")
    settle(painted, qtbot)
    mask = mask_of(painted)
    assert (mask[:100] == 0).all()
    assert (mask[100:] == 255).all()


def test_a_mask_that_is_white_all_over_goes(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    file = file_of(project)
    Image.new("L", SIZE, 9).save(file)
    content = file.read_bytes()
    painted.studio.dataset.rescan()
    rest(painted, qtbot)
    paint(painted, qtbot)
    assert (mask_of(painted) == 9).all()
    do(painted, "mask.clear")
    settle(painted, qtbot)
    leave(painted, qtbot)
    assert not file.exists()
    painted.undo.trigger()
    rest(painted, qtbot)
    assert file.read_bytes() == content


def test_nothing_learnt_is_said(painted: MainWindow, qtbot: QtBot) -> None:
    paint(painted, qtbot)
    do(painted, "mask.invert")
    settle(painted, qtbot)
    assert panel_of(painted)._said.text().startswith("Nothing of it is learnt")


def test_a_picture_that_cannot_be_painted_on_is_told(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    (project.images / "a.png").write_bytes(b"broken")
    do(painted, "dataset.mask")
    qtbot.waitUntil(lambda: "a.png cannot be read" in painted.messages.text)
    assert "a.png cannot be read" in panel_of(painted).canvas._words
    leave(painted, qtbot)
    assert not file_of(project).exists()


def test_a_damaged_mask_is_never_written_over(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    file_of(project).write_bytes(b"broken")
    do(painted, "dataset.mask")
    qtbot.waitUntil(lambda: "a-masklabel.png cannot be read" in painted.messages.text)
    leave(painted, qtbot)
    assert file_of(project).read_bytes() == b"broken"


def test_turning_to_another_page_writes(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    drag(qtbot, paint(painted, qtbot), (50, 50), (90, 90))
    painted.show_page("Train")
    rest(painted, qtbot)
    assert file_of(project).exists()
    painted.show_page("Dataset")
    assert not dataset_page(painted).masks.painting
    assert painted.undo.text() == "Undo: mask of a.png"


def test_closing_the_window_writes(painted: MainWindow, project: Project, qtbot: QtBot) -> None:
    drag(qtbot, paint(painted, qtbot), (50, 50), (90, 90))
    painted.close()
    assert mask_in(file_of(project))[50, 50] == 0


def test_leaving_waits_for_what_goes_on(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    paint(painted, qtbot)
    do(painted, "mask.invert")
    do(painted, "mask.done")  # at once
    qtbot.waitUntil(lambda: not dataset_page(painted).masks.painting)
    rest(painted, qtbot)
    assert (mask_in(file_of(project)) == 0).all()


def test_a_picture_that_goes_meanwhile_gets_no_mask(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    drag(qtbot, paint(painted, qtbot), (50, 50), (90, 90))
    (project.images / "a.png").unlink()
    leave(painted, qtbot)
    assert not file_of(project).exists()
    assert "a.png is not there any more" in painted.messages.text


def test_masked_pictures_have_a_sign_and_are_found(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    page, studio = dataset_page(painted), painted.studio
    plain = page.grid.viewport().grab().toImage()
    page._choose(1)
    do(painted, "dataset.masks_alpha")
    rest(painted, qtbot)
    qtbot.waitUntil(lambda: studio.dataset.rows.masked == 1)
    index = page.shown.index(1)
    assert index.data(Role.MASKED)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "b.png, masked"
    place = page.grid.visualRect(index)
    corner = QPoint(place.right() - 12, page.grid._rows.place(1).bottom() - 12)
    page._choose(0)
    signed = page.grid.viewport().grab().toImage()
    assert signed.pixelColor(corner) != plain.pixelColor(corner)
    page.search.words.setText("masked")
    page.search.apply()
    assert [one.path.name for one in page.shown.pictures] == ["b.png"]
    page.search.words.setText("-masked")
    page.search.apply()
    assert [one.path.name for one in page.shown.pictures] == ["a.png"]
    offered = page.search._suggest("mask", 4).words
    assert ("masked", "with a mask") in offered


def test_masks_that_a_run_does_not_heed_are_told_and_heeded_by_a_press(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    page, settings = dataset_page(painted), painted.studio.settings
    assert not page.unheeded.isVisible()
    Image.new("L", SIZE).save(file_of(project))
    painted.studio.dataset.rescan()
    rest(painted, qtbot)
    qtbot.waitUntil(page.unheeded.isVisible)
    assert page.unheeded._words.text() == "1 picture has a mask that a run does not heed."
    assert project.config().dataset.masks == "none"
    button(page, "Heed masks").click()
    assert not page.unheeded.isVisible()
    assert project.config().dataset.masks == "files"
    settings.set("dataset.masks", "alpha")
    assert page.unheeded.isVisible()


def test_masks_of_many_are_made_inverted_and_removed_each_as_one_step(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    page = dataset_page(painted)
    first = file_of(project)
    Image.new("L", SIZE, 7).save(first)
    states = [_bytes(project)]

    def act(name: str) -> None:
        page.grid.selectAll()
        do(painted, f"dataset.{name}")
        rest(painted, qtbot)
        states.append(_bytes(project))

    act("masks_alpha")
    assert "a.png has no transparency" in painted.messages.text
    assert (mask_in(first) == 7).all()  # stays as it was
    assert (mask_in(file_of(project, "b"))[:100] == 0).all()
    act("masks_invert")
    assert (mask_in(first) == 248).all()
    assert (mask_in(file_of(project, "b"))[:100] == 255).all()
    act("masks_remove")
    assert not first.exists()
    assert not file_of(project, "b").exists()
    for state in states[-2::-1]:
        painted.undo.trigger()
        rest(painted, qtbot)
        assert _bytes(project) == state
    for state in states[1:]:
        painted.redo.trigger()
        rest(painted, qtbot)
        assert _bytes(project) == state


def _bytes(project: Project) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in project.images.iterdir()}


def test_a_mask_goes_with_its_picture_and_comes_back(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    Image.new("L", SIZE, 7).save(file_of(project))
    painted.studio.dataset.rescan()
    rest(painted, qtbot)
    before = _bytes(project)
    painted.studio.dataset.remove([project.images / "a.png"])
    rest(painted, qtbot)
    assert sorted(_bytes(project)) == ["b.png"]
    painted.undo.trigger()
    rest(painted, qtbot)
    assert _bytes(project) == before
    painted.studio.dataset.cut({project.images / "a.png": (0.5, 0, 1, 1)})
    rest(painted, qtbot)
    assert mask_in(file_of(project)).shape == (200, 150)
    painted.undo.trigger()
    rest(painted, qtbot)
    assert _bytes(project) == before


def test_a_mask_is_copied_with_its_picture(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    source = draw_picture(tmp_path / "from" / "a.png", 1)
    mask = masks.place(source)
    mask.write_bytes(canvas.content(np.zeros((8, 8), np.uint8)))
    folder = tmp_path / "images"
    folder.mkdir()
    other = folder / "a-masklabel.png"
    other.write_bytes(b"another's")
    copy = copy_beside(source, folder, set())
    assert copy.name == "a-2.png"  # the mask that is there is no mask of this one
    assert other.read_bytes() == b"another's"
    assert masks.place(copy).read_bytes() == mask.read_bytes()


def test_looking_closer_paints_where_the_pointer_is(painted: MainWindow, qtbot: QtBot) -> None:
    view = paint(painted, qtbot)
    panel_of(painted)._set_width(6)
    whole = view.scale
    view.zoom(5.0, view._sight.to_view((60, 60)))
    assert view.scale == pytest.approx(5 * whole)
    drag(qtbot, view, (60, 60), (70, 60))
    mask = mask_of(painted)
    assert mask[60, 60:70].max() == 0
    assert mask[:50].min() == 255
    assert mask[:, 80:].min() == 255
    do(painted, "mask.fit")
    assert view.scale == pytest.approx(whole)


def test_the_tint_lies_on_what_is_left_out(painted: MainWindow, qtbot: QtBot) -> None:
    view = paint(painted, qtbot)
    before = view.grab().toImage()
    panel_of(painted)._set_width(60)
    drag(qtbot, view, (75, 100))
    qtbot.mouseMove(view, pos=at(view, 250, 30))
    after = view.grab().toImage()
    changed, kept = at(view, 75, 90), at(view, 130, 150)
    assert after.pixelColor(changed) != before.pixelColor(changed)
    assert after.pixelColor(kept) == before.pixelColor(kept)


def test_every_part_has_a_name(painted: MainWindow, qtbot: QtBot) -> None:
    view = paint(painted, qtbot)
    panel = panel_of(painted)
    assert view.accessibleName() == "Mask of a.png"
    assert panel._size.accessibleName()
    assert panel._edge.accessibleName()
    panel.use(FILL)
    assert "colour" in panel._size.accessibleName()
    assert panel._soft.isHidden()
    named = [one.text() for one in panel.findChildren(QCheckBox)]
    assert all(named)


def test_what_belongs_to_painting_is_offered_then_alone(painted: MainWindow, qtbot: QtBot) -> None:
    def offered() -> set[str]:
        possible = painted.studio.actions.possible()
        return {one.objectName() for one in possible if one.objectName().startswith("mask.")}

    paint(painted, qtbot)
    assert {"mask.invert", "mask.swap", "mask.done"} <= offered()
    leave(painted, qtbot)
    assert offered() == set()
    editor_of(painted).setFocus()
    qtbot.keyClicks(editor_of(painted), "mxf")  # typing opens nothing
    assert editor_of(painted).toPlainText() == "mxf"
    assert not dataset_page(painted).masks.painting


def test_nothing_is_undone_while_something_goes_on(painted: MainWindow, qtbot: QtBot) -> None:
    drag(qtbot, paint(painted, qtbot), (50, 50), (90, 90))
    before = mask_of(painted).copy()
    do(painted, "mask.invert")
    painted.undo.trigger()  # at once
    assert (mask_of(painted) == before).all()
    settle(painted, qtbot)
    assert (mask_of(painted) == 255 - before).all()
    painted.undo.trigger()
    assert (mask_of(painted) == before).all()


def test_undo_in_the_middle_of_a_stroke_takes_it_back(painted: MainWindow, qtbot: QtBot) -> None:
    view = paint(painted, qtbot)
    drag(qtbot, view, (50, 50), (90, 90))
    before = mask_of(painted).copy()
    qtbot.mousePress(view, LEFT, pos=at(view, 40, 40))
    qtbot.mouseMove(view, pos=at(view, 100, 40))
    assert (mask_of(painted) != before).any()
    painted.undo.trigger()
    qtbot.mouseMove(view, pos=at(view, 200, 40))
    qtbot.mouseRelease(view, LEFT, pos=at(view, 200, 40))
    assert (mask_of(painted) == before).all()
    assert panel_of(painted).model.stack.index() == 1


def test_what_comes_too_late_for_its_picture_is_dropped(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    paint(painted, qtbot)
    do(painted, "mask.invert")
    dataset_page(painted).go_to_search()  # leaves at once
    assert not dataset_page(painted).masks.painting
    paint(painted, qtbot)
    qtbot.wait(50)
    assert (mask_of(painted) == 255).all()
    assert not panel_of(painted).model.altered
    assert not file_of(project).exists()
    leave(painted, qtbot)
    do(painted, "dataset.mask")
    dataset_page(painted).masks.leave()  # before the picture is there
    model = panel_of(painted).model
    qtbot.waitUntil(lambda: not model._files.busy)
    assert model.canvas is None
    assert not dataset_page(painted).masks.painting


def test_the_oldest_steps_are_forgotten_and_the_last_never(
    painted: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.models.masking.MOST_BYTES", 2 * SIZE[0] * SIZE[1])
    paint(painted, qtbot)
    states = []
    for name in ("invert", "clear", "invert", "clear"):
        states.append(mask_of(painted).copy())
        do(painted, f"mask.{name}")
        settle(painted, qtbot)
    for state in states[:1:-1]:  # the last two
        painted.undo.trigger()
        assert (mask_of(painted) == state).all()
    kept = mask_of(painted).copy()
    for _ in range(3):
        painted.undo.trigger()
    assert (mask_of(painted) == kept).all()


def test_a_start_needs_no_numpy() -> None:
    code = "import sys, app.views.main_window; print('numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_a_step_takes_little_more_room_than_its_masks(
    painted: MainWindow, project: Project, qtbot: QtBot
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300)).astype(np.uint8)
    path = project.images / "a.png"

    def write(notes: Notes, _work: Work) -> str:
        return mask_files.write(path, noise, project, notes)

    assert painted.studio.dataset.change("Writing", "mask", write)
    rest(painted, qtbot)
    content = file_of(project).read_bytes()
    (step,) = (project.root / ".history").glob("0*.jsonl")
    assert len(content) > 50_000
    assert step.stat().st_size < 1.4 * len(content)
    painted.undo.trigger()
    rest(painted, qtbot)
    assert not file_of(project).exists()
    painted.redo.trigger()
    rest(painted, qtbot)
    assert file_of(project).read_bytes() == content
