"""Text encoders as files of their own, as ComfyUI's users have them."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from core import cli
from core.base import encoders
from core.base.opening import open_base
from core.base.value import BUNDLED, Base, InFile
from core.config import files
from core.errors import BaseModelError, TextsMissingError
from core.families import loading
from core.families.device import whole_cpu
from core.families.namings import NAMINGS
from core.families.registry import load
from core.project.layout import create
from core.protocol.events import Finished
from core.training.control import Control
from core.training.train import train
from tests import comfy, original, tiny
from tests.conftest import fill, made, small_config
from tests.e2e.test_single_files import header_file

HEAD = "lm_head.weight"  # which files lack, and nothing reads
TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors"


def text_files(folder: Path, into: Path) -> list[Path]:
    """A file of each of a base's text encoders."""
    base = open_base(folder)
    parts = load(base, whole_cpu()).parts
    paths = []
    for part in base.facts.text_encoders:
        paths.append(into / f"{part}.safetensors")
        save_file(comfy.file_of(parts[part]), paths[-1])
    return paths


def without_weights(folder: Path, into: Path, *parts: str) -> Path:
    """A copy that has only the small files of some parts."""
    shutil.copytree(folder, into)
    for part in parts:
        for path in (into / part).glob("*.safetensors"):
            path.unlink()
    return into


@pytest.fixture(params=["flux", "chroma", "sd3", "flux2", "zimage", "qwen-image", "krea2"])
def flow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(request.param, tmp_path_factory)


def test_of_files_it_is_the_folders_model(flow: Path, tmp_path: Path) -> None:
    """The folder beside them has their vocabularies and sizes alone."""
    whole = open_base(flow)
    texts = text_files(flow, tmp_path)
    small = without_weights(flow, tmp_path / "small", *whole.facts.text_encoders)
    file = tmp_path / "transformer.safetensors"
    row = next(name for name in tiny.FLOWS if flow.name == f"tiny-{name}")
    named = original.NAMES[row](load_file(flow / TRANSFORMER))
    save_file({n: t.contiguous() for n, t in named.items()}, file)
    # those of the small Stable Diffusion 3 are of one width: there alone the order tells
    ours = open_base(file, rest=small, texts=texts if row == "sd3" else texts[::-1])
    wanted, found = load(whole, whole_cpu()).parts, load(ours, whole_cpu()).parts
    for part in whole.facts.text_encoders:
        one, other = wanted[part].state_dict(), found[part].state_dict()
        assert one.keys() == other.keys()
        assert all(torch.equal(one[n], other[n]) for n in one if n != HEAD), part
    with pytest.raises(TextsMissingError, match=r"has no weights of a ") as raised:
        open_base(file, rest=small)
    assert "--text" in raised.value.hint


@pytest.mark.parametrize("newer", [False, True])
def test_fp8_with_scales_is_read_rightly(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, newer: bool
) -> None:
    folder = made("chroma", tmp_path_factory)
    (path,) = text_files(folder, tmp_path)
    tensors, meant = comfy.scaled(load_file(path), newer=newer)
    save_file(tensors, path)
    net = load(open_base(folder, texts=[path]), whole_cpu()).parts["text_encoder"]
    there = net.state_dict()
    name = "encoder.block.0.layer.0.SelfAttention.q.weight"
    assert tensors[name].dtype == torch.float8_e4m3fn
    for name, tensor in meant.items():
        torch.testing.assert_close(there[name], tensor, rtol=0, atol=0)
    assert there["encoder.embed_tokens.weight"].data_ptr() == there["shared.weight"].data_ptr()


def test_in_half_precision_what_would_overflow_stays_whole_as_from_a_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of T5 the last product of each block (transformers' `_keep_in_fp32_modules`)."""
    folder = made("chroma", tmp_path_factory)
    kinds = []
    for base in (open_base(folder), open_base(folder, texts=text_files(folder, tmp_path))):
        net = loading.net(base, "text_encoder", transformers.T5EncoderModel, torch.float16)
        kinds.append({name: tensor.dtype for name, tensor in net.state_dict().items()})
    assert kinds[0] == kinds[1]
    assert set(kinds[1].values()) == {torch.float16, torch.float32}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale_weight": torch.ones(3, 8)}, "scaled in blocks"),
        ({"weight": torch.ones(24, 12, dtype=torch.uint8)}, "held in U8"),
    ],
)
def test_what_is_held_in_another_way_is_named(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, change: dict, words: str
) -> None:
    folder = made("chroma", tmp_path_factory)
    (path,) = text_files(folder, tmp_path)
    stem = "encoder.block.0.layer.0.SelfAttention.q."
    save_file({**load_file(path), **{stem + n: t for n, t in change.items()}}, path)
    with pytest.raises(BaseModelError, match=words) as raised:
        open_base(folder, texts=[path])
    assert str(path) in raised.value.message
    assert "fp16" in raised.value.hint


