"""start.py: which torch a machine gets, and what it says when it cannot go on."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import start

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("gpu", "flavour"),
    [
        ("nvidia 13.0 8.6", "cu130"),
        ("nvidia 13.0 12.0", "cu130"),
        ("nvidia 13.0 6.1", "cu126"),
        ("nvidia 12.8 8.9", "cu126"),
        ("nvidia 12.2 8.6", "cu126"),
        ("amd", "rocm7.2"),
        ("apple", "mps"),
        ("none", "cpu"),
    ],
)
def test_the_build_of_torch_fits_the_card(monkeypatch, gpu: str, flavour: str) -> None:
    monkeypatch.setenv("STYLEWRIGHT_FAKE_GPU", gpu)
    assert start.torch_flavour(start.find_gpu()) == flavour


@pytest.mark.parametrize("gpu", ["nvidia 12.8 12.0", "nvidia 11.8 8.6"])
def test_an_old_driver_is_told_before_anything_is_installed(monkeypatch, gpu: str) -> None:
    monkeypatch.setenv("STYLEWRIGHT_FAKE_GPU", gpu)
    with pytest.raises(start.SetupError, match="driver"):
        start.torch_flavour(start.find_gpu())


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Temporary failure in name resolution", "no connection"),
        ("[Errno 13] Permission denied: '/x'", "may not be written"),
        ("some other thing", "did not work"),
    ],
)
def test_what_an_installer_says_is_put_in_words(output: str, word: str) -> None:
    said = start.explain("Installing requirements", output)
    assert word in said
    assert "\n" in said


def test_a_wrong_python_is_told(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    assert start.main([]) == 2
    said = capsys.readouterr().out
    assert "needs Python 3.11 to 3.13" in said
    assert len(said.strip().splitlines()) == 2


def test_a_full_disk_is_told_with_its_figure(monkeypatch) -> None:
    monkeypatch.setattr(start.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(start.SetupError, match="5 MB free"):
        start.check_room("cpu")


def test_a_python_without_venv_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(start, "VENV", tmp_path / "venv")
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named venv' >&2; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    monkeypatch.setattr(start.os, "geteuid", lambda: 1000)
    with pytest.raises(start.SetupError, match="apt install python3"):
        start.make_venv()


def test_root_on_debian_gets_venv_installed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(start, "VENV", tmp_path / "venv")
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named venv' >&2; exit 1\n")
    fake.chmod(0o755)
    installed = []

    def install(packages: list[str]) -> None:
        installed.extend(packages)
        fake.write_text(f'#!/bin/sh\nmkdir -p "{start.python().parent}"; touch {start.python()}\n')

    monkeypatch.setattr(sys, "executable", str(fake))
    monkeypatch.setattr(start.os, "geteuid", lambda: 0)
    monkeypatch.setattr(start.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(start, "ensure_packages", install)
    start.make_venv()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert installed == [f"python{version}-venv"]


def test_missing_libraries_are_named_for_whoever_is_not_root(monkeypatch) -> None:
    monkeypatch.setattr(start.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(start.shutil, "which", lambda _: "/usr/bin/apt-get")
    with pytest.raises(start.SetupError, match="sudo apt-get install .*libxcb-cursor0"):
        start.ensure_packages(["libxcb-cursor0"])


def test_it_needs_the_standard_library_alone() -> None:
    code = "import sys; sys.path.insert(0, '.'); import start; print(start.PYTHONS)"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("smi", "caps", "gpu"),
    [
        ("| CUDA Version: 13.0 |", "8.6\n", ("nvidia", 13.0, 8.6)),
        (
            "| CUDA Version: 11.4 |",
            'Field "compute_cap" is not a valid field.',
            ("nvidia", 11.4, 0),
        ),
        ("| CUDA Version: N/A |", "", ("nvidia", 0, 0)),
        ("NVIDIA-SMI has failed", "", ("", 0, 0)),
    ],
)
def test_what_a_driver_says_is_read(monkeypatch, smi: str, caps: str, gpu) -> None:
    def said(command: list[str], **_: object) -> SimpleNamespace:
        return SimpleNamespace(stdout=caps if len(command) > 1 else smi)

    monkeypatch.setattr(start.sys, "platform", "win32")
    monkeypatch.setattr(start.shutil, "which", lambda _: "nvidia-smi")
    monkeypatch.setattr(start.subprocess, "run", said)
    assert start.find_gpu() == gpu


def test_a_half_made_environment_is_not_trusted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(start, "VENV", tmp_path)
    assert not start.venv_works()
    start.python().parent.mkdir(parents=True)
    start.python().write_text("#!/bin/sh\necho 3.1.4\n")
    start.python().chmod(0o755)
    assert not start.venv_works()
    start.python().write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    assert start.venv_works()


def test_a_card_can_be_left_out(monkeypatch) -> None:
    monkeypatch.setattr(start.shutil, "which", lambda _: "nvidia-smi")
    monkeypatch.setenv(start.WITHOUT_GPU, "1")
    assert start.torch_flavour(start.find_gpu()) == "cpu"


@pytest.fixture
def set_up(tmp_path: Path, monkeypatch) -> list[str]:
    """What a set-up does, in words; nothing is installed."""
    done: list[str] = []
    monkeypatch.setattr(start, "VENV", tmp_path)
    monkeypatch.setattr(start, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(start, "TORCH_STAMP", tmp_path / "torch")
    monkeypatch.setattr(start, "venv_works", lambda: True)
    monkeypatch.setattr(start, "quietly", lambda command: done.append(command[3]))
    monkeypatch.setattr(start, "install_torch", lambda flavour: done.append(flavour))
    monkeypatch.setattr(start, "pip", lambda words, *_: done.append(words.split()[-1]))
    monkeypatch.setattr(start, "check_self", lambda: None)
    monkeypatch.setattr(start, "card_at_hand", lambda: "")
    monkeypatch.setenv("STYLEWRIGHT_FAKE_GPU", "none")
    return done


def test_what_is_there_is_not_installed_again(set_up: list[str]) -> None:
    start.ensure_environment(with_tests=True)
    assert set_up == ["cpu", "requirements", "requirements-test"]
    set_up.clear()
    start.ensure_environment(with_tests=True)
    start.ensure_environment(with_tests=False)
    assert set_up == []
    start.STAMP.unlink()  # as when it was interrupted
    start.ensure_environment(with_tests=False)
    assert set_up == ["requirements"]


def test_a_card_that_comes_later_gets_its_build(set_up: list[str], monkeypatch) -> None:
    start.ensure_environment(with_tests=False)
    set_up.clear()
    monkeypatch.setattr(start, "card_at_hand", lambda: "nvidia")
    monkeypatch.setenv("STYLEWRIGHT_FAKE_GPU", "nvidia 13.0 8.6")
    start.ensure_environment(with_tests=False)
    assert set_up == ["uninstall", "cu130", "requirements"]
