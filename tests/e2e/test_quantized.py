"""A base held in 8 or 4 bits: what it costs, what it changes, and that nothing else is lost."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import nn

from core.adapters import injection
from core.adapters.kinds import Room
from core.base.opening import open_base
from core.config import files
from core.config.options import RunConfig, TrainingConfig
from core.families.device import choose, whole_cpu
from core.families.registry import load
from core.project.layout import Project, create
from core.protocol.events import CheckpointSaved, StepDone, Warned
from core.training import export, sample
from core.training.control import Control
from core.training.step import denoising_losses
from core.training.train import train
from tests.conftest import fill, made, small_config
from tests.e2e.test_kinds import config_of
from tests.e2e.test_loss import draw_of, prepared_for

HELD = {  # bytes a number at the most, scales too; how far the loss is
    "int8": (1.1, 0.02),
    "nf4": (0.6, 0.15),
    "int8_weights": (1.2, 0.01),
    "fp8": (1.2, 0.02),
}


def test_linear_layers_take_a_fraction_of_their_bytes(sdxl_base: Path) -> None:
    """Of four bytes; nf4 counts its scales, one for 64 numbers."""
    whole = load(open_base(sdxl_base), whole_cpu()).parts["unet"]
    for held, (most, _) in HELD.items():
        net = load(open_base(sdxl_base), choose("float32", held)).parts["unet"]
        numbers = held_bytes = 0
        for name, module in whole.named_modules():
            if type(module) is nn.Linear:
                made = net.get_submodule(name)
                assert type(made) is not nn.Linear, name
                numbers += module.weight.numel()
                held_bytes += made.weight.numel() * made.weight.element_size()
                if held == "nf4":
                    held_bytes += made.weight.quant_state.absmax.numel() * 4
                held_bytes += sum(buffer.nbytes for buffer in made.buffers())
        assert held_bytes <= most * numbers


@pytest.mark.parametrize("held", HELD)
def test_the_loss_is_near_the_whole_bases_and_only_near(
    project: Project, sdxl_base: Path, held: str
) -> None:
    losses = {}
    for name in ("whole", held):
        changes = [f"base={sdxl_base}", "training.precision=float32",
                   f"training.base_precision={name}"]  # fmt: skip
        project.save(files.with_changes(project.config(), changes))
        prepared = prepared_for(project)
        draw = draw_of(prepared, 1, 3)
        with torch.no_grad():
            losses[name] = denoising_losses(
                prepared.model, draw, prepared.conditions, TrainingConfig()
            )
    away = ((losses[held] - losses["whole"]).abs() / losses["whole"]).max()
    assert 0 < away < HELD[held][1]


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("lora", "nf4"),
        ("dora", "nf4"),
        ("oft", "nf4"),
        ("lokr", "int8"),
        ("dora", "int8"),
        ("lora", "fp8"),
        ("dora", "int8_weights"),
        ("lokr", "fp8"),
    ],
)
def test_a_run_learns_resumes_and_its_adapter_draws_on_the_whole_base(
    project: Project, tmp_path: Path, kind: str, held: str
) -> None:
    changes = [
        f"adapter.kind={kind}", f"training.base_precision={held}", "training.learning_rate=0.02",
        "training.steps=6", "training.checkpoint_every=2",
    ]  # fmt: skip
    project.save(files.with_changes(project.config(), changes))
    again = Project(shutil.copytree(project.root, tmp_path / "again" / project.root.name))
    told = list(train(project, Control()))
    assert sum(isinstance(event, StepDone) for event in told) == 6
    control = Control()
    for event in train(again, control):
        if isinstance(event, CheckpointSaved) and event.step == 2:
            control.stop.set()
    list(train(again, Control(), resume=""))
    one, other = (p.run("").newest_adapter() for p in (project, again))
    assert one.read_bytes() == other.read_bytes()
    sampler = sample.load(project.base(project.config()))
    sampler.draw(
        tmp_path / "drawn.png",
        sample.Wish(prompt="a red ball", adapters={one: 1.0}, inference_steps=2),
    )


@pytest.mark.parametrize("held", ["nf4", "fp8", "int8_weights"])
@pytest.mark.parametrize("case", ["lora", "pissa", "olora", "dora", "dora-output", "oft"])
def test_on_a_held_net_a_new_adapter_changes_nothing(case: str, held: str) -> None:
    from core.families import quantized

    torch.manual_seed(1)
    net = nn.ModuleDict({"to_q": nn.Linear(64, 128)})
    quantized.hold(net, held, torch.float32)
    x = torch.randn(2, 5, 64)
    before = net["to_q"](x)
    config = msgspec.structs.replace(config_of(case), conv_rank=0)
    parameters = injection.inject({"unet": net}, {"unet": Room("to_q", "", 4, 3.0)}, config)
    made = net["to_q"](x)
    assert (made - before).abs().max() < 1e-3 * before.abs().max()
    made.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())


@pytest.mark.parametrize(
    ("held", "far"), [("int8_weights", 0.5 / 127), ("fp8", 2.0**-4)]
)  # half a step of a row's largest number; half of the last of three bits
def test_a_byte_a_number_is_a_plain_layer_of_rounded_weights(held: str, far: float) -> None:
    """What goes in is not rounded, and the way back is that of the rounded weights."""
    from core.adapters.weight import whole
    from core.families import quantized

    torch.manual_seed(2)
    plain = nn.Linear(64, 128)
    with torch.no_grad():
        plain.weight[:64] *= 1000  # rows of other sizes do not disturb each other
        plain.weight[0] = 0
    net = nn.ModuleDict({"a": nn.Linear(64, 128)})
    net["a"].load_state_dict(plain.state_dict())
    quantized.hold(net, held, torch.float32)
    held_layer: Any = net["a"]
    rounded = whole(held_layer)
    largest = plain.weight.abs().amax(dim=1, keepdim=True)
    limit = far * (largest if held == "int8_weights" else plain.weight.abs() + largest / 448)
    assert ((rounded - plain.weight).abs() <= limit * 1.01).all()
    assert not torch.equal(rounded, plain.weight)
    x, y = (torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    x.requires_grad_()
    y.requires_grad_()
    ours, theirs = held_layer(x), nn.functional.linear(y, rounded, plain.bias)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    assert [p for p in held_layer.parameters() if p.requires_grad] == [held_layer.bias]
    with torch.autocast("cpu", torch.bfloat16):
        assert held_layer(x).dtype == torch.bfloat16
    net.to(torch.float16)
    assert held_layer.weight.dtype == torch.uint8


def test_the_way_back_keeps_no_whole_weights() -> None:
    """Of ten layers one is whole at a time: else a step would take what the bytes have saved."""
    from core.families import quantized

    net = nn.Sequential(*(nn.Linear(64, 64) for _ in range(10))).requires_grad_(requires_grad=False)
    quantized.hold(net, "fp8", torch.float32)
    kept: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(torch.randn(2, 64, requires_grad=True)).sum().backward()
    assert kept
    assert not [t for t in kept if t.is_floating_point() and t.shape == (64, 64)]


def test_resuming_with_another_base_precision_is_told(project: Project) -> None:
    changes = ["training.steps=6", "training.checkpoint_every=2"]
    project.save(files.with_changes(project.config(), changes))
    control = Control()
    for event in train(project, control):
        if isinstance(event, CheckpointSaved):
            control.stop.set()
    run = project.run("")
    config = files.with_changes(files.load(run.config_file), ["training.base_precision=int8"])
    files.save(config, run.config_file)
    said = [e.message for e in train(project, Control(), resume="") if isinstance(e, Warned)]
    assert any("base in int8" in words for words in said)


def test_what_four_bits_cannot_carry_is_said() -> None:
    tree = {"name": "a", "base": "b", "adapter": {"kind": "loha"},
            "training": {"base_precision": "nf4"}}  # fmt: skip
    with pytest.raises(msgspec.ValidationError, match="set training.base_precision to int8"):
        msgspec.convert(tree, RunConfig)


@pytest.mark.parametrize(("row", "held"), [("flux", "nf4"), ("krea2", "int8"), ("zimage", "fp8")])
def test_a_flow_model_is_held_and_learns(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, row: str, held: str
) -> None:
    """Krea 2 has a layer of 12 inputs and one output, which stays as it is."""
    config = small_config(str(made(row, tmp_path_factory)))
    project = create(
        tmp_path / "p", files.with_changes(config, [f"training.base_precision={held}"])
    )
    fill(project.images, 2)
    told = list(train(project, Control()))
    assert sum(isinstance(event, StepDone) for event in told) == 4
    adapter, _ = export.read(project.run("").newest_adapter(), project.base(config).facts)
    assert all(change.norm() > 0 for change in adapter.values())
