"""Which cards a machine has, and which build of torch it gets for them."""

import re
from pathlib import Path

import pytest

from setup import cards, words
from setup.torch_build import choose
from tests.unit.recorded_drivers import MACHINES, Recorded


@pytest.fixture
def machine(tmp_path: Path, monkeypatch) -> Path:
    """Nothing on PATH but what a test puts there; no card, no driver, no ROCm."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv(words.WITHOUT_GPU, raising=False)
    monkeypatch.setattr(cards, "PCI", tmp_path / "pci")
    monkeypatch.setattr(cards, "ROCM", tmp_path / "rocm")
    return tmp_path


def put_program(machine: Path, name: str, script: str) -> None:
    program = machine / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)


def put_driver(machine: Path, recorded: Recorded) -> None:
    """An nvidia-smi that says what was recorded."""
    for part in ("header", "query", "listing"):
        (machine / part).write_text(getattr(recorded, part))
    put_program(
        machine,
        "nvidia-smi",
        f'case "$1" in --query-gpu=*) part=query;; -L) part=listing;; *) part=header;; esac\n'
        f'while IFS= read -r line; do echo "$line"; done < "{machine}/$part"\n'
        f"exit {recorded.status}\n",
    )


def plug_in(machine: Path, vendor: str, *, kind: str = "0x030000", slot: str = "01") -> None:
    device = machine / "pci" / f"0000:{slot}:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")


@pytest.mark.parametrize("name", MACHINES)
def test_every_recorded_machine_gets_its_build(machine: Path, name: str) -> None:
    recorded, wanted = MACHINES[name]
    put_driver(machine, recorded)
    plug_in(machine, "0x10de")
    if re.fullmatch(r"cu\d+|cpu|auto", wanted):
        assert choose(cards.find()).build == wanted
    else:
        with pytest.raises(words.SetupError, match=wanted) as caught:
            choose(cards.find())
        assert f"{words.WITHOUT_GPU}=1" in str(caught.value)


@pytest.mark.parametrize(
    ("header", "cuda"),
    [
        ("| NVIDIA-SMI 610.43.02  KMD Version: 610.43.02  CUDA UMD Version: 13.3 |", 13.3),
        ("| NVIDIA-SMI 570.133.07  Driver Version: 570.133.07  CUDA Version: 12.8 |", 12.8),
        ("| NVIDIA-SMI 610.43.02  KMD Version: 610.43.02  CUDA UMD Version: N/A |", 13.0),
        ("| NVIDIA-SMI 550.54.14  Driver Version: 550.54.14  CUDA Version: N/A |", 12.0),
        ("| NVIDIA-SMI 390.157  Driver Version: 390.157 |", 11.0),
        ("NVIDIA-SMI has failed", 0),
    ],
)
def test_the_driver_tells_its_cuda_by_either_name_or_by_its_number(
    header: str, cuda: float
) -> None:
    assert cards.cuda_of(header) == cuda


def test_a_card_that_is_left_out_is_named(machine: Path) -> None:
    put_driver(machine, MACHINES["GTX 1060 and RTX 5090: none does, the better one counts"][0])
    assert "left out: NVIDIA GeForce GTX 1060 6GB" in choose(cards.find()).remark
    put_driver(machine, MACHINES["GTX 1060 and RTX 3060: one build serves both"][0])
    assert choose(cards.find()).remark == ""


def test_a_driver_that_hangs_is_told(machine: Path, monkeypatch) -> None:
    monkeypatch.setattr(cards, "SMI_SECONDS", 0.2)
    put_program(machine, "nvidia-smi", "exec /bin/sleep 30\n")
    with pytest.raises(words.SetupError, match=r"hangs: .* 0\.2 s"):
        cards.find()


def test_a_driver_without_its_card_does_not_stand_in_the_way(machine: Path) -> None:
    failed = Recorded("NVIDIA-SMI has failed because it couldn't communicate.\n", "", "", 9)
    put_driver(machine, failed)
    assert choose(cards.find()).build == "cpu"
    plug_in(machine, "0x10de")
    with pytest.raises(words.SetupError, match="couldn't communicate"):
        cards.find()


@pytest.mark.parametrize(
    ("vendor", "word"),
    [("0x10de", "no driver"), ("0x1002", "not ROCm"), ("0x8086", "Intel"), ("", "No graphics")],
)
def test_whose_card_is_not_used_hears_so(machine: Path, vendor: str, word: str) -> None:
    plug_in(machine, "0x10de", kind="0x040300", slot="00")  # a loudspeaker
    if vendor:
        plug_in(machine, vendor)
    choice = choose(cards.find())
    assert choice.build == "cpu"
    assert word in choice.remark


def test_an_amd_card_with_rocm_is_uvs_to_judge(machine: Path) -> None:
    (machine / "rocm").mkdir()
    assert cards.at_hand() == "amd"
    assert choose(cards.find()).build == "auto"


def test_a_card_can_be_left_out(machine: Path, monkeypatch) -> None:
    put_driver(machine, MACHINES["RTX 5070, driver 610"][0])
    assert cards.at_hand() == "nvidia"
    monkeypatch.setenv(words.WITHOUT_GPU, "1")
    assert cards.at_hand() == ""
    assert choose(cards.find()).build == "cpu"


def test_apple_has_one_build(machine: Path, monkeypatch) -> None:
    monkeypatch.setattr(cards.sys, "platform", "darwin")
    assert choose(cards.find()).build == "mps"
