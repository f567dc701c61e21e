"""Bases that are one .safetensors file."""

import json
import math
import random
import struct
import time
from pathlib import Path

import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file

from core import cli
from core.adapters import sgm
from core.base import single_file
from core.base.opening import facts_of, open_base
from core.base.single_file import Header, read_header
from core.base.value import BUNDLED, InFile
from core.config import facts, files
from core.errors import BaseModelError, UserError
from core.families.device import whole_cpu
from core.families.family import DrawOptions, Model, draw_texts
from core.families.registry import load
from core.project.layout import create
from core.training.control import Control
from core.training.train import train
from tests import altered, ldm, tiny
from tests.conftest import fill, small_config

FAMILIES = ("sd1", "sd2", "sdxl")
NETS = dict.fromkeys(("sd1", "sd2"), ("unet", "text_encoder", "vae"))
NETS["sdxl"] = (*NETS["sd1"], "text_encoder_2")


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base with the two layers a level that single files' names suppose."""
    where = tmp_path_factory.mktemp("bases") / request.param
    return (
        tiny.write_sd1(where, layers=2)
        if request.param == "sd1"
        else tiny.ROWS[request.param](where)
    )


@pytest.fixture
def bundled(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ldm.bundle(folder, tmp_path / "bundled", facts_of(str(folder), folder), monkeypatch)
    return folder


@pytest.fixture
def file(bundled: Path, tmp_path: Path) -> Path:
    return ldm.write(bundled, tmp_path / "tiny model.safetensors")


def drawn(model: Model) -> torch.Tensor:
    options = DrawOptions(32, 32, inference_steps=2, guidance=3.0, guidance_rescale=0.0)
    return draw_texts(model, ["a cat"], [3], options)[0]


def test_one_file_is_the_same_model_as_its_folder(folder: Path, file: Path) -> None:
    ours, theirs = load(open_base(file), whole_cpu()), load(open_base(folder), whole_cpu())
    for part in NETS[folder.name]:
        mine, wanted = ours.parts[part].state_dict(), theirs.parts[part].state_dict()
        assert mine.keys() == wanted.keys()
        assert all(torch.equal(mine[name], wanted[name]) for name in wanted), part
    assert (
        ours.parts["tokenizer"]("a cat").input_ids == theirs.parts["tokenizer"]("a cat").input_ids
    )
    assert torch.equal(drawn(ours), drawn(theirs))
    assert (ours.size_px, ours.multiple_px) == (theirs.size_px, theirs.multiple_px)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_a_file_of_any_precision_is_read(bundled: Path, tmp_path: Path, dtype) -> None:
    file = ldm.write(bundled, tmp_path / "half.safetensors", dtype=dtype)
    model = load(open_base(file), whole_cpu())
    weight = model.parts["unet"].conv_in.weight
    assert weight.dtype == torch.float32
    stored = load_file(file)["model.diffusion_model.input_blocks.0.0.weight"]
    assert torch.equal(weight, stored.float())
    assert drawn(model).isfinite().all()


def test_the_same_run_gives_the_same_adapter(folder: Path, file: Path, tmp_path: Path) -> None:
    tensors = []
    for base in (folder, file):
        project = create(tmp_path / f"p-{base.name}", small_config(str(base), steps=2))
        fill(project.images, 3)
        list(train(project, Control()))
        tensors.append(load_file(project.run("").newest_adapter() or Path()))
    assert tensors[0].keys() == tensors[1].keys()
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


def test_it_is_trained_from_the_command_line(file: Path, tmp_path: Path, capsys) -> None:
    pictures = tmp_path / "pictures"
    fill(pictures, 3)
    words = ["new", str(tmp_path / "p"), "--base", str(file), "--images", str(pictures)]
    assert cli.main(words) == 0
    sets = ["training.steps=2", "dataset.resolution_px=64", "preview.inference_steps=2"]
    assert cli.main(["train", str(tmp_path / "p"), *(w for s in sets for w in ("--set", s))]) == 0
    assert cli.main(["check", str(tmp_path / "p")]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_a_tensor_that_is_missing_is_named(file: Path) -> None:
    tensors = load_file(file)
    del tensors["model.diffusion_model.middle_block.0.in_layers.2.weight"]
    save_file(tensors, file)
    with pytest.raises(BaseModelError, match=r"unet lacks mid_block\.resnets\.0\.conv1\.weight"):
        load(open_base(file), whole_cpu())


@pytest.mark.parametrize("part", ["first_stage_model.", "con"])
def test_a_part_that_is_missing_is_named_before_anything_is_loaded(
    bundled: Path, tmp_path: Path, part: str
) -> None:
    file = ldm.write(bundled, tmp_path / "part.safetensors", without=part)
    with pytest.raises(BaseModelError, match="has no (vae|text encoder)"):
        open_base(file)


@pytest.mark.parametrize("form", ["folder", "ldm", "ldm with prefix", "diffusers"])
def test_a_vae_beside_it_is_taken(bundled: Path, tmp_path: Path, form: str) -> None:
    file = ldm.write(bundled, tmp_path / "no vae.safetensors", without="first_stage_model.")
    tensors = load_file(bundled / "vae" / "diffusion_pytorch_model.safetensors")
    vae = tmp_path / "vae.safetensors"
    match form:
        case "folder":
            vae = bundled / "vae"
        case "ldm":
            save_file(ldm.vae(tensors), vae)
        case "ldm with prefix":
            save_file({f"first_stage_model.{n}": t for n, t in ldm.vae(tensors).items()}, vae)
        case _:
            save_file(tensors, vae)
    made = load(open_base(file, vae), whole_cpu()).parts["vae"].state_dict()
    assert all(torch.equal(made[name], tensor) for name, tensor in tensors.items())


def test_a_project_names_its_vae(bundled: Path, tmp_path: Path) -> None:
    file = ldm.write(bundled, tmp_path / "no vae.safetensors", without="first_stage_model.")
    project = create(tmp_path / "p", small_config(str(file)))
    with pytest.raises(BaseModelError, match="has no vae") as caught:
        project.base(project.config())
    assert "vae" in caught.value.hint
    config = files.with_changes(project.config(), [f"vae={bundled / 'vae'}"])
    assert project.base(config).folders["vae"] == bundled / "vae"


def marked(file: Path, name: str, marks: list[str], said: dict[str, str]) -> Path:
    path = file.with_name(name)
    save_file({**load_file(file), **{mark: torch.zeros(0) for mark in marks}}, path, said)
    return path


@pytest.mark.parametrize(
    ("name", "marks", "said", "predicts", "zero_snr"),
    [
        ("model", [], {}, "epsilon", False),
        ("model", ["v_pred"], {}, "v_prediction", False),
        ("model", ["v_pred", "ztsnr"], {}, "v_prediction", True),
        ("model", [], {"modelspec.prediction_type": "v"}, "v_prediction", False),
        ("NoobXL-vPred-v1", [], {}, "v_prediction", True),
        ("NoobXL-vPred-v1", [], {"modelspec.prediction_type": "epsilon"}, "epsilon", False),
        ("vprediction-like", [], {}, "v_prediction", True),
        ("very predictable", [], {}, "epsilon", False),
    ],
)
def test_what_it_predicts_is_read_from_it(
    file: Path, name: str, marks: list[str], said: dict, predicts: str, zero_snr: bool
) -> None:
    if open_base(file).facts.predicts and name != "model":
        pytest.skip("names are not asked where numbers tell it")
    base = open_base(marked(file, f"{name}.safetensors", marks, said))
    scheduler = base.configs["scheduler"]
    assert scheduler["prediction_type"] == predicts
    assert scheduler.get("rescale_betas_zero_snr", False) == zero_snr
    assert bool(base.notes) == ("v" in name and predicts[0] == "v" and not marks and not said)
    last = load(base, whole_cpu()).path.coefficients(torch.tensor([999]))[0]
    assert (last.item() < 1e-4) == zero_snr


TELLS = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("spread", "row"), [(0.08, facts.SD2), (0.10, facts.SD2_V), (math.nan, facts.SD2)]
)
def test_a_bias_tells_what_stable_diffusion_2_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype, spread: float, row: facts.Facts
) -> None:
    """ComfyUI: `torch.std(bias, unbiased=False) > 0.09` means v."""
    folder = tiny.write_sd2(tmp_path / "sd2")
    ldm.bundle(folder, tmp_path / "bundled", facts.SD2, monkeypatch)
    tensors = ldm.single_file(folder)
    tensors[TELLS] = torch.tensor([0.5 - spread, 0.5 + spread]).repeat(160).to(dtype)
    save_file(tensors, tmp_path / "a.safetensors")
    base = open_base(tmp_path / "a.safetensors")
    assert base.facts is row
    assert base.configs["scheduler"]["prediction_type"] == row.predicts
    assert not base.notes
    assert facts_of("a.safetensors", tmp_path) is row
    told = open_base(tmp_path / "a.safetensors", told="v_prediction")
    assert told.facts is facts.SD2_V


