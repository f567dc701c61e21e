"""Files of a transformer alone, as sharing sites give them: with the rest of a folder they are it."""

from pathlib import Path

import pytest
import torch
from diffusers import ChromaTransformer2DModel, FluxTransformer2DModel
from diffusers.loaders.single_file_utils import (
    convert_chroma_transformer_checkpoint_to_diffusers,
    convert_flux_transformer_checkpoint_to_diffusers,
)
from safetensors.torch import load_file, save_file

from core.base.opening import facts_of, open_base
from core.errors import BaseModelError, RestMissingError
from core.families.device import whole_cpu
from core.families.namings import NAMINGS
from core.families.registry import load
from core.project.layout import create
from core.protocol.events import Finished
from core.training.control import Control
from core.training.train import train
from tests import original, tiny
from tests.conftest import fill, made, small_config

WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module", params=tiny.FLOWS)
def flow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A folder, and its transformer as a file in the names of its authors."""
    folder = made(request.param, tmp_path_factory)
    tensors = original.NAMES[request.param](load_file(folder / WEIGHTS))
    file = tmp_path_factory.mktemp("files") / f"{request.param}.safetensors"
    save_file({n: t.contiguous() for n, t in tensors.items()}, file)
    return folder, file


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_with_the_rest_it_is_the_folders_transformer(flow, tmp_path: Path, prefix: str) -> None:
    folder, file = flow
    if prefix:
        whole = {prefix + name: tensor for name, tensor in load_file(file).items()}
        file = tmp_path / file.name
        save_file(whole, file)
    ours = load(open_base(file, rest=folder), whole_cpu())
    theirs = load(open_base(folder), whole_cpu())
    assert ours.facts == theirs.facts == facts_of(str(file), tmp_path)
    mine, wanted = (model.parts["transformer"].state_dict() for model in (ours, theirs))
    assert mine.keys() == wanted.keys()
    assert all(torch.equal(mine[name], wanted[name]) for name in wanted)


def test_without_the_rest_it_is_told_what_to_name(flow) -> None:
    folder, file = flow
    with pytest.raises(RestMissingError) as raised:
        open_base(file)
    title = open_base(folder).facts.title
    assert f"the transformer of a {title} model" in raised.value.message
    assert "--rest" in raised.value.hint


def test_a_run_on_a_file_is_the_run_on_its_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = made("zimage", tmp_path_factory)
    file = tmp_path / "z.safetensors"
    save_file(
        {n: t.contiguous() for n, t in original.zimage(load_file(folder / WEIGHTS)).items()}, file
    )
    adapters = []
    for name, base, rest in (("folder", folder, ""), ("file", file, str(folder))):
        import msgspec

        config = msgspec.structs.replace(small_config(str(base)), rest=rest)
        project = create(tmp_path / name, config)
        fill(project.images, 2)
        assert list(train(project, Control()))[-1] == Finished()
        adapters.append(load_file(project.run("").adapter_file("Small", 4)))
    assert adapters[0].keys() == adapters[1].keys()
    assert all(torch.equal(adapters[0][n], adapters[1][n]) for n in adapters[0])


def test_the_rest_of_another_family_is_refused(flow, tiny_base: Path) -> None:
    _, file = flow
    with pytest.raises(BaseModelError, match="is Stable Diffusion 1"):
        open_base(file, rest=tiny_base)


@pytest.mark.parametrize(
    ("kind", "convert"),
    [
        (FluxTransformer2DModel, convert_flux_transformer_checkpoint_to_diffusers),
        (ChromaTransformer2DModel, convert_chroma_transformer_checkpoint_to_diffusers),
    ],
)
def test_flux_names_are_turned_as_diffusers_turns_them(kind, convert) -> None:
    """At its width, by numbered rows in place of the weights."""
    with torch.device("meta"):
        net = kind(num_layers=2, num_single_layers=2)
    rows, count = {}, 0
    for name, tensor in net.state_dict().items():
        rows[name] = torch.arange(count, count + len(tensor), dtype=torch.float64)[:, None]
        count += len(tensor)
    file = original.bfl(rows)
    ours = NAMINGS["bfl"](dict(file), "", net)
    theirs = convert(dict(file))
    assert ours.keys() == theirs.keys() == rows.keys()
    assert all(torch.equal(ours[n], theirs[n]) and torch.equal(ours[n], rows[n]) for n in ours)
