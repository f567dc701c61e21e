"""Adapters on one resident base: each acts as told, several side by side, and nothing stays."""

import pytest
import torch
from torch import Tensor, nn

from core.adapters.changes import OFT, Adapter, Change, DoRA, LoHa, LoKr, LoRA, Place
from core.adapters.stack import Stack
from core.errors import AdapterError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(8, 8)
        self.conv = nn.Conv2d(8, 8, 3, stride=2, padding=1)


INPUTS = {"linear": torch.randn(2, 5, 8), "conv": torch.randn(2, 8, 6, 6)}


def change_of(kind: str, name: str, seed: int) -> Change:
    torch.manual_seed(seed)
    kernel = (3, 3) if name == "conv" else ()
    ones = (1, 1) if name == "conv" else ()
    down, up = torch.randn(2, 8, *kernel), torch.randn(8, 2, *ones)
    match kind:
        case "lora":
            return LoRA(down, up, 3.0)
        case "dora":
            return DoRA(down, up, 3.0, torch.rand(8) + 0.5, per_input=True)
        case "loha":
            wide = 8 * (9 if kernel else 1)
            pair = torch.randn(8, 2), torch.randn(2, wide)
            return LoHa(*pair, *(p.flip(0) for p in pair), alpha=1.0)
        case "lokr":
            return LoKr(w1=torch.randn(2, 2), w2=torch.randn(4, 4, *kernel), alpha=1.0)
        case _:
            inputs = 8 * (9 if kernel else 1)
            return OFT(0.1 * torch.randn(inputs // 4, 6))


def adapter_of(kind: str, seed: int = 1) -> Adapter:
    return {Place("unet", name): change_of(kind, name, seed) for name in INPUTS}


def outputs(net: Net) -> dict[str, Tensor]:
    with torch.no_grad():
        return {name: net.get_submodule(name)(x) for name, x in INPUTS.items()}


def expected(*parts: tuple[Adapter, float]) -> dict[str, Tensor]:
    """W + sum of w (W' - W), in the weights."""
    net = Net()
    with torch.no_grad():
        for name in INPUTS:
            weight = net.get_submodule(name).weight
            deltas = [w * adapter[Place("unet", name)].delta(weight) for adapter, w in parts]
            weight.copy_(weight + sum(deltas))
    return outputs(net)


def assert_same(made: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    for name, tensor in wanted.items():
        torch.testing.assert_close(made[name], tensor, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["lora", "dora", "loha", "lokr", "oft"])
@pytest.mark.parametrize("weight", [1.0, 0.6, -0.5])
def test_it_acts_as_in_the_weights(kind: str, weight: float) -> None:
    net, adapter = Net(), adapter_of(kind)
    stack = Stack({"unet": net})
    stack.wear([(stack.ready(adapter), weight)])
    assert_same(outputs(net), expected((adapter, weight)))
    assert (outputs(net)["conv"] - expected()["conv"]).abs().max() > 0.05


def test_several_act_side_by_side_and_are_switched() -> None:
    net = Net()
    stack = Stack({"unet": net})
    one, other = adapter_of("lora", 1), adapter_of("lokr", 2)
    first, second = stack.ready(one), stack.ready(other)
    stack.wear([(first, 0.7), (second, 0.4)])
    assert_same(outputs(net), expected((one, 0.7), (other, 0.4)))
    stack.wear([(second, 1.0)])
    assert_same(outputs(net), expected((other, 1.0)))
    stack.wear([(first, 0.0)])
    assert_same(outputs(net), expected())
    stack.wear([])
    for name, tensor in expected().items():
        assert torch.equal(outputs(net)[name], tensor)


def test_what_does_not_fit_is_named_and_nothing_is_put_on() -> None:
    net = Net()
    stack = Stack({"unet": net})
    stack.wear([(stack.ready(adapter_of("lora")), 1.0)])
    before = outputs(net)
    small = LoRA(torch.ones(1, 4), torch.ones(8, 1), 1.0)
    for place, words in (("linear", "weight is 8 x 8"), ("gone", "has no gone")):
        with pytest.raises(AdapterError, match=words):
            stack.ready({Place("unet", place): small})
    assert_same(outputs(net), before)


def test_on_a_base_of_half_precision_the_output_stays_half() -> None:
    net = Net().to(torch.bfloat16)
    stack = Stack({"unet": net})
    stack.wear([(stack.ready(adapter_of("lora")), 1.0)])
    assert net.linear(INPUTS["linear"].to(torch.bfloat16)).dtype == torch.bfloat16