@pytest.mark.parametrize(("family", "row"), [("sd2", facts.SD2), ("sd2-v", facts.SD2_V)])
def test_a_folder_of_stable_diffusion_2_is_known(tmp_path: Path, family: str, row) -> None:
    folder = tiny.ROWS[family](tmp_path / family)
    assert open_base(folder).facts is row
    assert facts_of(family, tmp_path) is row
    project = create(tmp_path / "p", small_config(str(folder), steps=1))
    fill(project.images, 2)
    list(train(project, Control()))
    with safetensors.safe_open(project.run("").newest_adapter() or Path(), "pt") as file:
        header = file.metadata()
    assert header["ss_v2"] == "True"
    assert header["ss_base_model_version"] == row.kohya_version
    assert header["modelspec.architecture"] == row.architecture
    assert header["modelspec.prediction_type"] == row.predicts.removesuffix("_prediction")


def test_what_a_person_says_counts(file: Path) -> None:
    base = open_base(marked(file, "vpred.safetensors", [], {}), told="epsilon")
    assert base.configs["scheduler"]["prediction_type"] == "epsilon"
    assert not base.notes
    assert load(open_base(file, told="v_zero_snr"), whole_cpu()).path.prediction == "v_prediction"


def test_a_changed_prediction_is_another_base(file: Path, tmp_path: Path) -> None:
    from core.hashing import RememberedHashes

    remembered = RememberedHashes(tmp_path / "hashes.json")
    plain, told = open_base(file), open_base(file, told="v_prediction")
    before, after = plain.fingerprints(remembered), told.fingerprints(remembered)
    assert {part for part in before if before[part] != after[part]} == {"scheduler"}


