"""Settings: each field sets its own, what is typed is kept, and all can be undone."""

from pathlib import Path
from typing import get_args

import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from app.models.run_settings import Settings, values_of
from app.views.main_window import MainWindow
from app.views.settings_form import SettingsForm
from app.widgets.card import PADDING_PX, PICTURE_PX
from core.config import files, presets
from core.config.facts import SD1
from core.config.options import Kind, RunConfig, Targets
from core.project.layout import Project
from tests.conftest import fill, made
from tests.e2e.test_single_files import header_file
from tests.e2e.test_text_files import text_files, without_weights
from tests.gui.conftest import button, dataset_page, train_page

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
    "adapter.kind": lambda form: form.kind.setCurrentText("LoKr"),
    "adapter.targets": lambda form: form.targets.setCurrentText("Style block only"),
    "adapter.conv_rank": lambda form: form.convolutions.setValue(8),
    "adapter.start": lambda form: form.start.use("mine.safetensors"),
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
    "adapter.kind": "lokr",
    "adapter.targets": "style",
    "adapter.conv_rank": 8,
    "adapter.start": "mine.safetensors",
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
        form.presets.group.buttons()[1].click()
    wanted = ("a fox", "a whale", "my third prompt")
    qtbot.waitUntil(lambda: project.config().preview.prompts == wanted)
    assert form.prompts.toPlainText().endswith("my third prompt")


def test_a_typed_batch_size_is_kept_where_buttons_take_no_focus(
    form: SettingsForm, project: Project
) -> None:
    form.batch.lineEdit().setText("7")
    form.presets.group.buttons()[1].click()
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
    form.presets.group.buttons()[1].click()
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
    form.base.use(str(tmp_path))
    assert project.config() == before
    assert "is not a base model" in faked.messages.text


def test_going_back_to_a_base_keeps_the_preset(
    form: SettingsForm, project: Project, tiny_base: Path
) -> None:
    form.base.use(str(tiny_base))
    form.base.use("demo")
    form.presets.group.buttons()[3].click()
    on_demo = project.config()
    assert on_demo.training.learning_rate == pytest.approx(3e-3)
    form.base.use(str(tiny_base))
    there = project.config()
    assert there.base == str(tiny_base)
    assert there.training.learning_rate == pytest.approx(3e-4)
    assert presets.matching(there, SD1) is presets.PRESETS[3]
    assert (there.dataset.resolution_px, there.training.batch_size) == (512, 1)
    form.base.use("demo")
    assert project.config() == on_demo
    assert button(form, "Quick try").isChecked()


def test_a_model_file_is_chosen_and_told_and_a_vae_beside_it(
    form: SettingsForm, project: Project, tmp_path: Path, faked
) -> None:
    unet = "model.diffusion_model."
    names = {
        f"{unet}input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{unet}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
        "conditioner.embedders.0.transformer.x": (1,),
        "conditioner.embedders.1.model.x": (1,),
    }
    before = project.config()
    file = header_file(tmp_path / "anime-vpred.safetensors", names)
    form.base.use(str(file))
    assert project.config() == before
    assert "has no vae" in faked.messages.text
    vae = header_file(tmp_path / "sdxl vae.safetensors", {"decoder.up.0.x": (1,)})
    form.base.set("vae", str(vae))
    form.base.use(str(file))
    chosen = project.config()
    assert (chosen.base, chosen.vae) == (str(file), str(vae))
    assert not chosen.adapter.text_encoder
    assert "predicts v with zero terminal SNR, float16" in faked.messages.text
    assert "By its name" in faked.messages.text
    form.base.set("prediction", "epsilon")
    words = f"{file.name}, Stable Diffusion XL, VAE sdxl vae.safetensors, predicts noise (epsilon)"
    assert form.base.words.text() == words
    form.base.use("demo")
    again = project.config()
    assert (again.base, again.vae, again.prediction) == ("demo", "", "auto")
    assert again.adapter.text_encoder


