"""Bases whose file holds a byte a number with scales beside them, as ComfyUI has them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.adapters.changes import LoRA, Place
from core.base import held as holding
from core.base.opening import open_base
from core.base.single_file import read_header
from core.errors import BaseModelError
from core.families import bytewise, loading, quantized, weights
from core.families.device import choose, whole_cpu
from core.families.registry import FAMILIES, load
from tests import comfy, ldm, original
from tests.conftest import made

FP8 = torch.float8_e4m3fn
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
FORMS = {  # as files have been given: older, newer with rows, newer that say it, bytes that are whole numbers
    "older": {},
    "newer": {"newer": True},
    "told": {"newer": True, "told": True},
    "int8": {"newer": True, "told": True, "kind": "int8_tensorwise"},
}


def saved(tensors: dict[str, torch.Tensor], path: Path, **words: str) -> Path:
    save_file({n: t.contiguous() for n, t in tensors.items()}, path, words or None)
    return path


def named(folder: Path, row: str, prefix: str = "") -> dict[str, torch.Tensor]:
    """A folder's transformer under its authors' names; normalisations in half, as files have."""
    tensors = original.NAMES[row](load_file(folder / WEIGHTS))
    return {prefix + name: tensor.contiguous() for name, tensor in tensors.items()}


def net_of(file: Path, folder: Path, held: str = "whole") -> nn.Module:
    """As it is loaded to train on, its layers not yet held otherwise."""
    base = open_base(file, rest=folder)
    kind = FAMILIES[base.facts.family].nets["transformer"]
    return loading.net(base, "transformer", kind, torch.float32, held=held)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize("row", ["flux", "chroma", "sd3", "flux2", "zimage", "qwen-image", "krea2"])
def test_scales_are_multiplied_in_where_names_are_turned_and_joined_layers_cut(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: str, prefix: str
) -> None:
    """Against a plain file of the numbers that are meant, by the formula of the tests' own."""
    folder = made(row, tmp_path_factory)
    for form, how in FORMS.items():
        tensors, meant = comfy.scaled(named(folder, row, prefix), prefix=prefix, **how)
        assert any(t.dtype in (FP8, torch.int8) for t in tensors.values())
        file = saved(tensors, tmp_path / f"{form}.safetensors")
        ours = net_of(file, folder).state_dict()
        wanted = net_of(saved(meant, tmp_path / "plain.safetensors"), folder).state_dict()
        assert ours.keys() == wanted.keys()
        assert all(torch.equal(ours[n], wanted[n]) for n in wanted), form


