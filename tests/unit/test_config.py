"""Run files: what is written is read again, and what is wrong is named."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from core.config import files, presets
from core.config.facts import DEMO, SD1
from core.config.options import RunConfig, TrainingConfig
from core.data import captions
from core.errors import ConfigError, NewerVersionError, StorageError
from core.project.layout import create, slug

CONFIG = RunConfig(name="Ink", base="demo")


def test_a_file_holds_the_whole_config(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    for preset in presets.PRESETS:
        config = presets.apply(preset, CONFIG, DEMO)
        files.save(config, path)
        assert files.load(path) == config


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('name = "a"\nbase = "demo"\n[adapter]\nrank = 0', "$.adapter.rank"),
        ('name = "a"\nbase = "demo"\n[adapter]\nrnk = 4', "rnk"),
        ("name = ", "run.toml"),
        ('name = "a"\nbase = "demo"\n[training]\nsteps = 5\nwarmup_steps = 5', "warmup_steps"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="run.toml") as caught:
        files.load(path)
    assert word in str(caught.value)
    assert caught.value.hint


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "project.toml"
    path.write_text('schema = 99\nname = "a"\nbase = "demo"\nnovelty = 1')
    with pytest.raises(NewerVersionError, match="newer version"):
        files.load(path)


def test_options_are_set_by_name() -> None:
    changed = files.with_changes(CONFIG, ["training.steps=400", "dataset.trigger=ink"])
    assert (changed.training.steps, changed.dataset.trigger) == (400, "ink")
    for wrong in ("training.stepz=4", "steps=4", "training.steps=-1", "training.steps"):
        with pytest.raises(ConfigError):
            files.with_changes(CONFIG, [wrong])


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("dataset.trigger=1980", "1980"),
        ("name=2024", "2024"),
        ("preview.prompts=a fox", ("a fox",)),
        ('preview.prompts=["a fox", "a, b"]', ("a fox", "a, b")),
        ("adapter.text_encoder=False", False),
        ("training.steps=1e3", 1000),
        ("training.learning_rate=2", 2.0),
        ("base=C:\\Models\\mine", "C:\\Models\\mine"),
        ("preview.prompts=\u8d64\u3044\u3000\u72d0", ("\u8d64\u3044\u3000\u72d0",)),  # a wide space
        ("dataset.trigger=\U0001f469\u200d\U0001f467", "\U0001f469\u200d\U0001f467"),  # joined
    ],
)
def test_a_value_is_read_as_its_option_wants_it(change: str, value: object) -> None:
    found: object = files.with_changes(CONFIG, [change])
    for name in change.partition("=")[0].split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("change", ["schema=99", "schema=1", "training=3", "dataset={}"])
def test_what_is_no_option_cannot_be_set(change: str) -> None:
    """A project with another schema would never open again."""
    with pytest.raises(ConfigError, match="no option"):
        files.with_changes(CONFIG, [change])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_saved_by_windows_editors_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "project.toml"
    files.save(CONFIG, path)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    assert files.load(path) == CONFIG


def test_backslashes_in_a_path_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "project.toml"
    path.write_text('name = "a"\nbase = "C:\\Users\\me"')
    with pytest.raises(ConfigError) as caught:
        files.load(path)
    assert "single quotes" in caught.value.hint


def test_what_a_person_wrote_into_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "project.toml"
    written = (
        "# my own notes\n[training]\nsteps = 400  # long enough\n"
        "# the last try was too high\nlearning_rate = 1e-4\n"
    )
    path.write_text('name = "Ink"\nbase = "demo"\n\n' + written)
    config = files.with_changes(files.load(path), ["training.learning_rate=2e-4"])
    files.save(config, path)
    said = path.read_text()
    for comment in ("# my own notes", "steps = 400  # long enough", "# the last try was too high"):
        assert comment in said
    assert files.load(path) == config
    longer = files.with_changes(config, ["preview.prompts=a fox", "adapter.rank=4"])
    files.save(longer, path)
    assert files.load(path) == longer
    assert "# long enough" in path.read_text()


def test_a_name_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    """As old archives have them: bytes that are not UTF-8."""
    with pytest.raises(ConfigError, match="cannot be written"):
        files.save(replace(CONFIG, base="/b\udcfccher"), tmp_path / "project.toml")
    with pytest.raises(ConfigError, match="cannot be written"):
        files.with_changes(CONFIG, ["training.steps=\udcfc"])


def test_nesting_without_end_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "project.toml"
    path.write_text("a = " + "[" * 5000)
    with pytest.raises(ConfigError, match="project.toml"):
        files.load(path)
    with pytest.raises(ConfigError):
        files.with_changes(CONFIG, ["training.steps=" + "[" * 50_000])


def test_a_number_of_thousands_of_digits_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "project.toml"
    path.write_text(f'name = "a"\nbase = "demo"\ntraining.steps = {"9" * 5000}')
    with pytest.raises(ConfigError, match="project.toml"):
        files.load(path)
    files.save(CONFIG, path)
    assert files.load(path) == CONFIG


def test_a_section_that_another_program_spoilt_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "project.toml"
    path.write_text('# mine\nname = "a"\nbase = "demo"\ntraining = 3\n')
    files.save(CONFIG, path)
    assert files.load(path) == CONFIG
    assert "# mine" in path.read_text()


def test_a_drive_that_keeps_no_permissions_is_written_to(tmp_path: Path, monkeypatch) -> None:
    """As shares, sticks, and Windows' drives under Linux, where chmod is not permitted."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)
    for content in (b"new", b"newer"):
        files.write_beside(tmp_path / "run.toml", content)
        assert (tmp_path / "run.toml").read_bytes() == content
    captions.write(tmp_path / "a.png", "words")
    captions.write(tmp_path / "a.png", "other words")
    assert captions.read(tmp_path / "a.png").text == "other words"


