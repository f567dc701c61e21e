"""Which pictures a run learns from, how often, at what size, and where of each."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from core.config import files
from core.config.options import DatasetConfig, TrainingConfig
from core.data import batches, masks
from core.data.marks import Marks
from core.data.scan import scan
from core.project.layout import Project
from core.protocol.events import Warned
from core.training import pictures, setup
from core.training.control import Control
from core.training.step import denoising_losses
from core.training.train import train
from tests.conftest import fill
from tests.e2e.test_loss import draw_of, prepared_for


def change(project: Project, *wanted: str) -> None:
    project.save(files.with_changes(project.config(), list(wanted)))


def test_mirrored_pictures_are_encoded_mirrored(project: Project) -> None:
    """Like a picture that was mirrored by hand: the encoder's answer is not quite a mirror's."""
    plain = prepared_for(project).items
    change(project, "dataset.flip=true")
    both = prepared_for(project).items
    assert len(both) == 2 * len(plain)
    by_hand = project.root / "by-hand"
    by_hand.mkdir()
    for path in project.images.glob("*.png"):
        with Image.open(path) as image:
            image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(by_hand / path.name)
    change(project, "dataset.flip=false", f'dataset.folders=["{by_hand.as_posix()}"]')
    for ours, theirs in zip(both[1::2], prepared_for(project).items, strict=True):
        assert ours.path.name == theirs.path.name
        torch.testing.assert_close(ours.mean, theirs.mean)
    assert all(torch.equal(a.mean, b.mean) for a, b in zip(both[::2], plain, strict=True))
    assert len({item.key for item in both}) == len(both)


def test_each_picture_comes_at_each_resolution(project: Project) -> None:
    fill(project.images, 1, (100, 64))
    change(project, "dataset.more_resolutions_px=[128, 96, 64]")
    items = prepared_for(project).items
    sizes = {}
    for item in items:
        sizes.setdefault(item.path.name, []).append(tuple(item.bucket))
    assert len(sizes) == len(list(project.images.glob("*.png")))
    assert all(len(set(found)) == 3 for found in sizes.values())
    assert all(item.mean.shape[-2:] == (item.bucket[1] // 8, item.bucket[0] // 8) for item in items)


def test_folders_say_how_often_and_can_be_balanced(project: Project) -> None:
    often = project.images / "5_often"
    fill(often, 2)
    found = scan([project.images]).pictures
    here = [p for p in found if p.path.parent != often]

    def repeats(**options) -> tuple[int, int]:
        made = pictures.repeats_of(found, DatasetConfig(**options), Marks())
        return made[here[0].path], made[often / next(often.glob("*.png")).name]

    assert len(here) == 6
    assert repeats() == (1, 1)
    assert repeats(folder_repeats=True) == (1, 5)
    assert repeats(balance_folders=True) == (1, 3)  # 6 pictures and 2
    assert repeats(folder_repeats=True, balance_folders=True) == (2, 5)  # 6 and 10
    change(project, "dataset.folder_repeats=true", "dataset.flip=true")
    items = prepared_for(project).items
    assert sorted({(i.path.parent == often, i.repeats) for i in items}) == [(False, 1), (True, 5)]


def mask_half(project: Project) -> Path:
    """The first picture counts only on its left half."""
    picture = min(project.images.glob("*.png"))
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    mask.save(picture.with_name(f"{picture.stem}-masklabel.png"))
    return picture


def test_a_masked_loss_is_that_of_its_places(project: Project) -> None:
    """Against the mean over the places that count, taken by hand."""
    change(project, "training.precision=float32", "dataset.trigger=")
    mask_half(project)
    plain = prepared_for(project)
    change(project, "dataset.masks=files")
    masked = prepared_for(project)
    draw = draw_of(masked, 1, 2)
    assert draw.masks.shape == (2, 1, 8, 8)
    assert draw_of(plain, 1, 2).masks is None
    model = plain.model
    t = model.path.time(draw.u, 64)
    a, s = (c.view(-1, 1, 1, 1) for c in model.path.coefficients(t))
    text = plain.conditions.of(draw.captions, draw.frames)["text"]
    made = model.parts["unet"](a * draw.latents + s * draw.noise, t, text).sample
    error = (made - draw.noise).square()
    expected = [error[0, :, :, :4].mean(), error[1].mean() / 2]  # its weight is a half
    ours = denoising_losses(masked.model, draw, masked.conditions, TrainingConfig())
    torch.testing.assert_close(ours, torch.stack(expected), rtol=1e-4, atol=1e-6)
    parts = [denoising_losses(masked.model, d, masked.conditions, TrainingConfig())
             for d in draw.parts(1)]  # fmt: skip
    torch.testing.assert_close(torch.cat(parts), ours)


@pytest.mark.parametrize("kind", ["none", "files"])
def test_a_mask_that_a_run_does_not_heed_is_told(project: Project, kind: str) -> None:
    picture = mask_half(project)
    change(project, f"dataset.masks={kind}")
    preparing = setup.prepare(project, project.config(), Control())
    said = [event.message for event in preparing if isinstance(event, Warned)]
    told = [line for line in said if "does not heed" in line]
    assert len(told) == (1 if kind == "none" else 0)
    assert all(picture.name in line for line in told)
    assert not any("masklabel" in line for line in said)  # it is its picture's, and no finding


def test_what_is_masked_may_count_a_little_and_is_mirrored_with_its_picture(
    project: Project,
) -> None:
    mask_half(project)
    change(project, "dataset.masks=files", "dataset.unmasked=0.25", "dataset.flip=true")
    plain, mirrored, *others = prepared_for(project).items
    row = plain.mask[0]
    assert (row[0] / row[-1]).item() == pytest.approx(4)
    assert plain.mask.mean().item() == pytest.approx(1)
    assert torch.equal(mirrored.mask, plain.mask.flip(-1))
    assert all(item.mask is None for item in others)


def test_transparency_can_be_the_mask(project: Project) -> None:
    picture = min(project.images.glob("*.png"))
    with Image.open(picture) as image:
        clear = image.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize((64, 64)))
    clear.save(picture)
    change(project, "dataset.masks=alpha")
    first, second, *_ = prepared_for(project).items
    assert (first.mask[:, 0].diff() > 0).all()  # clearer above than below
    torch.testing.assert_close(second.mask, torch.ones(8, 8))
    with masks.opened(picture, "alpha") as mask:
        assert mask.size == (64, 64)


def test_a_mask_that_leaves_nothing_leaves_the_picture_out(project: Project) -> None:
    picture = min(project.images.glob("*.png"))
    Image.new("L", (64, 64)).save(picture.with_name(f"{picture.stem}-masklabel.png"))
    change(project, "dataset.masks=files", "training.steps=1")
    told = [e.message for e in train(project, Control()) if isinstance(e, Warned)]
    assert [m for m in told if m.startswith(f"{picture.name} was left out: its mask")]
    Image.new("L", (64, 64), 9).save(picture.with_name(f"{picture.stem}-masklabel.png"))
    assert len(prepared_for(project).items) == 6


def test_captions_that_vary_are_the_same_again(project: Project) -> None:
    for path in project.images.glob("*.png"):
        path.with_suffix(".txt").write_text("a, b, c, d\ne, f, g, h", encoding="utf-8")
    change(project, "dataset.shuffle_tags=true", "dataset.caption_lines=one")
    prepared = prepared_for(project)
    samples = [batches.Sample(n, 1.0) for n in range(6)]

    def told(step: int) -> tuple[str, ...]:
        return batches.captions(prepared.items, samples, prepared.config, step)

    assert told(1) == told(1) != told(2)
    assert len(set(told(1))) > 3
    letters = {frozenset(t.removeprefix("ballstyle, ").split(", ")) for t in told(1) + told(2)}
    assert letters == {frozenset("abcd"), frozenset("efgh")}