def test_fp8_without_scales_is_its_numbers(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`flux1-dev-fp8`: all of it, normalisations too."""
    folder = made("flux", tmp_path_factory)
    tensors = {name: tensor.to(FP8) for name, tensor in named(folder, "flux").items()}
    plain = {name: tensor.float() for name, tensor in tensors.items()}
    ours = net_of(saved(tensors, tmp_path / "fp8.safetensors"), folder).state_dict()
    wanted = net_of(saved(plain, tmp_path / "plain.safetensors"), folder).state_dict()
    assert all(torch.equal(ours[n], wanted[n]) for n in wanted)


@pytest.mark.parametrize("form", ["scaled", "rows", "plain", "int8"])
def test_held_in_those_bytes_they_stay_as_they_are(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, form: str
) -> None:
    """Rounded once more, each row by its own largest, they would be other numbers."""
    folder = made("flux", tmp_path_factory)
    own = named(folder, "flux")
    if form == "plain":
        tensors = {n: t.to(FP8) if t.ndim == 2 else t for n, t in own.items()}
        meant = {n: t.float() for n, t in tensors.items()}
    else:
        how = {"scaled": {}, "rows": FORMS["newer"], "int8": FORMS["int8"]}[form]
        tensors, meant = comfy.scaled(own, **how)
    file = saved(tensors, tmp_path / "bytes.safetensors")
    held = "int8_weights" if form == "int8" else "fp8"
    net = net_of(file, folder, held)
    wanted = net_of(saved(meant, tmp_path / "plain.safetensors"), folder)
    kept = {n: m for n, m in net.named_modules() if isinstance(m, bytewise.Bytewise)}
    assert "single_transformer_blocks.0.attn.to_q" in kept  # cut from a joined layer
    for name, module in kept.items():
        assert torch.equal(module.whole(), wanted.get_submodule(name).weight), name
        assert module.weight.dtype == torch.uint8
    left = [n for n, m in net.named_modules() if type(m) is nn.Linear and quantized._can_be_held(m)]
    assert bool(left) == (form != "plain")  # what the file has whole is rounded by `hold`
    quantized.hold(net, held, torch.float32)
    assert not [m for m in net.modules() if type(m) is nn.Linear and quantized._can_be_held(m)]
    model = load(open_base(file, rest=folder), choose("float32", held))  # tried out by a drawing
    module = model.parts["transformer"].get_submodule("single_transformer_blocks.0.attn.to_q")
    assert torch.equal(module.whole(), kept["single_transformer_blocks.0.attn.to_q"].whole())


def test_a_checkpoint_of_a_unet_is_read(
    sdxl_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its convolutions are not scaled; OpenCLIP's joined layers are no matrices of that name."""
    from core.base.opening import facts_of

    ldm.bundle(sdxl_base, tmp_path / "bundled", facts_of(str(sdxl_base), tmp_path), monkeypatch)
    whole = ldm.single_file(sdxl_base)
    tensors, meant = comfy.scaled(whole, prefix="model.diffusion_model.")
    models = [
        load(open_base(saved(some, tmp_path / f"{name}.safetensors")), whole_cpu())
        for name, some in (("bytes", tensors), ("plain", meant))
    ]
    for part in ("unet", "text_encoder", "text_encoder_2"):
        ours, wanted = (model.parts[part].state_dict() for model in models)
        assert all(torch.equal(ours[n], wanted[n]) for n in wanted), part


@pytest.mark.parametrize("form", ["older", "newer", "int8"])
def test_an_adapter_is_put_into_such_a_file_and_it_stays_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, form: str
) -> None:
    """The change of one of three joined layers; rounded, by the layer's new scale."""
    folder = made("flux", tmp_path_factory)
    tensors, meant = comfy.scaled(named(folder, "flux"), **FORMS[form])
    file = saved(tensors, tmp_path / "base.safetensors")
    base = open_base(file, rest=folder)
    kind = FAMILIES["flux"].nets["transformer"]
    net = loading.empty_net(base, "transformer", kind)
    module = "transformer_blocks.0.attn.to_k"
    before = weights.of_part(base, "transformer", net)
    rows, columns = before[module].shape
    torch.manual_seed(1)
    change = LoRA(down=torch.randn(2, columns), up=torch.randn(rows, 2), alpha=3.0)
    out = tmp_path / "made.safetensors"
    assert drained(weights.baked(base, [({Place("transformer", module): change}, 1.0)], out)) == 1
    written = load_file(out)
    assert {n: (t.shape, t.dtype) for n, t in written.items()} == {
        n: (t.shape, t.dtype) for n, t in tensors.items()
    }
    source = "double_blocks.0.img_attn.qkv"
    changed = {n for n in tensors if not same(written[n], tensors[n])}
    beside = ".scale_weight" if form == "older" else ".weight_scale"
    assert changed == {f"{source}.weight", source + beside}
    wanted = meant[f"{source}.weight"].clone()
    wanted[rows : 2 * rows] += change.delta(wanted[rows : 2 * rows])
    got = written[f"{source}.weight"].float() * written[source + beside]
    step = 1 / 127 if form == "int8" else 2**-4
    size = wanted.abs().amax() if form == "older" else wanted.abs().amax(dim=1, keepdim=True)
    assert (
        (got - wanted).abs() <= step * (size if form == "int8" else wanted.abs() + size / 448)
    ).all()
    again = weights.of_part(open_base(out, rest=folder), "transformer", net)
    assert torch.equal(again[module], got[rows : 2 * rows])
    assert len(again) == len(before)


