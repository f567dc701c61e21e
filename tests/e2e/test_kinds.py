"""Every kind of adapter: what peft trains, what our values say, and what files of it hold."""

from pathlib import Path

import msgspec
import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from core.adapters import dora, files, injection, kinds
from core.adapters.changes import Adapter, DoRA, LoHa, LoRA, Place
from core.adapters.kinds import ADAPTER, KINDS, Room
from core.adapters.programs import PROGRAMS, read_by
from core.adapters.reading import from_tensors
from core.config.facts import SD1
from core.config.options import AdapterConfig
from core.errors import AdapterError
from core.training import export

Q = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
PROJ = "down_blocks.0.attentions.0.proj_in"
CONV = "down_blocks.0.resnets.0.conv1"
ROOM = Room(modules=r".*(to_q|proj_in)", convolutions=r".*conv1", rank=4, alpha=3.0)
CASES = {
    "lora": {},
    "lora-stable": {"kind": "lora", "rank_stabilized": True},
    "pissa": {"kind": "lora", "init": "pissa"},
    "olora": {"kind": "lora", "init": "olora"},
    "dora": {},
    "dora-output": {"kind": "dora", "dora_norm": "output"},
    "loha": {},
    "lokr": {"rank": 2, "conv_rank": 2},
    "lokr-whole": {"kind": "lokr", "rank": 8},
    "oft": {"conv_rank": 0},
}


def config_of(case: str) -> AdapterConfig:
    options = {"kind": case, "rank": 4, "alpha": 3.0, "conv_rank": 3, "conv_alpha": 2.0}
    return msgspec.convert({**options, **CASES[case]}, AdapterConfig)


def room_of(config: AdapterConfig) -> Room:
    convolutions = ROOM.convolutions if config.conv_rank else ""
    return Room(ROOM.modules, convolutions, config.rank, kinds.alpha(config))