def header_file(path: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """A whole .safetensors file of empty tensors' names; numbers are left out where large."""
    tensors = {
        name: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]}
        for name, shape in shapes.items()
    }
    text = json.dumps(tensors).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


U = "model.diffusion_model."


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"lora_unet_down_blocks_0.lora_down.weight": (4, 8)}, "an adapter"),
        ({"unet.down_blocks.0.to_q.lora_A.weight": (4, 8)}, "an adapter"),
        ({"lora_unet_x.hada_w1_a": (4, 8)}, "an adapter"),
        ({"emb_params": (2, 768)}, "textual inversion"),
        ({"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)}, "ControlNet"),
        ({"image_proj.proj.weight": (3, 3), "ip_adapter.1.to_k.weight": (3, 3)}, "IP-Adapter"),
        ({f"{U}input_blocks.1.1.time_stack.0.norm.weight": (3,)}, "video"),
        ({"decoder.conv_in.weight": (3, 3, 3, 3)}, "a VAE"),
        ({"text_model.embeddings.token_embedding.weight": (3, 3)}, "a text encoder"),
        ({"down_blocks.0.resnets.0.conv1.weight": (3, 3, 3, 3)}, "diffusers folder"),
        ({"input_blocks.0.0.weight": (320, 4, 3, 3)}, "without text encoder and VAE"),
        (
            {
                f"{U}input_blocks.0.0.weight": (320, 9, 3, 3),
                f"{U}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
            },
            "inpainting model of Stable Diffusion 1",
        ),
        (
            {
                f"{U}input_blocks.0.0.weight": (320, 4, 3, 3),
                f"{U}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 1111),
            },
            "no model that is known here",
        ),
        (
            {
                f"{U}input_blocks.0.0.weight": (384, 4, 3, 3),
                f"{U}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (768, 1280),
            },
            "refiner",
        ),
        ({"a": (1,)}, "no model that is known here"),
    ],
)
def test_what_is_no_base_is_named(tmp_path: Path, names: dict, words: str) -> None:
    with pytest.raises(BaseModelError, match=words) as caught:
        open_base(header_file(tmp_path / "file.safetensors", names))
    assert "Stable Diffusion 1" in str(caught.value) or "adapter" in words
    assert "{" not in caught.value.hint