def test_between_bases_what_fits_only_one_follows() -> None:
    small = presets.on_base(CONFIG, "demo", SD1, DEMO)
    assert (small.dataset.resolution_px, small.training.batch_size) == (128, 8)
    assert small.training.learning_rate == 1e-3
    assert (small.preview.guidance, small.preview.guidance_rescale) == (3.0, 0.7)
    again = presets.on_base(small, "/models/mine", DEMO, SD1)
    assert again == replace(CONFIG, base="/models/mine")
    chosen = files.with_changes(CONFIG, ["dataset.resolution_px=640"])
    assert presets.on_base(chosen, "/other", SD1, SD1).dataset.resolution_px == 640


def test_a_preset_is_known_again_on_every_base() -> None:
    for facts in (DEMO, SD1):
        for preset in presets.PRESETS:
            config = presets.apply(preset, CONFIG, facts)
            assert presets.matching(config, facts) is preset
            assert config.training.learning_rate == pytest.approx(preset.rate * facts.learning_rate)


def test_a_rate_of_zero_is_off() -> None:
    rates = SD1.rates(CONFIG)
    assert rates == {"unet": 1e-4, "text_encoder": 5e-5}
    for change in ("training.text_encoder_learning_rate=0", "adapter.text_encoder=false"):
        assert SD1.rates(files.with_changes(CONFIG, [change])) == {"unet": 1e-4}


def test_writing_where_one_may_not_names_the_file(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StorageError, match="file"):
        files.write_beside(blocked / "run.toml", b"")
    assert blocked.read_text() == "in the way"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StorageError, match="No space left"):
        files.write_beside(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["run.toml"]


def test_a_project_is_not_made_twice(tmp_path: Path) -> None:
    create(tmp_path, CONFIG)
    with pytest.raises(ConfigError, match="already"):
        create(tmp_path, CONFIG)


def test_runs_are_numbered_and_frozen(tmp_path: Path) -> None:
    project = create(tmp_path, CONFIG)
    first = project.new_run(CONFIG)
    project.save(replace(CONFIG, training=TrainingConfig(steps=3)))
    assert first.root.name == "001-Ink"
    assert project.new_run(project.config()).root.name == "002-Ink"
    assert files.load(first.config_file) == CONFIG


@pytest.mark.parametrize(("name", "made"), [("Ink / line: 2", "Ink-line-2"), ("..", "run")])
def test_a_slug_is_a_file_name_everywhere(name: str, made: str) -> None:
    assert slug(name) == made


@pytest.mark.parametrize("name", ["a" * 240, "墨絵の肖像画" * 40])
def test_a_long_name_leaves_room_for_what_follows_it(name: str, tmp_path: Path) -> None:
    project = create(tmp_path, CONFIG)
    run = project.new_run(replace(CONFIG, name=name))
    files.write_beside(run.adapter_file(name, 1500), b"")
    assert run.newest_adapter() is not None


def test_the_table_of_settings_is_true() -> None:
    from tests import settings_table

    there = settings_table.ROOT / "docs" / "settings.md"
    assert there.read_text(encoding="utf-8") == settings_table.text()
