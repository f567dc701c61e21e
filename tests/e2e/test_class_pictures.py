"""Class pictures: learnt beside those of the style, as what is to stay."""

import json
from pathlib import Path

import pytest

from core.adapters import files as adapter_files
from core.config import files
from core.data import batches
from core.errors import DatasetError
from core.project.layout import Project
from core.training.control import Control
from core.training.train import train
from tests.conftest import draw_picture, fill
from tests.e2e.test_loss import prepared_for

OPTIONS = (
    "dataset.class_folder=plain balls",
    "dataset.class_weight=0.5",
    "dataset.trigger=ballstyle",
    "dataset.suffix=on white",
    "dataset.caption_dropout=0",
    "dataset.shuffle_tags=true",
    "dataset.flip=true",
    "dataset.wildcards=true",
    "training.prior_share=0.5",
    "training.batch_size=4",
)


@pytest.fixture
def with_class(project: Project) -> Project:
    folder = project.root / "plain balls"
    folder.mkdir()
    for number in range(3):
        draw_picture(folder / f"c{number}.png", number + 40)
        (folder / f"c{number}.txt").write_text("a {plain|p} ball, on grass", encoding="utf-8")
    draw_picture(folder / "silent.png", 50, (96, 64))
    project.save(files.with_changes(project.config(), list(OPTIONS)))
    return project


def test_they_are_told_without_the_trigger_and_weighed(with_class: Project) -> None:
    prepared = prepared_for(with_class)
    of_class = [item for item in prepared.items if item.of_class]
    assert {item.path.name for item in of_class} == {"c0.png", "c1.png", "c2.png", "silent.png"}
    assert len(of_class) == 4  # not mirrored, nor in shapes that no other has
    assert {item.bucket for item in of_class} <= {item.bucket for item in prepared.own}
    own = {item.path.name for item in prepared.own}
    config, seen = prepared.config, 0
    plan = batches.plan(prepared.items, prepared.batch_size, 0, 1)
    for step, samples in zip(range(1, 25), plan, strict=False):
        draw = batches.draw(prepared.items, samples, config, step=step, batch_size=4)
        for name, text, kept, weight in zip(
            draw.files, draw.captions, draw.prior.tolist(), draw.weights.tolist(), strict=True
        ):
            assert text in ("a plain ball, on grass", "") or name in own
            assert ("on white" in text) == (name in own)
            assert name in own or (not kept and weight <= 0.5)
            seen += name not in own
    assert 24 <= seen <= 72  # of 96


def test_a_run_learns_from_them_and_says_so(with_class: Project) -> None:
    list(train(with_class, Control()))
    run = with_class.run("")
    path = run.newest_adapter()
    assert path is not None
    header = adapter_files.read(path)[1]
    own = len(list(with_class.images.glob("*.png")))
    assert header["ss_num_reg_images"] == "4"
    assert header["ss_num_train_images"] == str(2 * own)  # and mirrored
    assert "on grass" not in header["ss_tag_frequency"]
    rows = json.loads(run.manifest_file.read_text(encoding="utf-8"))["pictures"]
    assert sum("class" in row for row in rows) == 4


def test_a_folder_without_pictures_is_told(project: Project, tmp_path: Path) -> None:
    project.save(files.with_changes(project.config(), ["dataset.class_folder=nowhere"]))
    with pytest.raises(DatasetError, match="nowhere") as raised:
        list(train(project, Control()))
    assert "dataset.class_folder" in raised.value.hint


def test_what_is_held_out_is_never_one_of_them(with_class: Project) -> None:
    fill(with_class.images, 6)
    project = with_class
    project.save(files.with_changes(project.config(), ["dataset.held_out=0.5"]))
    prepared = prepared_for(project)
    assert prepared.held_out
    assert not any(item.of_class for item in prepared.held_out)