@pytest.mark.parametrize("ending", [".ckpt", ".bin", ".pt"])
def test_a_pickle_is_refused_with_the_command_that_converts_it(tmp_path: Path, ending) -> None:
    file = tmp_path / f"model{ending}"
    file.write_bytes(b"x")
    with pytest.raises(BaseModelError, match="run code") as caught:
        open_base(file)
    assert "stylewright unpickle" in caught.value.hint


def test_a_pickle_is_converted_and_holds_no_code(file: Path, tmp_path: Path, capsys) -> None:
    tensors = load_file(file)
    pickled = tmp_path / "old.ckpt"
    torch.save({"state_dict": tensors, "global_step": 3}, pickled)
    assert cli.main(["unpickle", str(pickled)]) == 0
    made = load_file(tmp_path / "old.safetensors")
    assert made.keys() == tensors.keys()
    assert all(torch.equal(made[name], tensors[name]) for name in made)
    assert cli.main(["unpickle", str(pickled)]) == 2  # it is there already
    assert "old.safetensors" in capsys.readouterr().err
    bad = tmp_path / "bad.ckpt"
    torch.save({"state_dict": {"a": Path("x")}}, bad)
    assert cli.main(["unpickle", str(bad)]) == 2
    assert not (tmp_path / "bad.safetensors").exists()


def test_a_file_that_is_cut_short_is_named(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    with pytest.raises(BaseModelError, match="cut short"):
        open_base(file)
    file.write_bytes(content[:100])
    with pytest.raises(BaseModelError, match="damaged"):
        open_base(file)


def test_altered_files_are_refused_in_words(file: Path) -> None:
    """Whole headers over wrong bytes, other shapes, odd dtypes: what is opened is loaded, too."""
    whole = file.read_bytes()
    refused = 0
    for number in range(40):
        rng = random.Random(f"single file/{number}")
        file.write_bytes(altered.safetensors_of(whole, rng))
        try:
            load(open_base(file), whole_cpu())
        except UserError as error:
            refused += bool(error.message)
    assert refused > 10


FULL_SIZE = [("sd1", 686, 192), ("sd2", 686, 192), ("sdxl", 1680, 722)]


def full_size_unet(family: str):
    from diffusers import UNet2DConditionModel

    config = json.loads((BUNDLED / family / "unet" / "config.json").read_text())
    with torch.device("meta"):
        return UNet2DConditionModel.from_config(config)


@pytest.mark.parametrize(("family", "tensors", "modules"), FULL_SIZE)
def test_the_names_of_whole_unets_are_those_that_diffusers_reads(
    family: str, tensors: int, modules: int
) -> None:
    """Its converter is the reference: each name of ours must come back as what it was made of."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    unet = full_size_unet(family)
    state = unet.state_dict()
    assert len(state) == tensors
    named = {U + n: t for n, t in ldm.unet(state, bare_first=family != "sdxl").items()}
    assert len(named) == len(state)
    back = convert_ldm_unet_checkpoint(named, unet.config)
    assert back.keys() == state.keys()
    assert all(back[name] is state[name] for name in state)
    for name in state:
        module = name.rpartition(".")[0]
        other = sgm.from_diffusers(module, bare_first=family != "sdxl")
        assert sgm.to_diffusers(other) == module


@pytest.mark.parametrize(("family", "tensors", "modules"), FULL_SIZE)
def test_a_whole_files_family_is_known_at_once(
    tmp_path: Path, family: str, tensors: int, modules: int
) -> None:
    unet = full_size_unet(family).state_dict()
    shapes = {U + n: tuple(t.shape) for n, t in ldm.unet(unet, bare_first=family != "sdxl").items()}
    for prefix in ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model.",
                   "cond_stage_model.transformer.", "cond_stage_model.model.", "first_stage_model."):  # fmt: skip
        shapes[prefix + "x"] = (1,)
    file = header_file(tmp_path / "model.safetensors", shapes)
    best = 1.0
    for _ in range(3):
        began = time.perf_counter()
        base = open_base(file)
        best = min(best, time.perf_counter() - began)
    assert base.facts.family == family == facts_of(str(file), tmp_path).family
    assert best < 0.5  # seconds; 0.05 on a machine at rest
    where = base.weights["unet"]
    assert isinstance(where, InFile)
    assert single_file.precision(read_header(file)) == "F16"


def test_an_empty_header_is_no_model(tmp_path: Path) -> None:
    assert read_header(header_file(tmp_path / "a.safetensors", {})) == Header({}, {}, {})
