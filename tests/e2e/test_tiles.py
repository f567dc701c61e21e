"""Pictures through a VAE in pieces: near to the whole's, in less memory, and so from then on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.adapters import files as adapter_files
from core.base.opening import open_base
from core.base.value import DEMO_FOLDER
from core.config import files
from core.data import pixels
from core.errors import MemoryFullError
from core.families import registry, tiles
from core.families.device import Device, whole_cpu
from core.families.family import Model
from core.project.demo import STYLE
from core.project.layout import Project
from core.protocol.events import Finished, StepDone
from core.training import train
from core.training.control import Control
from tests.conftest import draw_picture, made
from tests.e2e.test_full_memory import FULL, said
from tests.e2e.test_memory import most_of, need_of
from tests.e2e.test_training import adapter_bytes, change, copy_of, of

EDGE = 128  # of a piece here, px
SMALL = 32  # of one in a run on 64 px


@pytest.fixture(params=["sd1", "flux2", "qwen-image"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """One of each kind of VAE."""
    return registry.load(open_base(made(request.param, tmp_path_factory)), whole_cpu())


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "EDGE_PX", SMALL)


def picture(tmp_path: Path, size: tuple[int, int] = (320, 256)) -> torch.Tensor:
    return pixels.to_tensor(pixels.open_rgb(draw_picture(tmp_path / "p.png", 1, size)))[None]


def own_latents(model: Model, seen: torch.Tensor) -> torch.Tensor:
    """As its VAE gives and takes them."""
    of_films = "temperal_downsample" in model.parts["vae"].config
    return tiles.encode(model, seen.unsqueeze(2) if of_films else seen).mean


def test_a_piece_is_what_the_vae_says_of_it_alone_in_less_memory(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "EDGE_PX", EDGE)
    in_pieces, seen = replace(model, tiles="always"), picture(tmp_path)
    whole, pieced = own_latents(model, seen), own_latents(in_pieces, seen)
    assert pieced.shape == whole.shape
    alone = own_latents(model, seen[..., :EDGE, :EDGE])
    clear = EDGE * 3 // 4 // 8  # of the first one: what no other fades into
    assert torch.equal(pieced[..., :clear, :clear], alone[..., :clear, :clear])
    assert not torch.equal(pieced[..., -8:, -8:], whole[..., -8:, -8:])
    drawn, again = tiles.decode(model, whole), tiles.decode(in_pieces, whole)
    assert again.shape == drawn.shape
    alone = tiles.decode(model, whole[..., : EDGE // 8, : EDGE // 8])
    clear = EDGE * 3 // 4
    torch.testing.assert_close(again[..., :clear, :clear], alone[..., :clear, :clear])
    less = most_of(lambda: own_latents(in_pieces, seen)) / most_of(lambda: own_latents(model, seen))
    assert less < 0.3  # a piece is a fifth of the picture
    less = most_of(lambda: tiles.decode(in_pieces, whole)) / most_of(
        lambda: tiles.decode(model, whole)
    )
    assert less < 0.3
    assert not model.parts["vae"].use_tiling


def test_a_trained_vae_says_nearly_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six pictures as one, twice as large as it learnt from: it loses 7.1 % of the range whole."""
    monkeypatch.setattr(tiles, "EDGE_PX", EDGE)
    model = registry.load(open_base(DEMO_FOLDER), whole_cpu())
    some = [pixels.to_tensor(pixels.open_rgb(path)) for path in sorted(STYLE.rglob("*.png"))[:6]]
    seen = torch.cat([torch.cat(some[:3], dim=2), torch.cat(some[3:], dim=2)], dim=1)[None]
    in_pieces = replace(model, tiles="always")
    whole, pieced = own_latents(model, seen), own_latents(in_pieces, seen)
    assert (pieced - whole).abs().mean() < 0.03 * (whole - whole.mean()).abs().mean()
    drawn, again = tiles.decode(model, whole), tiles.decode(in_pieces, whole)
    assert (again - drawn).abs().mean() < 0.02 * 2  # of the range, -1 to 1