def test_of_a_transformer_alone_it_is_asked_where_the_rest_is(
    form: SettingsForm,
    project: Project,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    faked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = project.config()
    folder = made("flux", tmp_path_factory)
    file = header_file(tmp_path / "flux.safetensors", {"double_blocks.0.img_attn.x": (1,)})
    answers = ["", str(folder)]
    asked = []

    def choose(parent: object, words: str) -> str:
        asked.append(words)
        return answers.pop(0)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    form.base.use(str(file))
    assert project.config() == before
    assert "is the transformer of a Flux.1 model" in faked.messages.text
    form.targets.setCurrentIndex(list(get_args(Targets)).index("style"))
    form.base.use(str(file))
    chosen = project.config()
    assert (
        asked
        == ["flux.safetensors has no text encoders and VAE. Choose a model folder with them"] * 2
    )
    assert (chosen.base, chosen.rest) == (str(file), str(folder))
    assert chosen.adapter.targets == "attention"  # Flux has no layers of style
    assert form.base.words.text() == (
        f"flux.safetensors, Flux.1, text encoders and VAE of {folder.name}"
    )
    form.base.use("demo")
    assert project.config().rest == ""


def test_text_encoders_that_a_folder_lacks_are_asked_for_and_others_can_be_chosen(
    form: SettingsForm,
    project: Project,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    faked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = project.config()
    folder = without_weights(
        made("flux", tmp_path_factory), tmp_path / "small", "text_encoder", "text_encoder_2"
    )
    clip, t5 = text_files(made("flux", tmp_path_factory), tmp_path)
    answers = [[], [str(clip), str(t5)]]
    asked = []

    def choose(parent: object, words: str, *more: object) -> tuple[list[str], str]:
        asked.append(words)
        return answers.pop(0), ""

    monkeypatch.setattr(QFileDialog, "getOpenFileNames", choose)
    file = header_file(tmp_path / "flux.safetensors", {"double_blocks.0.img_attn.x": (1,)})
    form.base.use(str(file), str(folder))
    assert project.config() == before
    assert "has no weights in its text_encoder, a CLIP of width 32" in faked.messages.text
    form.base.use(str(file), str(folder))
    assert len(asked) == 2
    assert "a CLIP of width 32" in asked[1]
    chosen = project.config()
    assert (chosen.base, chosen.rest) == (str(file), str(folder))
    assert chosen.texts == (str(clip), str(t5))
    assert form.base.words.text() == (
        f"flux.safetensors, Flux.1, the rest of {folder.name}, "
        "text encoders text_encoder.safetensors and text_encoder_2.safetensors"
    )
    other = header_file(tmp_path / "other.safetensors", {"decoder.up.0.x": (1,)})
    answers += [[str(other)], [str(t5), str(clip)]]
    faked.studio.actions["base.texts"].trigger()
    assert project.config() == chosen
    assert "is no text encoder that is known here" in faked.messages.text
    faked.studio.actions["base.texts"].trigger()
    assert project.config().texts == (str(t5), str(clip))
    form.base.use(made("flux", tmp_path_factory).as_posix())
    assert project.config().texts == ()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"_class_name": "FluxPipeline"}', b"[" * 100_000]
)
def test_odd_model_folders_are_refused(
    form: SettingsForm, project: Project, tmp_path: Path, content: bytes
) -> None:
    before = project.config()
    (tmp_path / "model_index.json").write_bytes(content)
    form.base.use(str(tmp_path))
    assert project.config() == before


def test_another_kind_takes_what_it_has_not_along(
    faked: MainWindow, form: SettingsForm, project: Project
) -> None:
    """Convolutions with an OFT would be refused; both are set in one step, and undone in one."""
    form.convolutions.setValue(8)
    before = values_of(project.config())
    form.kind.setCurrentText("OFT")
    adapter = project.config().adapter
    assert (adapter.kind, adapter.conv_rank) == ("oft", 0)
    assert not form.convolutions.isEnabled()
    assert "merged into a model" in form._kind_words.text()
    faked.undo.trigger()
    assert values_of(project.config()) == before
    assert form.kind.currentText() == "LoRA"


def test_every_kind_and_set_of_layers_can_be_chosen(
    faked: MainWindow, form: SettingsForm, project: Project
) -> None:
    """From any to any, whatever was set before; none is refused."""
    said: list[str] = []
    faked.studio.settings.failed.connect(said.append)
    dropouts = {"lora": "adapter.dropout", "loha": "adapter.rank_dropout", "oft": "adapter.dropout"}
    for kind in [*get_args(Kind), *reversed(get_args(Kind))]:
        form.kind.setCurrentIndex(get_args(Kind).index(kind))
        assert project.config().adapter.kind == kind
        if kind in dropouts:
            faked.studio.settings.set(dropouts[kind], 0.25)
    for targets in get_args(Targets):
        form.targets.setCurrentIndex(get_args(Targets).index(targets))
        assert project.config().adapter.targets == targets
    assert said == []


def test_an_adapter_to_go_on_from_is_chosen_and_left(
    faked: MainWindow, form: SettingsForm, project: Project, monkeypatch, tmp_path: Path
) -> None:
    file = str(tmp_path / "theirs.safetensors")
    monkeypatch.setattr(
        "app.views.adapter_choice.QFileDialog.getOpenFileName", lambda *_: (file, "")
    )
    faked.studio.settings.set("adapter.dropout", 0.2)
    faked.studio.actions["adapter.start"].trigger()
    assert Path(project.config().adapter.start) == Path(file)
    assert project.config().adapter.dropout == 0
    assert "theirs.safetensors" in form.start.words.text()
    faked.studio.actions["adapter.anew"].trigger()
    assert project.config().adapter.start == ""
    assert "anew" in form.start.words.text()


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


def missing(window: MainWindow) -> list[str]:
    return [lack.words for lack in window.studio.lacks()]


