"""Settings: each field sets its own, what is typed is kept, and all can be undone."""

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.models import bases
from app.models.run_settings import Settings, preset_of, values_of
from app.views.main_window import MainWindow
from app.views.settings_form import SettingsForm
from core.config import files, presets
from core.config.options import RunConfig
from core.errors import BaseModelError
from core.project.layout import Project
from tests.gui.conftest import button, train_page

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def form(faked: MainWindow) -> SettingsForm:
    faked.activateWindow()
    faked.show_page("Train")
    return train_page(faked).form


FIELDS = {
    "training.steps": lambda form: form.steps.setValue(5),
    "adapter.rank": lambda form: form.rank.setValue(3),
    "dataset.trigger": lambda form: (form.trigger.setText("ink"), form.commit()),
    "preview.prompts": lambda form: (form.prompts.setPlainText("a\n\n b "), form.commit()),
    "training.learning_rate": lambda form: (form.rate.setValue(3e-5), form.commit()),
    "training.batch_size": lambda form: form.batch.setValue(7),
    "dataset.resolution_px": lambda form: form.edge.setValue(640),
    "adapter.text_encoder": lambda form: form.text_encoder.click(),
}
VALUES = {
    "training.steps": 1000,
    "adapter.rank": 32,
    "dataset.trigger": "ink",
    "preview.prompts": ("a", "b"),
    "training.learning_rate": 3e-5,
    "training.batch_size": 7,
    "dataset.resolution_px": 640,
    "adapter.text_encoder": False,
}
WITH_IT = {"adapter.rank": {"adapter.alpha": 32.0}}


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_sets_its_own_and_is_undone(
    faked: MainWindow, form: SettingsForm, project: Project, path: str, qtbot: QtBot
) -> None:
    before = values_of(project.config())
    FIELDS[path](form)
    wanted = {**before, path: VALUES[path], **WITH_IT.get(path, {})}
    assert values_of(project.config()) == wanted
    faked.undo.trigger()
    assert values_of(project.config()) == before
    faked.redo.trigger()
    assert values_of(project.config()) == wanted


@pytest.mark.parametrize("then", ["slider", "preset"])
def test_prompts_just_typed_are_kept(
    form: SettingsForm, project: Project, qtbot: QtBot, then: str
) -> None:
    form.prompts.setPlainText("a fox\na whale\nmy third prompt")
    if then == "slider":
        form.steps.setValue(form.steps.value() + 1)  # sooner than what is typed is saved
    else:
        form.presets.buttons()[1].click()
    wanted = ("a fox", "a whale", "my third prompt")
    qtbot.waitUntil(lambda: project.config().preview.prompts == wanted)
    assert form.prompts.toPlainText().endswith("my third prompt")


def test_a_typed_batch_size_is_kept_where_buttons_take_no_focus(
    form: SettingsForm, project: Project
) -> None:
    form.batch.lineEdit().setText("7")
    form.presets.buttons()[1].click()
    assert project.config().training.batch_size == 7


def test_what_another_program_sets_does_not_take_what_is_being_typed(
    faked: MainWindow, form: SettingsForm, project: Project
) -> None:
    form.batch.lineEdit().setText("7")
    project.save(files.with_changes(project.config(), ["training.seed=5"]))
    faked.studio.settings.refresh()
    assert form.batch.lineEdit().text() == "7"
    form.commit()
    assert (project.config().training.batch_size, project.config().training.seed) == (7, 5)


def test_keys_undo_a_preset_from_anywhere_on_the_page(
    faked: MainWindow, form: SettingsForm, project: Project, qtbot: QtBot
) -> None:
    before = project.config()
    form.presets.buttons()[1].click()
    assert project.config() != before
    form.prompts.setFocus()  # which has nothing of its own to undo
    qtbot.waitUntil(form.prompts.hasFocus)
    qtbot.keyClick(form.prompts, Qt.Key.Key_Z, CONTROL)
    assert project.config() == before


def test_dragging_a_slider_is_one_step_back(
    faked: MainWindow, form: SettingsForm, project: Project
) -> None:
    before = project.config()
    for place in range(6):
        form.steps.setValue(place)
    assert faked.studio.settings.undo_stack.count() == 1
    faked.undo.trigger()
    assert project.config() == before


def test_small_rates_are_shown_and_typed_as_people_write_them(
    faked: MainWindow, form: SettingsForm, project: Project, qtbot: QtBot
) -> None:
    faked.studio.settings.set("training.learning_rate", 1e-7)
    assert form.rate.text() == "1e-07"
    form.rate.setFocus()
    form.rate.selectAll()
    qtbot.keyClicks(form.rate, "2e-5")
    qtbot.keyClick(form.rate, Qt.Key.Key_Return)
    assert project.config().training.learning_rate == 2e-5
    form.rate.stepUp()
    assert project.config().training.learning_rate == pytest.approx(2.5e-5)


def test_the_wheel_changes_only_what_was_clicked(form: SettingsForm) -> None:
    before = form.steps.value()

    def turn() -> None:
        event = QWheelEvent(
            QPointF(5, 5),
            QPointF(5, 5),
            QPoint(0, 120),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(form.steps, event)

    form.prompts.setFocus()
    turn()
    assert form.steps.value() == before
    form.steps.setFocus()
    turn()
    assert form.steps.value() != before


def test_a_value_out_of_bounds_is_refused_in_words(faked: MainWindow, form: SettingsForm) -> None:
    before = faked.studio.settings.config
    faked.studio.settings.set("training.batch_size", 0)
    assert faked.studio.settings.config == before
    assert "cannot be used" in faked.messages.text
    assert not faked.studio.settings.undo_stack.canUndo()


def test_a_folder_that_is_no_model_changes_nothing(
    faked: MainWindow, form: SettingsForm, project: Project, tmp_path: Path
) -> None:
    before = project.config()
    form.use_base(str(tmp_path))
    assert project.config() == before
    assert "is not a base model" in faked.messages.text


def model_folder(path: Path, kind: str = "StableDiffusionPipeline") -> Path:
    path.mkdir()
    (path / "model_index.json").write_text(f'{{"_class_name": "{kind}"}}')
    return path


def test_going_back_to_a_base_keeps_the_preset(
    form: SettingsForm, project: Project, tmp_path: Path
) -> None:
    form.presets.buttons()[3].click()
    before = project.config()
    folder = model_folder(tmp_path / "model")
    form.use_base(str(folder))
    assert project.config().base == str(folder)
    assert preset_of(project.config()) is presets.PRESETS[3]
    assert project.config().dataset.resolution_px == 512
    form.use_base("demo")
    assert preset_of(project.config()) is presets.PRESETS[3]
    assert project.config().training == before.training.__class__(
        **{**msgspec.structs.asdict(before.training), "batch_size": 8}
    )
    assert button(form, "Quick try").isChecked()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"_class_name": "FluxPipeline"}', b"[" * 100_000]
)
def test_odd_model_folders_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model_index.json").write_bytes(content)
    with pytest.raises(BaseModelError):
        bases.check(tmp_path)


def test_two_changes_apart_in_time_are_two_steps(monkeypatch, tmp_path: Path) -> None:
    now = [0.0]
    monkeypatch.setattr("app.models.run_settings.time.monotonic", lambda: now[0])
    settings = Settings()
    settings.config = RunConfig(name="x", base="demo")
    settings.set("training.steps", 300)
    now[0] = 10.0
    settings.set("training.steps", 500)
    settings.undo_stack.undo()
    assert settings.config.training.steps == 300