def test_a_drawing_that_finds_no_room_is_decoded_in_pieces(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is foreseen, and where it is not."""
    monkeypatch.setattr(tiles, "EDGE_PX", EDGE)
    latents = own_latents(model, picture(tmp_path, (192, 128)))
    pieced = tiles.decode(replace(model, tiles="always"), latents)
    assert not torch.equal(tiles.decode(model, latents), pieced)
    with monkeypatch.context() as patched:
        patched.setattr(Device, "free", lambda _: 10_000_000)
        assert torch.equal(tiles.decode(model, latents), pieced)
        whole = tiles.decode(replace(model, tiles="never"), latents)
        small = latents[..., :8]
        assert torch.equal(tiles.decode(model, small), pieced_or_not(model, small))
    assert torch.equal(tiles.decode(model, latents), whole)
    vae = model.parts["vae"]
    real = vae.decode

    def full_unless_in_pieces(latent: torch.Tensor) -> Any:
        if not vae.use_tiling:
            raise torch.OutOfMemoryError(FULL)
        return real(latent)

    monkeypatch.setattr(vae, "decode", full_unless_in_pieces)
    assert torch.equal(tiles.decode(model, latents), pieced)
    with pytest.raises(torch.OutOfMemoryError):
        tiles.decode(replace(model, tiles="never"), latents)


def pieced_or_not(model: Model, latents: torch.Tensor) -> torch.Tensor:
    """A picture of one piece is the same either way."""
    return tiles.decode(replace(model, tiles="always"), latents)


def test_what_is_foreseen_of_a_vae_is_what_it_takes(tiny_base: Path, tmp_path: Path) -> None:
    model = registry.load(open_base(tiny_base), whole_cpu())
    seen = picture(tmp_path, (384, 384))
    taken = most_of(lambda: tiles.decode(model, own_latents(model, seen)))
    told = tiles._bytes_per_pixel(model.parts["vae"], model.place) * 384**2
    assert told > taken  # what a convolution copies besides is no tensor of torch's
    assert told < 2.5 * taken


@pytest.mark.usefixtures("small_pieces")
def test_a_run_whose_pictures_do_not_fit_takes_all_in_pieces_and_goes_on_so(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always, again = (copy_of(project, tmp_path / name) for name in ("always", "again"))
    change(always, "training.vae_tiles=always")
    list(train.train(project, Control()))
    list(train.train(always, Control()))
    wanted = adapter_bytes(always.run(""))
    assert wanted != adapter_bytes(project.run(""))
    control = Control()
    events = []
    with monkeypatch.context() as patched:
        patched.setattr(Device, "free", lambda _: 1_000_000)
        for event in train.train(again, control):
            events.append(event)
            if isinstance(event, StepDone):
                control.stop.set()
    assert len(said(events, "go through the VAE in pieces")) == 1
    run = again.run("")
    assert files.load(run.config_file).training.vae_tiles == "always"
    assert again.config().training.vae_tiles == "auto"  # the person's own settings stay
    events = list(train.train(again, Control(), ""))
    assert of(Finished, events) == [Finished(stopped=False)]
    assert tensors_of(again) == tensors_of(always)


def tensors_of(project: Project) -> dict[str, list[float]]:
    path = project.run("").newest_adapter()
    assert path is not None
    return {name: t.flatten().tolist() for name, t in adapter_files.read(path)[0].items()}


@pytest.mark.usefixtures("small_pieces")
def test_pictures_that_may_not_go_through_in_pieces_are_a_failure_in_words(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr(tiles, "encode", full)
    change(project, "training.vae_tiles=never")
    with pytest.raises(MemoryFullError):
        list(train.train(project, Control()))
    assert project.runs() == []


@pytest.mark.usefixtures("small_pieces")
def test_latents_in_pieces_have_names_of_their_own(project: Project) -> None:
    """What was said of the captions is shared."""
    change(project, "adapter.text_encoder=false")
    list(train.train(project, Control()))
    before = set(project.cache.rglob("*.safetensors"))
    change(project, "training.vae_tiles=always")
    list(train.train(project, Control()))
    assert len(set(project.cache.rglob("*.safetensors")) - before) == 6


def test_a_run_in_pieces_is_foreseen_to_need_less(tiny_base: Path) -> None:
    whole = need_of(tiny_base, "dataset.resolution_px=1024")
    pieced = need_of(tiny_base, "dataset.resolution_px=1024", "training.vae_tiles=always")
    assert pieced.encoding < 0.5 * whole.encoding
    assert pieced.training == whole.training