class Block(nn.Module):
    """A linear layer, a convolution of one pixel and one of three, none of them square."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(5)
        self.down_blocks = nn.ModuleList([nn.Module()])
        self._add(Q, nn.Linear(16, 24))
        self._add(PROJ, nn.Conv2d(16, 24, 1))
        self._add(CONV, nn.Conv2d(16, 24, 3, padding=1))
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=rng)
            parameter.requires_grad = False

    def _add(self, path: str, module: nn.Module) -> None:
        at: nn.Module = self
        *way, last = path.split(".")
        for name in way:
            if not hasattr(at, name):
                at.add_module(name, nn.Module())
            at = getattr(at, name)
        at.add_module(last, module)


INPUTS = {
    Q: torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1)),
    PROJ: torch.randn(2, 16, 6, 6, generator=torch.Generator().manual_seed(2)),
    CONV: torch.randn(2, 16, 6, 6, generator=torch.Generator().manual_seed(3)),
}


def outputs(net: nn.Module) -> dict[str, Tensor]:
    return {path: net.get_submodule(path)(x) for path, x in INPUTS.items()}


def weights(net: nn.Module) -> dict[str, Tensor]:
    return {path: net.get_submodule(path).weight for path in INPUTS}


def trained(case: str) -> tuple[Block, Adapter]:
    """A net whose adapter has been moved from where it began, by one step of a real gradient."""
    net, config = Block(), config_of(case)
    torch.manual_seed(9)
    parameters = injection.inject({"unet": net}, {"unet": room_of(config)}, config)
    wanted = {path: made.detach() + 1 for path, made in outputs(net).items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        made = outputs(net)
        torch.stack([(made[path] - wanted[path]).square().mean() for path in made]).sum().backward()
        assert all(p.grad is not None for p in parameters.values())
        optimizer.step()
    return net, injection.take({"unet": net})


def changed_by(adapter: Adapter, weight: float = 1.0) -> dict[str, Tensor]:
    """What a net does whose weights are plainly replaced: the reference for everything here."""
    net = Block()
    for path, before in weights(net).items():
        if (change := adapter.get(Place("unet", path))) is not None:
            net.get_submodule(path).weight.data = before + weight * change.delta(before)
    return outputs(net)


def assert_same(made: dict[str, Tensor], expected: dict[str, Tensor], most: float = 1e-4) -> None:
    for path, value in made.items():
        assert (value - expected[path]).abs().max() < most * expected[path].abs().max(), path


@pytest.mark.parametrize("case", CASES)
def test_a_new_adapter_changes_nothing(case: str) -> None:
    net, config = Block(), config_of(case)
    expected = {path: made.clone() for path, made in outputs(net).items()}
    injection.inject({"unet": net}, {"unet": room_of(config)}, config)
    assert_same(outputs(net), expected, 1e-5)


@pytest.mark.parametrize("case", CASES)
def test_what_is_taken_out_is_what_was_trained(case: str) -> None:
    net, adapter = trained(case)
    places = {Place("unet", path) for path in INPUTS if case != "oft" or path != CONV}
    assert adapter.keys() == places
    assert all(type(change) is KINDS[config_of(case).kind].change for change in adapter.values())
    made = outputs(net)
    assert_same(made, changed_by(adapter))
    untouched = outputs(Block())
    assert all((made[p.module] - untouched[p.module]).abs().max() > 0.01 for p in places)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weight", [0.0, 0.6, 1.0])
def test_it_acts_as_strongly_as_is_wished(case: str, weight: float) -> None:
    """W + weight (W' - W), whatever the kind."""
    net, adapter = trained(case)
    injection.train_mode({"unet": net}, on=False)
    injection.set_weight({"unet": net}, 0.3)
    injection.set_weight({"unet": net}, weight)
    assert_same(outputs(net), changed_by(adapter, weight))


@pytest.mark.parametrize("case", CASES)
def test_the_base_stays_as_it_was(case: str) -> None:
    net, _ = trained(case)
    for path, before in weights(Block()).items():
        layer = net.get_submodule(path)
        base = layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer
        assert torch.equal(base.weight, before)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layout", ["kohya", "peft", "diffusers"])
def test_what_is_written_is_read_back(tmp_path: Path, case: str, layout) -> None:
    _, adapter = trained(case)
    path = tmp_path / "a.safetensors"
    refused = (layout != "kohya" and case == "dora") or (
        layout == "diffusers" and case in ("loha", "lokr", "lokr-whole", "oft")
    )
    if refused:
        with pytest.raises(AdapterError, match="reads no|for each input") as caught:
            export.write(path, adapter, SD1, {}, layout)
        assert "kohya's form" in caught.value.hint
        return
    export.write(path, adapter, SD1, {}, layout)
    read, _ = export.read(path, SD1)
    assert_same(changed_by(read), changed_by(adapter), 2e-3)  # but for half precision's rounding
    net = Block()
    injection.place_into({"unet": net}, read)
    assert_same(outputs(net), changed_by(read))
    assert injection.take({"unet": net}).keys() == adapter.keys()


@pytest.mark.parametrize("case", [c for c in CASES if c != "dora"])
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_peft_reads_its_own_folder(tmp_path: Path, case: str) -> None:
    """peft's own code, as the reference for shapes, scales and rotations."""
    from peft import PeftModel

    _, adapter = trained(case)
    export.write(tmp_path / "peft", adapter, SD1, {}, "peft")
    model = PeftModel.from_pretrained(Block(), str(tmp_path / "peft" / "unet"))
    assert_same(outputs(model.base_model.model), changed_by(adapter), 2e-3)


def lycoris_delta(case: str, tensors: dict[str, Tensor], name: str, weight: Tensor) -> Tensor:
    """What ComfyUI adds to a weight, by its own formulas (comfy/weight_adapter)."""
    found = {
        k.removeprefix(name + "."): t.float() for k, t in tensors.items() if k.startswith(name)
    }
    alpha = found["alpha"].item()
    if case == "dora":
        product = found["lora_up.weight"].flatten(1) @ found["lora_down.weight"].flatten(1)
        moved = weight + product.reshape(weight.shape) * alpha / len(found["lora_down.weight"])
        norm = moved.transpose(0, 1).flatten(1).norm(dim=1).view(1, -1, *[1] * (weight.ndim - 2))
        return moved * (found["dora_scale"] / norm) - weight
    if case == "loha":
        one = found["hada_w1_a"] @ found["hada_w1_b"]
        two = found["hada_w2_a"] @ found["hada_w2_b"]
        return (one * two).reshape(weight.shape) * alpha / len(found["hada_w1_b"])
    scale = 1.0
    first, second = found["lokr_w1"], found.get("lokr_w2")
    if second is None:
        second = found["lokr_w2_a"] @ found["lokr_w2_b"]
        scale = alpha / len(found["lokr_w2_b"])
    if second.ndim == 4:
        first = first[:, :, None, None]
    return torch.kron(first, second).reshape(weight.shape) * scale


@pytest.mark.parametrize("case", ["dora", "loha", "lokr", "lokr-whole"])
def test_comfyuis_formulas_give_the_same_of_our_file(tmp_path: Path, case: str) -> None:
    _, adapter = trained(case)
    export.write(tmp_path / "a.safetensors", adapter, SD1, {}, "kohya")
    tensors, _ = files.read(tmp_path / "a.safetensors")
    for place, change in adapter.items():
        weight = weights(Block())[place.module]
        name = "lora_unet_" + place.module.replace(".", "_")
        expected = change.delta(weight)
        made = lycoris_delta(case, tensors, name, weight)
        assert (made - expected).norm() < 2e-3 * expected.norm()


def test_our_dora_of_outputs_is_pefts() -> None:
    """Another implementation of the same paper, gradients included."""
    grads = []
    for own in (True, False):
        net = nn.ModuleDict({"to_q": nn.Linear(16, 24)})
        torch.manual_seed(3)
        for parameter in net.parameters():
            parameter.data = torch.randn_like(parameter)
        settings = LoraConfig(r=4, lora_alpha=8, target_modules=["to_q"], use_dora=not own)
        torch.manual_seed(4)
        inject_adapter_in_model(settings, net)
        layer = net["to_q"]
        if own:
            dora.dress(layer, ADAPTER, per_input=False)
        layer.lora_B[ADAPTER].weight.data.normal_(generator=torch.Generator().manual_seed(6))
        layer(INPUTS[Q]).square().sum().backward()
        parts = (layer.lora_A, layer.lora_B, layer.lora_magnitude_vector)
        grads.append([part[ADAPTER].weight.grad for part in parts])
    for ours, theirs in zip(*grads, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-3)


def test_lycoris_cores_are_read(tmp_path: Path) -> None:
    """Of Tucker's decomposition, which its convolutions have, against plain sums."""
    rng = torch.Generator().manual_seed(8)

    def rand(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng)

    name = "lora_unet_" + CONV.replace(".", "_")
    weight = weights(Block())[CONV]
    r, out, inputs = 3, *weight.shape[:2]

    def tucker(t: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return sum(
            t[i, j] * a[i].view(-1, 1, 1, 1) * b[j].view(1, -1, 1, 1)
            for i in range(r)
            for j in range(r)
        )

    parts = [(rand(r, r, 3, 3), rand(r, out), rand(r, inputs)) for _ in range(2)]
    loha = {
        f"{name}.hada_{role}": tensor
        for n, (t, a, b) in enumerate(parts, 1)
        for role, tensor in ((f"t{n}", t), (f"w{n}_a", a), (f"w{n}_b", b))
    } | {f"{name}.alpha": torch.tensor(2.0)}
    expected = tucker(*parts[0]) * tucker(*parts[1]) * 2 / r
    (change,) = from_tensors(loha, {}, SD1.names).values()
    assert isinstance(change, LoHa)
    assert torch.allclose(change.delta(weight), expected, atol=1e-4)

    core, down, up = rand(r, r, 3, 3), rand(r, inputs, 1, 1), rand(out, r, 1, 1)
    locon = {
        f"{name}.lora_mid.weight": core,
        f"{name}.lora_down.weight": down,
        f"{name}.lora_up.weight": up,
    }
    (change,) = from_tensors(locon, {}, SD1.names).values()
    assert isinstance(change, LoRA)
    layers = nn.functional.conv2d(
        nn.functional.conv2d(nn.functional.conv2d(INPUTS[CONV], down), core, padding=1), up
    )
    assert torch.allclose(
        nn.functional.conv2d(INPUTS[CONV], change.delta(weight), padding=1), layers, atol=1e-3
    )


def test_an_adapter_of_several_kinds_is_put_in_whole() -> None:
    adapters = {case: trained(case)[1] for case in ("lora", "lokr", "oft")}
    mixed = {
        Place("unet", Q): adapters["oft"][Place("unet", Q)],
        Place("unet", PROJ): adapters["lora"][Place("unet", PROJ)],
        Place("unet", CONV): adapters["lokr"][Place("unet", CONV)],
    }
    net = Block()
    injection.place_into({"unet": net}, mixed)
    assert_same(outputs(net), changed_by(mixed))


def test_a_place_into_which_it_does_not_fit_is_named() -> None:
    for case in ("lora", "dora", "dora-output", "loha", "lokr", "oft"):
        _, adapter = trained(case)
        moved = {Place("unet", CONV): adapter[Place("unet", Q)]}
        with pytest.raises(AdapterError, match="conv1, whose weight is 24 x 16 x 3 x 3"):
            injection.place_into({"unet": Block()}, moved)


@pytest.mark.parametrize("case", ["lora", "dora", "loha", "lokr", "lokr-whole"])
def test_a_change_is_capped(case: str) -> None:
    net, adapter = trained(case)
    most = sorted(change.norm() for change in adapter.values())[1]
    injection.cap({"unet": net}, most)
    after = injection.take({"unet": net})
    for place, change in adapter.items():
        assert after[place].norm() == pytest.approx(min(change.norm(), most), rel=1e-4)
        direction = change.direction if isinstance(change, DoRA) else change
        moved = after[place].direction if isinstance(after[place], DoRA) else after[place]
        weight = weights(Block())[place.module]
        ratio = after[place].norm() / change.norm()
        assert torch.allclose(
            moved.delta(weight), direction.delta(weight) * ratio, rtol=1e-3, atol=1e-5
        )


ROWS = {  # of the table in docs/models.md
    "lora": "LoRA, rank-stabilised, PiSSA, OLoRA",
    "dora": "DoRA, `dora_norm = input`",
    "dora-output": "DoRA, `dora_norm = output`",
    "loha": "LoHa",
    "lokr": "LoKr in factors",
    "lokr-whole": "LoKr, `rank` at least half of the larger edge",
    "oft": "OFT",
}


def readings_of(case: str, layout, folder: Path) -> dict[str, str]:
    """What `inspect` says of a trained file, in a word for each program."""
    _, adapter = trained(case)
    moved = {
        Place("unet", p.module.replace("attn1.to_q", "attn2.to_k")): c for p, c in adapter.items()
    }
    path = folder / f"{case}-{layout}.safetensors"
    try:
        export.write(path, moved, SD1, {}, layout)
    except AdapterError:
        return dict.fromkeys(PROGRAMS, "-")
    tensors, header = files.read(path)
    told = {}
    for name, program in PROGRAMS.items():
        reading = read_by(program, tensors, header, SD1)
        words = "all" if reading.whole else "otherwise" if reading.other else "not all"
        told[name] = "refuses it" if reading.refused else words
    return told


def test_what_each_program_makes_of_each_kind_is_in_the_docs(tmp_path: Path) -> None:
    """docs/models.md holds the table that comes of it; diffusers' own word is asked beside."""
    titles = " | ".join(program.title for program in PROGRAMS.values())
    lines = [f"| | {titles} |", "|---|" + "---|" * len(PROGRAMS)]
    for case, title in ROWS.items():
        told = readings_of(case, "kohya", tmp_path)
        lines.append(f"| {title} | {' | '.join(told[name] for name in PROGRAMS)} |")
    table = "\n".join(lines)
    docs = Path(__file__).parents[2] / "docs" / "models.md"
    assert table in docs.read_text(encoding="utf-8"), f"docs/models.md should hold:\n{table}"
    for case in ("lora-stable", "pissa", "olora"):
        assert readings_of(case, "kohya", tmp_path) == dict.fromkeys(PROGRAMS, "all")
    assert readings_of("dora-output", "diffusers", tmp_path)["diffusers"] == "all"
    assert readings_of("loha", "diffusers", tmp_path)["diffusers"] == "-"


def test_kinds_and_options_that_contradict_each_other_say_so() -> None:
    for options, words in (
        ({"kind": "dora", "init": "pissa"}, "init = pissa needs kind = lora"),
        ({"kind": "lora", "rank_dropout": 0.1}, "kind = loha or lokr"),
        ({"kind": "loha", "dropout": 0.1}, "take rank_dropout"),
        ({"kind": "oft", "conv_rank": 4}, "conv_rank = 0"),
        ({"kind": "oft", "rank_stabilized": True}, "no alpha"),
        ({"pattern": "("}, "no regular expression"),
    ):
        with pytest.raises(msgspec.ValidationError, match=words):
            msgspec.convert(options, AdapterConfig)


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    config = config_of("lora")
    with pytest.raises(AdapterError, match="No layer of the model fits"):
        injection.inject({"unet": Block()}, {"unet": Room("nothing", "", 4, 4.0)}, config)
    with pytest.raises(AdapterError, match="convolution of more than one pixel"):
        injection.inject({"unet": Block()}, {"unet": Room(".*conv1", "", 4, 4.0)}, config_of("oft"))
