"""What a person hears whose machine, system or connection stands in the way of the set-up."""

import re
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from setup import environment, libraries, machine, words


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk of .* is full: [0-9,]+ MB"),
        ("Temporary failure in name resolution", "no connection"),
        ("error sending request for url\n dns error: failed to lookup", "no connection"),
        (
            "Max retries exceeded (Caused by ProxyError('Cannot connect to proxy.', OSError("
            "'Tunnel connection failed: 407 Proxy Authentication Required')))",
            "The proxy office:3128 .HTTPS_PROXY. does not let",
        ),
        (
            "Max retries exceeded (Caused by SSLError(SSLCertVerificationError(1, "
            "'[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate in chain')))",
            "certificate that is not trusted",
        ),
        ("invalid peer certificate: UnknownIssuer", "certificate that is not trusted"),
        ("Max retries exceeded with url: /simple/", "no connection"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not the one that was tested"),
        ("[Errno 13] Permission denied: '/x'", "may not be written to:\n.*'/x'\n.*your own"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build .*\n.*CPU=1"),
        ("some other thing", "did not work:\nsome other thing"),
    ],
)
def test_what_an_installer_says_is_put_in_words(monkeypatch, output: str, word: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@office:3128")
    said = words.explain("Installing packages", output)
    assert re.search(word, said)
    assert "secret" not in said
    assert "\n" in said


def test_a_full_disk_is_the_one_that_is_full(tmp_path: Path, monkeypatch) -> None:
    """The home folder's, where caches lie; /tmp is fuller, but nothing is unpacked there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    free = {tmp_path: 3, Path(tempfile.gettempdir()): 0}
    monkeypatch.setattr(
        words.shutil,
        "disk_usage",
        lambda folder: SimpleNamespace(free=2**20 * free.get(Path(folder), 9_000)),
    )
    said = words.explain("Installing packages", "No space left on device")
    assert said.startswith(f"The disk of {tmp_path} is full: 3 MB")
    environment.check_room(9_000)


def test_too_little_room_is_told_with_its_figure(monkeypatch) -> None:
    monkeypatch.setattr(words.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(words.SetupError, match="5 MB free, Stylewright needs 3,000 MB"):
        environment.check_room(3_000)


@pytest.mark.parametrize(
    ("check", "word"),
    [
        (lambda: machine.check_mac("x86_64", "14.5"), "Intel Macs"),
        (lambda: machine.check_mac("arm64", "13.6.1"), "needs macOS 14 or newer; this is 13.6.1"),
        (lambda: machine.check_linux("x86_64", "glibc", "2.31"), "glibc 2.34 or newer"),
        (lambda: machine.check_linux("aarch64", "glibc", "2.36"), "glibc 2.39 or newer"),
        (lambda: machine.check_linux("riscv64", "glibc", "2.41"), "this computer is riscv64"),
        (
            lambda: machine.check_windows("ARM64", r"C:\s\.venv", has_long_paths=True),
            "not made for Python on ARM",
        ),
        (
            lambda: machine.check_windows("AMD64", "C:\\" + "s" * 60, has_long_paths=False),
            "too long for Windows",
        ),
    ],
)
def test_a_machine_that_torch_or_qt_is_not_made_for_is_told(check, word: str) -> None:
    with pytest.raises(words.SetupError, match=word) as caught:
        check()
    assert "\n" in str(caught.value)  # what is wrong, and what to do


def test_machines_that_they_are_made_for_pass() -> None:
    machine.check_mac("arm64", "14.0")
    machine.check_linux("x86_64", "glibc", "2.34")
    machine.check_linux("x86_64", "", "")  # not told
    machine.check_windows("AMD64", "C:\\" + "s" * 60, has_long_paths=True)
    machine.check_windows("AMD64", r"C:\Stylewright\.venv", has_long_paths=False)
    machine.check()


def test_the_longest_path_of_the_packages_is_counted_in() -> None:
    """Of those that this test runs in, as far as they are the program's."""
    packages = Path(pytest.__file__).parents[1]
    longest = max(
        len(str(file.relative_to(packages.parents[2])))
        for name in ("torch-*", "torch", "diffusers", "transformers", "PySide6")
        for folder in packages.glob(name)
        for file in folder.rglob("*")
    )
    assert 100 < longest <= machine.LONGEST


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("apt-get", "sudo apt-get install .* libxcb-cursor0 libgl1"),
        ("dnf", "sudo dnf install xcb-util-cursor libglvnd-glx"),
        ("pacman", "sudo pacman -S --needed xcb-util-cursor libglvnd"),
        ("zypper", "sudo zypper install libxcb-cursor0 Mesa-libGL1"),
        ("", "Debian calls them libxcb-cursor0, libgl1"),
    ],
)
def test_each_system_hears_its_own_names(
    tmp_path: Path, monkeypatch, program: str, line: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(libraries.os, "geteuid", lambda: 1000)
    if program:
        (tmp_path / program).touch(mode=0o755)
    names = [libraries.QT_LIBRARIES[n] for n in ("libxcb-cursor.so.0", "libGL.so.1", "libGL.so.1")]
    with pytest.raises(words.SetupError, match=line):
        libraries.ensure_packages(names)


def test_missing_libraries_and_tools_are_found_out(tmp_path: Path, monkeypatch) -> None:
    absent = ("a-debian", "a-suse", "a-fedora", "a-arch")
    monkeypatch.setattr(libraries, "QT_LIBRARIES", {"libabsent.so.9": absent, "libc.so.6": ()})
    monkeypatch.setattr(libraries, "DISPLAY_TOOLS", {"Xabsent": absent, "here": ()})
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "here").touch(mode=0o755)
    assert libraries.missing(with_display_tools=False) == [absent]
    assert libraries.missing(with_display_tools=True) == [absent, absent]


def test_every_name_is_given_for_every_system() -> None:
    for names in (*libraries.QT_LIBRARIES.values(), *libraries.DISPLAY_TOOLS.values()):
        assert len(names) == len(libraries.INSTALL)


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"])
def test_no_display_is_told_before_qt_aborts(monkeypatch, name: str) -> None:
    for known in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(known, raising=False)
    with pytest.raises(words.SetupError, match=r"no display.*\n.*start\.py demo"):
        libraries.check_display()
    monkeypatch.setenv(name, "x")
    libraries.check_display()


@pytest.fixture
def without_venv(tmp_path: Path, monkeypatch) -> Path:
    """A Python that lacks venv."""
    monkeypatch.setattr(environment, "NEXT", tmp_path / "next")
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named venv' >&2; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(environment.sys, "executable", str(fake))
    return fake


def test_a_python_without_venv_is_told(without_venv: Path, monkeypatch) -> None:
    monkeypatch.setattr(environment.os, "geteuid", lambda: 1000)
    with pytest.raises(words.SetupError, match="apt install python3"):
        environment.make_venv()


def test_root_on_debian_gets_venv_installed(without_venv: Path, monkeypatch) -> None:
    installed = []

    def install(packages: list[str]) -> None:
        installed.extend(packages)
        made = environment.python(environment.NEXT)
        without_venv.write_text(f'#!/bin/sh\nmkdir -p "{made.parent}"; touch "{made}"\n')

    monkeypatch.setattr(environment.os, "geteuid", lambda: 0)
    monkeypatch.setattr(environment.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(environment, "apt_install", install)
    environment.make_venv()
    assert installed == [f"python{environment.this_python()}-venv"]
