"""What other programs would load of a file, and what it is in words."""

import json
import re
from pathlib import Path

import pytest
import torch

from core import cli
from core.adapters import files, formats, programs, report
from core.adapters.changes import LoRA, Place
from core.adapters.programs import PROGRAMS, read_by, readings
from core.adapters.reading import from_tensors
from core.cli import adapters
from core.config.facts import SD1, SD2, SDXL, Facts
from core.errors import AdapterError
from core.project.layout import Project, create
from core.training import export
from core.training.control import Control
from core.training.train import train
from tests.conftest import fill, made, small_config

# As measured with these programs' own code on full-size files of 264 and 980 layers: `parts` is
# what ComfyUI finds of diffusers' names, which for the denoiser are those without `to_`.
PLACES = {
    "sd1": [
        Place("unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"),
        Place("unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"),
        Place("unet", "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0"),
        Place("unet", "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj"),
        Place("text_encoder", "encoder.layers.3.self_attn.q_proj"),
    ],
}
PLACES["sd2"] = PLACES["sd1"]
PLACES["sdxl"] = [
    *PLACES["sd1"][:2],
    Place("unet", "up_blocks.0.attentions.2.transformer_blocks.9.attn2.to_out.0"),
    *PLACES["sd1"][3:],
    Place("text_encoder_2", "text_model.encoder.layers.31.mlp.fc1"),
]
FACTS = {"sd1": SD1, "sd2": SD2, "sdxl": SDXL}


def adapter_of(family: str, alpha: float = 3.0) -> dict[Place, LoRA]:
    rng = torch.Generator().manual_seed(1)
    width = FACTS[family].text_width
    return {
        place: LoRA(
            torch.randn(2, width if place.module.endswith("attn2.to_k") else 16, generator=rng),
            torch.randn(8, 2, generator=rng),
            alpha,
        )
        for place in PLACES[family]
    }


def written(folder: Path, family: str, layout) -> tuple[dict, dict]:
    path = folder / "a.safetensors"
    said = {"ss_base_model_version": FACTS[family].kohya_version}
    export.write(path, adapter_of(family), FACTS[family], said, layout)
    return files.read(path)


@pytest.mark.parametrize("family", FACTS)
def test_every_program_reads_all_of_kohyas_form(tmp_path: Path, family: str) -> None:
    tensors, header = written(tmp_path, family, "kohya")
    for reading in readings(tensors, header, FACTS[family]):
        assert reading.whole, str(reading)
        assert str(reading).endswith(f"{len(PLACES[family])} of {len(PLACES[family])}")


@pytest.mark.parametrize("family", FACTS)
def test_of_diffusers_form_they_read_what_was_measured(tmp_path: Path, family: str) -> None:
    tensors, header = written(tmp_path, family, "diffusers")
    whole = len(PLACES[family])
    told = {r.program: r for r in readings(tensors, header, FACTS[family])}
    assert told["diffusers"].equal == whole
    assert (told["ComfyUI"].equal, told["ComfyUI"].other) == (whole - 3, 0)  # attention is missed
    assert (told["A1111"].equal, told["A1111"].refused) == (0, False)
    assert told["InvokeAI"].refused


def test_forge_refuses_a_file_of_which_it_misses_more_than_twelve() -> None:
    """backend: `len(lora_unmatch) > 12`."""
    change = LoRA(torch.ones(1, 2), torch.ones(2, 1), 1.0)
    block = "down_blocks.0.attentions.{}.transformer_blocks.0.attn1.to_q"
    for count, refused in ((6, False), (7, True)):
        adapter = {Place("unet", block.format(n)): change for n in range(count)}
        adapter[Place("text_encoder", "encoder.layers.0.self_attn.q_proj")] = change
        tensors, header = formats.to_diffusers(adapter, SD1.names)
        assert read_by(PROGRAMS["forge"], tensors, header, SD1).refused == refused


def test_an_alpha_that_stands_in_the_header_alone_is_another_strength() -> None:
    """What diffusers itself saves: ComfyUI hears no header and takes 1 for 1.5."""
    place = Place("text_encoder", "encoder.layers.3.self_attn.q_proj")
    name = "text_encoder.text_model.encoder.layers.3.self_attn.q_proj"
    tensors = {
        f"{name}.lora_A.weight": torch.ones(2, 16),
        f"{name}.lora_B.weight": torch.ones(8, 2),
    }
    header = {"lora_adapter_metadata": json.dumps({"text_encoder.lora_alpha": 3})}
    assert from_tensors(tensors, header, SD1.names)[place].alpha == 3
    reading = read_by(PROGRAMS["comfyui"], tensors, header, SD1)
    assert (reading.equal, reading.other) == (0, 1)
    assert str(reading) == "ComfyUI: 0 of 1, 1 at another strength"
    assert read_by(PROGRAMS["diffusers"], tensors, header, SD1).whole


