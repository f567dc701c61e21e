"""What processes say to each other, and the rows of numbers that go between them."""

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from core.config.options import RunConfig
from core.errors import ProcessLostError, RunError
from core.training import member, orders
from core.training.link import Link
from core.training.orders import Done, Order, Ready
from core.training.team import Places


@pytest.fixture
def link() -> Link:
    return Link(dist.HashStore(), 0, 2)


@pytest.mark.parametrize(
    "message",
    [
        Ready(config=RunConfig(name="é", base="b"), dataset="d", base={"unet": "1"}, compute="x"),
        Order(step=3, at_once=2, scale=65536.0),
        Done(total=None, full=True),
        Done(total=0.1),
    ],
)
def test_what_is_said_is_heard(link: Link, message) -> None:
    link.say("it", message)
    assert link.heard("it", type(message)) == message


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[" * 100_000,
        '{"step": -1}',
        '{"step": 1, "more": 2}',
        '{"step": "1"}',
        "\x00",
        "null",
    ],
)
def test_what_is_no_message_of_ours_is_named(link: Link, content: str) -> None:
    link.store.set("it", content)
    with pytest.raises(ProcessLostError, match="do not understand each other") as told:
        link.heard("it", Order)
    assert "same version" in told.value.hint


def test_waiting_ends_when_it_is_enough(link: Link) -> None:
    link.say("one", Done(total=1.0))
    assert link.wait(["one"])
    assert not link.wait(["one", "two"], lambda: True)


def test_gradients_come_back_and_what_has_none_stays_without() -> None:
    ours = [
        nn.Parameter(torch.zeros(2, 3)),
        nn.Parameter(torch.zeros(4)),
        nn.Parameter(torch.zeros(1)),
    ]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    ours[0].grad = torch.arange(6.0).view(2, 3)
    theirs[0].grad = torch.ones(2, 3)
    theirs[1].grad = torch.ones(4)
    row = orders.gradients(ours) + orders.gradients(theirs)
    orders.put_gradients(ours, row)
    assert ours[0].grad.equal(torch.arange(6.0).view(2, 3) + 1)
    assert ours[1].grad.equal(torch.ones(4))
    assert ours[2].grad is None


def test_values_come_back() -> None:
    ours = [nn.Parameter(torch.randn(2, 3)), nn.Parameter(torch.randn(4))]
    theirs = [nn.Parameter(torch.zeros_like(p)) for p in ours]
    orders.put_values(theirs, orders.values(ours))
    assert all(a.equal(b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"dataset_key": "e"}, "The pictures and captions here are not"),
        ({"keys": {"unet": "2"}}, "The base model here is not"),
        ({"tiles": "always"}, "The way of encoding pictures here is not"),
        ({"compute": "bfloat16"}, "would compute in bfloat16"),
        ({}, ""),
    ],
)
def test_a_process_that_would_compute_otherwise_says_so(other: dict[str, Any], words: str) -> None:
    is_ = {
        "dataset_key": "d",
        "keys": {"unet": "1"},
        "tiles": "auto",
        "compute": "float32",
        **other,
    }
    model = SimpleNamespace(
        keys=is_["keys"], tiles=is_["tiles"], place=SimpleNamespace(compute=is_["compute"])
    )
    prepared: Any = SimpleNamespace(dataset_key=is_["dataset_key"], model=model)
    config = RunConfig(name="a", base="b")
    ready = Ready(config=config, dataset="d", base={"unet": "1"}, compute="float32")
    with pytest.raises(RunError, match=words) if words else contextlib.nullcontext():
        member._check_alike(ready, prepared)


def test_each_process_has_a_number_and_a_device_of_its_machine(tmp_path) -> None:
    from core.project.layout import Project

    project = Project(tmp_path)
    names = ("a", "b", "c")
    there = [
        (machine, job.number, job.device, job.host)
        for machine in range(3)
        for job in Places(2, names, machine).jobs(project, 1000)
    ]
    assert there == [
        (0, 1, 1, "a"),
        (1, 2, 0, "a"),
        (1, 3, 1, "a"),
        (2, 4, 0, "a"),
        (2, 5, 1, "a"),
    ]
    assert Places(2, names).of == 6