def drained(made) -> int:
    while True:
        try:
            next(made)
        except StopIteration as end:
            return end.value


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.float(), other.float())


LAYER = "double_blocks.0.img_attn.qkv"
ONES = torch.ones(48, 16)


def told(**words: object) -> torch.Tensor:
    return torch.tensor(list(json.dumps(words).encode()), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale_weight": torch.ones(3, 8)}, "scaled in blocks"),
        ({"weight_scale": torch.ones(48, 1, dtype=torch.uint8)}, "scaled by U8"),
        ({"weight_scale_inv": torch.ones(1, 1)}, "scaled in blocks"),
        ({"weight_scale_2": torch.ones(())}, r"packed in 4 bits \(NVFP4\)"),
        ({"weight": ONES.to(torch.uint8)}, "held in U8"),
        ({"weight": ONES.to(torch.int8)}, "held in I8"),
        ({"weight.quant_state.bitsandbytes__nf4": torch.ones(9)}, r"packed in 4 bits \(NF4\)"),
        ({"weight.quant_state.bitsandbytes__fp4": torch.ones(9)}, r"packed in 4 bits \(FP4\)"),
        ({"qweight": torch.ones(9)}, "SVDQuant"),
        ({"pre_quant_scale": torch.ones(16)}, "a way that is not known here"),
        ({"comfy_quant": told(format="mxfp8")}, "held in mxfp8"),
        (
            {"comfy_quant": told(format="int8_tensorwise", convrot=True)},
            "int8_tensorwise and turned",
        ),
        (
            {"comfy_quant": told(format="int8_tensorwise", params={"convrot": True})},
            "int8_tensorwise and turned",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["transformer", "checkpoint"])
def test_what_is_held_in_another_way_is_named(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, change: dict, words: str, kind: str
) -> None:
    folder = made("flux", tmp_path_factory)
    unet = {"model.diffusion_model.input_blocks.0.0.weight": torch.ones(4, 4, 3, 3)}
    own = {f"{LAYER}.weight": ONES.to(FP8)} if kind == "transformer" else unet
    layer = LAYER if kind == "transformer" else "model.diffusion_model.time_embed.0"
    first = {f"{layer}.weight": ONES.to(FP8)}
    file = saved(
        {**own, **first, **{f"{layer}.{n}": t for n, t in change.items()}},
        tmp_path / "x.safetensors",
    )
    with pytest.raises(BaseModelError, match=words) as raised:
        open_base(file, rest=folder)
    assert str(file) in raised.value.message
    assert "fp16, bf16 or fp8" in raised.value.hint


def test_what_a_file_says_of_its_layers_in_its_header_counts(tmp_path: Path) -> None:
    def with_words(words: str) -> None:
        path = tmp_path / "x.safetensors"
        tensors = {f"{LAYER}.weight": ONES.to(torch.int8), f"{LAYER}.weight_scale": torch.ones(())}
        saved(tensors, path, _quantization_metadata=words)
        holding.check_read(path, read_header(path))

    with_words(json.dumps({"layers": {LAYER: {"format": "int8_tensorwise"}}}))
    with pytest.raises(BaseModelError, match="held in convrot_w4a4"):
        with_words(json.dumps({"layers": {LAYER: {"format": "convrot_w4a4"}}}))
    for damaged in ("{", "[]", '{"layers": 3}', '{"layers": {"a": 1}}'):
        with pytest.raises(BaseModelError, match="is damaged: it does not say how"):
            with_words(damaged)


def test_a_gguf_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "flux1-dev-Q4_K_S.gguf"
    file.write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(BaseModelError, match="is a GGUF file") as raised:
        open_base(file)
    assert "fp16, bf16 or fp8" in raised.value.hint