def test_alphas_beside_diffusers_header_are_refused_by_diffusers(tmp_path: Path) -> None:
    tensors, header = written(tmp_path, "sd1", "kohya")
    torn = {**header, "lora_adapter_metadata": "{}"}
    assert read_by(PROGRAMS["diffusers"], tensors, torn, SD1).refused
    assert read_by(PROGRAMS["comfyui"], tensors, torn, SD1).whole


@pytest.mark.parametrize("layout", ["kohya", "diffusers"])
@pytest.mark.parametrize("family", FACTS)
def test_the_family_is_found_with_and_without_a_header(tmp_path: Path, family: str, layout) -> None:
    tensors, header = written(tmp_path, family, layout)
    assert report.family_of(tensors, header) == FACTS[family]
    assert report.family_of(tensors, {}) == FACTS[family]
    without_text = {k: t for k, t in tensors.items() if "te" not in k.split("_")[1][:2]}
    unet = {k: t for k, t in without_text.items() if not k.startswith("text_encoder")}
    assert report.family_of(unet, {}) == FACTS[family]


def test_what_fits_no_family_is_said() -> None:
    with pytest.raises(AdapterError, match="does not fit"):
        report.family_of({"lora_transformer_x.lora_down.weight": torch.ones(2, 2)}, {})


def test_the_size_of_a_change_is_that_of_its_product() -> None:
    rng = torch.Generator().manual_seed(3)
    for shape in ((5, 9), (5, 9, 3, 3)):
        down = torch.randn(shape, generator=rng)
        up = torch.randn((7, 5, 1, 1)[: len(shape)], generator=rng)
        product = up.flatten(1) @ down.flatten(1) * (2.0 / 5)
        assert LoRA(down, up, 2.0).norm() == pytest.approx(product.norm().item(), rel=1e-5)


def test_a_report_counts_and_weighs() -> None:
    adapter = adapter_of("sd1")
    strong = Place("unet", "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0")
    adapter[strong] = LoRA(adapter[strong].down * 100, adapter[strong].up, 3.0)
    made = report.report(adapter)
    assert made.changes == {"unet": 4, "text_encoder": 1}
    assert (made.ranks, made.scales) == ((2,), (1.5,))
    assert made.strongest[0][0] == "unet up_blocks.3"
    assert made.strongest[0][1] > 0.99
    assert made.numbers == sum(c.down.numel() + c.up.numel() for c in adapter.values())


@pytest.fixture(scope="module", params=FACTS)
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, Facts]:
    base = made(request.param, tmp_path_factory)
    project = create(tmp_path_factory.mktemp("trained") / "p", small_config(str(base), steps=2))
    fill(project.images, 2)
    list(train(project, Control()))
    return project, FACTS[request.param]


def test_inspect_and_export_tell_the_proof(trained, tmp_path: Path, capsys) -> None:
    project, facts = trained
    file = project.run("").newest_adapter()
    assert file is not None
    assert cli.main(["inspect", str(file)]) == 0
    said = capsys.readouterr().out
    assert f"LoRA of rank 4 at strength 0.75 (alpha / rank), for {facts.title}" in said
    assert "Trigger word: ballstyle" in said
    whole = re.search(r"It changes (\d+) layers", said)[1]
    for program in PROGRAMS.values():
        assert f"{program.title}: {whole} of {whole}" in said
    out = tmp_path / "d.safetensors"
    words = ["export", str(project.run("").root), "--format", "diffusers", "--out", str(out)]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert f"diffusers: {whole} of {whole}" in said
    assert "Forge: refuses it" in said
    assert cli.main(["inspect", str(out), "--for", "diffusers"]) == 0
    assert cli.main(["inspect", str(out), "--for", "comfyui"]) == 2
    assert "would not load all" in capsys.readouterr().err


def test_an_export_needs_no_base_to_know_its_family(trained, tmp_path: Path) -> None:
    """A base that has moved would be taken for the first family's."""
    from core.config import files as settings
    from core.training.reworking import exported

    project, facts = trained
    run = project.run("")
    config = settings.with_changes(settings.load(run.config_file), ["base=/gone"])
    settings.save(config, run.config_file)
    path = tmp_path / "k.safetensors"
    list(exported(run.root, "kohya", path))
    assert len(export.read(path, facts)[0]) == len(export.read(run.newest_adapter(), facts)[0])


def test_programs_are_those_that_inspect_offers() -> None:
    from typing import get_args

    literal = get_args(get_args(adapters.ProgramName)[0])[0]
    assert set(get_args(literal)) == set(programs.PROGRAMS)