def test_a_project_of_ones_own_asks_for_a_base_before_it_trains(
    faked: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(tmp_path / "paintings", 16)
    faked.studio.workspace.open_new("Paintings")
    faked.studio.dataset.import_paths([tmp_path / "paintings"])
    qtbot.waitUntil(lambda: faked.studio.dataset.rows.rowCount() == 16)
    faked.show_page("Train")
    form = train_page(faked).form
    assert missing(faked) == ["no base model", "no trigger word"]
    assert form.base.words.text().startswith("None yet.")
    assert not button(train_page(faked), "Train").isEnabled()
    assert button(train_page(faked), "Choose one").objectName() == "primary"  # the next thing
    assert button(train_page(faked), "Write one").objectName() == ""
    form.base.use("demo")
    assert button(train_page(faked), "Train").isEnabled()
    assert form.base.words.text().startswith("Demo base, only to try")
    assert missing(faked) == ["no trigger word"]
    button(train_page(faked), "Write one").click()
    assert form.trigger.hasFocus() or form.trigger is faked.focusWidget()
    form.trigger.setText("ink")
    form.commit()
    assert missing(faked) == []
    assert not train_page(faked).lacks.isVisible()


def test_what_settings_name_must_be_there(faked: MainWindow, project: Project) -> None:
    settings, vae = faked.studio.settings, project.root / "my vae.safetensors"
    faked.show_page("Train")
    assert button(train_page(faked), "Train").isEnabled()
    settings.change({"base": "/models/gone", "vae": str(vae), "dataset.class_folder": "others"})
    gone = [words for words in missing(faked) if words.endswith("is not where it was")]
    assert [words.partition(" is")[0] for words in gone] == ["gone", "my vae.safetensors", "others"]
    assert not button(train_page(faked), "Train").isEnabled()
    vae.touch()
    (project.root / "others").mkdir()
    settings.set("base", "demo")
    assert not any("not where" in words for words in missing(faked))
    assert button(train_page(faked), "Train").isEnabled()


def test_no_run_starts_without_pictures(faked: MainWindow, qtbot: QtBot, project: Project) -> None:
    faked.show_page("Train")
    faked.studio.workspace.open_new("Nothing")
    faked.studio.settings.set("base", "demo")
    qtbot.waitUntil(lambda: missing(faked) == ["no pictures"])
    assert not button(train_page(faked), "Train").isEnabled()
    assert button(train_page(faked), "Add some").objectName() == "primary"
    faked.studio.workspace.open(project.root)
    assert faked.studio.dataset.busy  # what is there nobody knows yet
    assert "no pictures" not in missing(faked)
    assert button(train_page(faked), "Train").isEnabled()


def test_pictures_without_caption_are_counted_and_shown(
    faked: MainWindow, form: SettingsForm, project: Project, qtbot: QtBot
) -> None:
    names = ("p02", "p04")
    for name in names:
        (project.images / f"{name}.txt").unlink()
    faked.studio.dataset.rescan()
    qtbot.waitUntil(lambda: "2 pictures without caption" in missing(faked))
    assert "only 6 pictures; 15 to 100 are better" in missing(faked)
    for name in names:
        faked.show_page("Train")
        button(train_page(faked), "Show").click()
        assert faked._page == "Dataset"
        assert dataset_page(faked).editor.path == project.images / f"{name}.png"
        faked.studio.dataset.set_caption(project.images / f"{name}.png", "a boat", "")
    assert not any("without caption" in words for words in missing(faked))
    faked.studio.dataset.undo_stack.undo()
    assert "1 picture without caption" in missing(faked)


def test_the_rest_is_folded_until_it_is_asked_for(faked: MainWindow, form: SettingsForm) -> None:
    assert form.steps.isVisible()
    assert not form.batch.isVisible()
    faked.studio.actions["setting.training.batch_size"].trigger()
    assert form.batch.isVisible()


def test_every_number_stands_beside_its_slider(
    faked: MainWindow, form: SettingsForm, project: Project
) -> None:
    faked.studio.settings.change({"training.steps": 300, "training.batch_size": 2})
    assert form._steps_words.text() == "300 steps, 100 looks at each picture"


def test_each_card_shows_what_it_is_for(faked: MainWindow, form: SettingsForm) -> None:
    seen: set[bytes] = set()
    for card in form.presets.group.buttons():
        strip = QRect(PADDING_PX, PADDING_PX, card.width() - 2 * PADDING_PX, PICTURE_PX)
        image = card.grab(strip).toImage()
        colours = {image.pixel(x, image.height() // 2) for x in range(image.width())}
        assert len(colours) > 10  # a picture
        seen.add(bytes(image.constBits()))
        assert card.accessibleDescription()
    assert len(seen) == len(presets.PRESETS)


def test_train_is_on_the_screen_of_the_smallest_window(
    faked: MainWindow, form: SettingsForm, qtbot: QtBot
) -> None:
    faked.resize(faked.minimumSize())
    faked.studio.actions["setting.training.batch_size"].trigger()
    train = train_page(faked).train
    qtbot.waitUntil(lambda: form.batch.isVisible())
    qtbot.waitUntil(lambda: faked.height() == faked.minimumHeight())
    qtbot.waitUntil(lambda: form.height() >= form.minimumSizeHint().height())  # none over another
    qtbot.waitUntil(lambda: not form.batch.visibleRegion().isEmpty())  # scrolled to
    below = train.mapTo(faked, train.rect().bottomLeft()).y()
    assert 0 < below < faked.height()
    assert train.visibleRegion().boundingRect().size() == train.size()
