"""Run files: what is written is read again, and what is wrong is named."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from core.config import files, presets
from core.config.options import RunConfig, TrainingConfig
from core.errors import ConfigError, NewerVersionError, StorageError
from core.project.layout import create, slug

CONFIG = RunConfig(name="Ink", base="demo")


def test_a_file_holds_the_whole_config(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    for preset in presets.PRESETS:
        config = presets.apply(preset, CONFIG)
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