# ---------------------------------------------------------------- at true size


def config_of(kind: str, **settings: Any) -> Any:
    return getattr(transformers, kind)(**settings)


def bundled(part: str) -> Any:
    config = json.loads((BUNDLED / part / "config.json").read_text())
    return transformers.CLIPTextConfig.from_dict(config)


T5_XXL = {"d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_heads": 64, "num_layers": 24}
QWEN3 = {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36}
TRUE = {  # what the files are called, the net that reads them, its kind and width, tensors
    "clip_l (Flux.1)": ("CLIPTextModel", lambda: bundled("sdxl/text_encoder"), "CLIP", 768),
    "clip_l (SD 3)": (
        "CLIPTextModelWithProjection", lambda: bundled("sdxl/text_encoder"), "CLIP", 768,
    ),
    "clip_g": ("CLIPTextModelWithProjection", lambda: bundled("sdxl/text_encoder_2"), "CLIP", 1280),
    "t5xxl": ("T5EncoderModel", lambda: config_of(
        "T5Config", vocab_size=32128, feed_forward_proj="gated-gelu", **T5_XXL), "T5", 4096),
    "qwen_3_4b (Z-Image)": ("Qwen3Model", lambda: config_of("Qwen3Config", **QWEN3), "Qwen3", 2560),
    "qwen_3_4b (Flux.2)": (
        "Qwen3ForCausalLM", lambda: config_of("Qwen3Config", **QWEN3), "Qwen3", 2560,
    ),
    "qwen_2.5_vl_7b": ("Qwen2_5_VLForConditionalGeneration", lambda: config_of(
        "Qwen2_5_VLConfig",
        text_config={"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28},
    ), "Qwen2.5-VL", 3584),
    "qwen3vl_4b": ("Qwen3VLModel", lambda: config_of("Qwen3VLConfig", text_config=QWEN3),
                   "Qwen3-VL", 2560),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUE)
def test_at_true_size_every_tensor_has_its_place(tmp_path: Path, name: str) -> None:
    kind, config, title, width = TRUE[name]
    with torch.device("meta"):
        net = getattr(transformers, kind)(config())
    tensors = comfy.file_of(net)
    path = header_file(tmp_path / "file.safetensors", {n: t.shape for n, t in tensors.items()})
    began = time.perf_counter()
    found = encoders.recognised(path)
    took = time.perf_counter() - began
    assert (found.kind.title, found.width) == (title, width)
    assert encoders.kind_of(net.config.to_dict()) == (found.kind, found.width)
    if name == "clip_l (SD 3)":
        del tensors["text_projection.weight"]
    named = NAMINGS[found.where.naming](tensors, found.where.prefix, net)
    wanted = net.state_dict()
    assert wanted.keys() <= named.keys()
    assert all(named[n].shape == t.shape for n, t in wanted.items())
    assert took < 0.5  # 0.05 s is what a person waits; the machine may be busy


def test_the_projection_of_stable_diffusion_3_changes_nothing_where_none_is_told() -> None:
    config = transformers.CLIPTextConfig(
        hidden_size=8, intermediate_size=8, projection_dim=8, num_hidden_layers=1,
        num_attention_heads=1, vocab_size=9,
    )  # fmt: skip
    net = transformers.CLIPTextModelWithProjection(config)
    tensors = comfy.file_of(net)
    told = tensors.pop("text_projection.weight")
    named = NAMINGS["clip_alone"](tensors, "", net)
    assert torch.equal(named["text_projection.weight"], torch.eye(8))
    named = NAMINGS["clip_alone"]({**tensors, "text_projection.weight": told}, "", net)
    assert torch.equal(named["text_projection.weight"], told)


# ---------------------------------------------------------------- use


def test_a_run_on_files_alone_is_the_run_on_the_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The folder beside them is some megabytes; `new` takes them, and the run's file keeps them."""
    folder = made("zimage", tmp_path_factory)
    texts = text_files(folder, tmp_path)
    small = without_weights(folder, tmp_path / "small", "text_encoder", "vae", "transformer")
    file, vae = tmp_path / "z.safetensors", tmp_path / "vae.safetensors"
    named = original.zimage(load_file(folder / TRANSFORMER))
    save_file({n: t.contiguous() for n, t in named.items()}, file)
    shutil.copyfile(folder / "vae" / "diffusion_pytorch_model.safetensors", vae)
    fill(tmp_path / "pictures", 2)
    words = [
        "new", str(tmp_path / "made"), "--base", str(file), "--images", str(tmp_path / "pictures"),
        "--rest", str(small), "--vae", str(vae), "--text", str(texts[0]),
    ]  # fmt: skip
    assert cli.main(words) == 0
    told = files.load(tmp_path / "made" / "project.toml")
    assert (told.texts, told.rest, told.vae) == ((str(texts[0]),), str(small), str(vae))
    adapters = []
    for name, config in (
        ("folder", small_config(str(folder))),
        (
            "files",
            msgspec.structs.replace(
                small_config(str(file)), rest=str(small), vae=str(vae), texts=told.texts
            ),
        ),
    ):
        project = create(tmp_path / name, config)
        fill(project.images, 2)
        assert list(train(project, Control()))[-1] == Finished()
        run = project.run("")
        assert files.load(run.config_file).texts == config.texts
        adapters.append(load_file(run.adapter_file("Small", 4)))
    assert adapters[0].keys() == adapters[1].keys()
    assert all(torch.equal(adapters[0][n], adapters[1][n]) for n in adapters[0])


def test_a_changed_file_is_another_model(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from core.hashing import RememberedHashes

    folder = made("chroma", tmp_path_factory)
    (path,) = text_files(folder, tmp_path)

    def keys(base: Base) -> dict[str, str]:
        return base.fingerprints(RememberedHashes(tmp_path / "hashes.json"))

    base = open_base(folder, texts=[path])
    assert isinstance(base.weights["text_encoder"], InFile)
    before = keys(base)
    tensors = load_file(path)
    save_file({n: t + 1 for n, t in tensors.items()}, path)
    after = keys(open_base(folder, texts=[path]))
    assert {part for part in before if before[part] != after[part]} == {"text_encoder"}


def test_files_that_do_not_fit_say_what_would(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    zimage, flux = made("zimage", tmp_path_factory), made("flux", tmp_path_factory)
    for folder in (tmp_path / "f", tmp_path / "z", tmp_path / "s"):
        folder.mkdir()
    clip, t5 = text_files(flux, tmp_path / "f")
    (qwen,) = text_files(zimage, tmp_path / "z")
    *_, wider = text_files(made("sd3", tmp_path_factory), tmp_path / "s")
    odd = header_file(tmp_path / "odd.safetensors", {"decoder.up.0.x": (1,)})
    lora = header_file(tmp_path / "lora.safetensors", {"lora_te1_text_model_x.alpha": ()})
    for base, texts, words, hint in (
        (zimage, [t5], "is a T5 of width 24, which Z-Image does not read", "Qwen3 of width 32"),
        (flux, [qwen], "is a Qwen3 of width 32, which Flux.1", "CLIP of width 32 and a T5 of"),
        (flux, [wider], "is a T5 of width 72, which Flux.1 does not read", "a T5 of width 24"),
        (flux, [clip, t5, clip], "are the same text encoder", "Leave one out"),
        (flux, [odd], "is no text encoder that is known here", "CLIP, T5"),
        (flux, [lora], "is no text encoder that is known here", "CLIP, T5"),
        (flux, [tmp_path / "t5.bin"], "is a pickled file", "unpickle"),
        (flux, [tmp_path / "gone.safetensors"], "cannot be read", ""),
    ):
        with pytest.raises(BaseModelError) as raised:
            open_base(base, texts=texts)
        assert words in raised.value.message
        assert hint in raised.value.hint
    tensors = load_file(t5)
    del tensors["encoder.final_layer_norm.weight"]
    save_file(tensors, t5)
    with pytest.raises(BaseModelError, match=r"text_encoder_2 lacks encoder\.final_layer_norm"):
        _ = load(open_base(flux, texts=[t5]), whole_cpu()).parts["text_encoder_2"]


def test_into_a_folder_with_files_beside_it_nothing_is_put(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from core.families import weights

    folder = made("flux", tmp_path_factory)
    base = open_base(folder, texts=text_files(folder, tmp_path))
    with pytest.raises(BaseModelError, match="lies in another file"):
        list(weights.baked(base, [], tmp_path / "out"))
    assert not (tmp_path / "out").exists()
