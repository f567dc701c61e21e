"""start.py as a person runs it: real environments, pip and swaps, with packages of a few bytes."""

import ast
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import start
import stylewright
from core import cli
from setup import pythons
from setup.environment import OLD
from setup.main import COMMANDS

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "start.py", *sorted((ROOT / "setup").glob("*.py"))]

TORCH = """
import os
CARDS = os.environ.get("CARDS", "").split(",") if os.environ.get("CARDS") else []
__version__ = "2.13.0+tiny"
class version: cuda, hip = "13.0", None
class Tensor:
    T = property(lambda self: self)
    flatten = sum = __matmul__ = lambda self, *_: self
    def item(self):  # a card's faults show when its results are asked for
        if self.device.startswith("cuda") and CARDS[int(self.device[5:])] == "old":
            raise RuntimeError("CUDA error: no kernel image is available\\nmore")
def randn(*shape, device):
    tensor = Tensor()
    tensor.device = device
    return tensor
class nn:
    class functional: conv2d = staticmethod(lambda x, w: x)
class backends:
    class mps: is_available = staticmethod(lambda: False)
class cuda:
    device_count = staticmethod(lambda: len(CARDS))
    get_device_name = staticmethod(lambda n: CARDS[n])
    @staticmethod
    def init(): raise RuntimeError("Found no NVIDIA driver on your system.")
"""
# Notes its arguments, and installs torch from a folder that pip does not know.
UV = """#!/bin/sh
echo "$@ unpacks in $TMPDIR" >> "$UV_SAID"
if [ -n "$UV_HANGS" ]; then exec sleep 60; fi
exec "$4" -m pip install --find-links "$FOR_UV" "$5"
"""
DRIVER = """#!/bin/sh
case "$1" in
  --query-gpu=*) echo "NVIDIA GeForce RTX 5070, $DRIVER, 12.0";;
  *) echo "| NVIDIA-SMI 1  KMD Version: $DRIVER.43  CUDA UMD Version: $CUDA |";;
esac
"""
PROGRAM = """
import sys, torch, peft
print("program", torch.__version__, "peft", peft.VERSION, sys.prefix, *sys.argv[1:])
"""


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> str:
    """A package of a few bytes; returns its line in a lock."""
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(file, "w") as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            archive.writestr(entry, content)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


class Program:
    """A copy of start.py with a tiny program, an index on disk and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "Stil mit Größe"  # spaces and letters beyond ASCII
        self.venv = self.folder / ".venv"
        self.next = self.folder / ".venv.partial"
        self.index = folder / "index"
        self.for_uv = folder / "for_uv"
        self.bin = folder / "bin"
        self.uv_said = folder / "uv_said"
        for made in (self.folder / "packaging", self.index, self.for_uv, self.bin, folder / "tmp"):
            made.mkdir(parents=True)
        shutil.copytree(ROOT / "setup", self.folder / "setup")
        shutil.copy2(ROOT / "start.py", self.folder)
        (self.folder / "stylewright.py").write_text(PROGRAM)
        self.lock(peft="1")
        wheel(self.index, "torch", "2.13.0", {"torch.py": TORCH})
        scripts = {"uv-0.13.9.data/scripts/uv": UV}
        wheel(self.index, "uv", pythons.UV.partition("==")[2], scripts)
        self.environment = {
            "PATH": os.pathsep.join((str(self.bin), "/usr/bin", "/bin")),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "FOR_UV": str(self.for_uv),
            "UV_SAID": str(self.uv_said),
            "CUDA": "13.3",
            "DRIVER": "610",
            "PYTHONUTF8": "1",
            # what would lead Python and pip elsewhere
            "PYTHONPATH": str(folder / "astray"),
            "PIP_PREFIX": str(folder / "astray"),
        }
        (folder / "astray").mkdir()
        (folder / "astray" / "peft.py").write_text("raise ImportError('astray')")

    def lock(self, peft: str) -> None:
        """Another version of one package."""
        files = {"diffusers.py": "", "replaced/__init__.py": ""}  # a package of any name
        lines = [wheel(self.index, "diffusers", "1", files)]
        lines.append(wheel(self.index, "transformers", "1", {"transformers.py": ""}))
        files = {
            "peft.py": f"VERSION = {peft}\ndef tool(): print('tool')\n",
            f"peft-{peft}.dist-info/entry_points.txt": "[console_scripts]\ntool = peft:tool\n",
        }
        lines.append(wheel(self.index, "peft", peft, files))
        (self.folder / "packaging" / "lock.txt").write_text("".join(lines))

    def take(self, wheels: str) -> list[Path]:
        """Off the index, as when there is no connection; returns them, to be put back."""
        taken = [(file, file.rename(self.for_uv.parent / file.name)) for file in
                 self.index.glob(wheels)]  # fmt: skip
        assert taken
        return [away for _, away in taken]

    def put_driver(self) -> None:
        """A card comes."""
        (self.bin / "nvidia-smi").write_text(DRIVER)
        (self.bin / "nvidia-smi").chmod(0o755)

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "start.py", *(arguments or ("check", "x"))],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # as in a terminal: Ctrl+C reaches all of it
        )

    def run(self, *arguments: str, status: int = 0, **environment: str) -> str:
        process = self.begin(*arguments, **environment)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == status, said
        return said


def modules_of_a_later_start(program: Program) -> set[str]:
    """What start.py loads until the program takes its place; it may start no other before."""
    code = (
        "import os, runpy, subprocess, sys; subprocess.Popen = None;"
        "os.execve = lambda *_: (print(*sys.modules, flush=True), os._exit(0));"
        "sys.argv = ['start.py', 'check']; sys.path.insert(0, '.');"
        "runpy.run_path('start.py', run_name='__main__')"
    )
    return set(
        subprocess.check_output(
            [sys.executable, "-S", "-c", code],
            cwd=program.folder,
            env=program.environment,
            text=True,
        ).split()
    )


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_what_is_set_up_stays_until_its_successor_works(program: Program) -> None:
    said = program.run()
    assert "Setting up" in said
    assert "computes on the processor" in said
    assert f"program 2.13.0+tiny peft 1 {program.venv} check x" in said
    assert not program.next.exists()
    assert "Setting up" not in program.run()
    loaded = modules_of_a_later_start(program)
    assert "setup.environment" in loaded
    assert not {"ssl", "email", "http", "asyncio", "socket"} & loaded

    # The requirements change while there is no connection: the program starts as it was.
    program.lock(peft="2")
    (away,) = program.take("peft-2*")
    said = program.run()
    assert "Until then Stylewright runs with what was set up before" in said
    assert "peft 1" in said

    # What is served is not what was tested.
    wheel(program.index, "peft", "2", {"peft.py": "VERSION = 'evil'\n"})
    said = program.run()
    assert "not the one that was tested" in said
    assert "peft 1" in said

    # A successor that does not load does not take its place.
    lock = program.folder / "packaging" / "lock.txt"
    good = lock.read_text()
    bad = wheel(program.index, "peft", "2", {"peft.py": "import absent_library\n"})
    lock.write_text(good.rpartition("peft==")[0] + bad)
    said = program.run()
    assert "No module named 'absent_library'" in said
    assert "peft 1" in said
    shutil.rmtree(program.next)

    lock.write_text(good)
    shutil.move(away, program.index / away.name)
    said = program.run()
    assert f"peft 2 {program.venv}" in said
    assert not program.next.exists()
    assert not (program.venv / OLD).exists()

    # Of the old one nothing was left out.
    assert list(program.venv.glob("lib/*/site-packages/replaced/__init__.py"))

    # The new one is whole in its new place: its scripts, its pip, its settings.
    scripts = program.venv / "bin"
    assert subprocess.check_output([scripts / "tool"], text=True) == "tool\n"
    subprocess.run([scripts / "pip", "--version"], check=True, capture_output=True)
    named = [file for file in (program.venv / "pyvenv.cfg", *scripts.iterdir()) if file.is_file()]
    assert not [f for f in named if f.stat().st_size < 10**5 and b".partial" in f.read_bytes()]

    # Killed between the two renames, and before the old one was removed.
    program.venv.rename(program.folder / "old")
    program.next.mkdir()
    (program.folder / "old").rename(program.next / OLD)
    assert "peft 2" in program.run()
    shutil.copytree(program.venv, program.folder / "old", symlinks=True)
    (program.folder / "old").rename(program.venv / OLD)
    assert "peft 2" in program.run()
    assert not (program.venv / OLD).exists()


def test_a_card_that_torch_does_not_see_is_told(program: Program) -> None:
    program.put_driver()
    said = program.run(status=2)
    assert "does not see the graphics card: Found no NVIDIA driver on your system." in said
    assert "STYLEWRIGHT_CPU=1" in said
    assert not program.venv.exists()

    program.take("*.whl")  # nothing is fetched anew
    said = program.run(status=2, CARDS="old")
    assert "old (card 0): CUDA error: no kernel image is available.\n" in said
    said = program.run(CARDS="RTX 5070,old")
    assert "computes on RTX 5070 (card 0)\nnot on old (card 1): CUDA error" in said
    assert "program" in said


def test_a_card_that_comes_later_gets_its_build(program: Program) -> None:
    assert "processor" in program.run()
    program.put_driver()
    (torch,) = program.take("torch*")
    said = program.run(CUDA="12.8", DRIVER="570")
    assert "too old for the NVIDIA GeForce RTX 5070" in said
    assert "program 2.13.0+tiny" in said  # with the one from before

    (program.bin / "nvidia-smi").write_text(DRIVER.replace(", 12.0", ", 8.6"))
    said = program.run(CUDA="12.8", DRIVER="570", CARDS="RTX 3060")
    assert "Installing torch (cu126): there is no build of it for this computer" in said
    assert "program 2.13.0+tiny" in said
    shutil.move(torch, program.for_uv / torch.name)
    said = program.run(CUDA="12.8", DRIVER="570", CARDS="RTX 3060")
    assert "computes on RTX 3060" in said
    said = program.uv_said.read_text()
    assert f"torch==2.13.0 --torch-backend=cu126 unpacks in {program.next}" in said
    assert not (program.venv / "uv").exists()

    program.take("uv*")  # an update of another package asks neither for it nor for torch
    program.lock(peft="2")
    assert "peft 2" in program.run(CUDA="12.8", DRIVER="570", CARDS="RTX 3060")


def test_after_ctrl_c_the_next_start_goes_on(program: Program) -> None:
    (torch,) = program.take("torch*")
    process = program.begin(UV_HANGS="1")
    deadline = time.monotonic() + 60
    while not program.uv_said.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)  # another program must catch up
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.endswith("Stopped. Run start.py again to go on.\n")
    assert not program.venv.exists()

    (peft,) = program.next.glob("lib/*/site-packages/peft.py")
    file = peft.stat().st_ino
    shutil.move(torch, program.for_uv / torch.name)
    assert "program" in program.run()
    assert program.venv.joinpath(peft.relative_to(program.next)).stat().st_ino == file


def test_two_do_not_build_into_one_folder(program: Program) -> None:
    folder = os.open(program.folder, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert "Another start.py is setting Stylewright up" in program.run(status=2)
    assert not program.next.exists()
    (program.next / OLD).mkdir(parents=True)  # the other one is between its two renames
    program.run(status=2)
    assert (program.next / OLD).exists()
    os.close(folder)


def test_a_folder_that_may_not_be_written_to_starts_what_is_there(program: Program) -> None:
    program.run()
    program.lock(peft="2")
    code = program.folder / "setup" / "environment.py"
    refused = "    raise PermissionError(13, 'Permission denied', str(NEXT))\n    def link("
    code.write_text(code.read_text().replace("    def link(", refused))
    said = program.run()
    assert f"Permission denied: '{program.next}'" in said
    assert "peft 1" in said


def test_all_know_the_same_commands() -> None:
    """start.py, which has no packages yet, the one entry point, and the command line itself."""
    named = {name for name in cli.app if not name.startswith("-")}
    assert named == {name for name in COMMANDS if not name.startswith("-")}
    assert all(stylewright._is_command(name) for name in named)


def test_what_stands_in_the_way_is_told_before_anything_is_made(program: Program) -> None:
    libraries = program.folder / "setup" / "libraries.py"
    present = libraries.read_text()
    without = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY"), "")
    libraries.write_text(present.replace('"libxcb-cursor.so.0"', '"libabsent.so.0"').replace(
        "os.geteuid()", "1000"))  # fmt: skip
    assert "sudo apt-get install" in program.run("a project", status=2, **without)
    (program.folder / "setup" / "libraries.py").write_text(
        present.replace("missing(with_display_tools=with_display_tools)", "[]")
    )
    assert "There is no display here" in program.run("a project", status=2, **without)
    assert not program.venv.exists()
    assert not program.next.exists()


def test_any_python_can_say_what_is_needed(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 6, 15, "final", 0))
    assert start.main() == 2
    said = capsys.readouterr().out
    assert "needs Python 3.11 to 3.14" in said
    assert len(said.strip().splitlines()) == 2


def test_start_is_written_for_any_python() -> None:
    """Python 2.7 knows neither annotations nor f-strings, and 3.6 no annotations of the future."""
    for file in (ROOT / "start.py", ROOT / "setup" / "__init__.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr)
            assert not (
                isinstance(node, ast.FunctionDef) and (node.returns or node.args.kwonlyargs)
            )
            assert not (isinstance(node, ast.ImportFrom) and node.module == "__future__")


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_python_3_8_can_read_what_chooses_another(file: Path) -> None:
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_it_needs_the_standard_library_alone() -> None:
    code = "import sys; sys.path.insert(0, '.'); import setup.main; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    loaded = subprocess.check_output(command, cwd=ROOT, text=True).split()
    ours = {name.partition(".")[0] for name in loaded}
    assert ours - sys.stdlib_module_names <= {"setup", "__main__", "importlib"}


def test_a_free_thread_build_and_32_bits_do_not_fit(monkeypatch) -> None:
    assert pythons.fits()
    for name, value in (("abiflags", "t"), ("maxsize", 2**31 - 1), ("version_info", (3, 15, 0))):
        with monkeypatch.context() as changed:
            changed.setattr(pythons.sys, name, value)
            assert not pythons.fits()


@pytest.fixture
def unfit(tmp_path: Path, monkeypatch) -> Path:
    """This Python does not fit; nothing is on PATH but what a test puts there."""
    for name, folder in (("VENV", "venv"), ("NEXT", "next")):
        monkeypatch.setattr(pythons, name, tmp_path / folder)
    monkeypatch.setattr("setup.running.NEXT", tmp_path / "next")
    monkeypatch.delenv(pythons.HANDED_OVER, raising=False)
    monkeypatch.setattr(pythons, "fits", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def put(folder: Path, name: str, script: str) -> None:
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}")
    (folder / "bin" / name).chmod(0o755)


def test_a_python_that_is_here_is_found(unfit: Path, capsys) -> None:
    put(unfit, "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127\n")
    put(unfit, "python3.12", f'exec "{sys.executable}" "$@"\n')
    assert pythons.another_python() == sys.executable
    said = capsys.readouterr().out
    assert "needs Python 3.11 to 3.14; this is CPython" in said
    assert f"Going on with {sys.executable}" in said


def test_uv_finds_or_fetches_one_that_fits(unfit: Path, capsys) -> None:
    put(
        unfit,
        "uv",
        f'cd "{unfit}"; echo "$@" >> said\n'
        'case "$1 $2" in\n'
        "  'python install') : > fetched;;\n"
        f"  'python find') [ -e fetched ] && echo '{sys.executable}' || exit 2;;\n"
        "esac\n",
    )
    assert pythons.another_python() == sys.executable
    assert "Fetching Python 3.13 with uv" in capsys.readouterr().out
    said = (unfit / "said").read_text().splitlines()
    assert said[0].endswith(">=3.11,<3.15")
    assert said[1] == "python install 3.13"
    assert pythons.another_python() == sys.executable
    assert len((unfit / "said").read_text().splitlines()) == len(said) + 1


def test_without_a_connection_it_says_what_to_install(unfit: Path) -> None:
    put(unfit, "uv", "echo 'error: dns error: failed to lookup' >&2; exit 2\n")
    with pytest.raises(pythons.SetupError, match=r"no connection[^$]*Install Python 3\.13"):
        pythons.another_python()


def test_an_environment_stays_with_its_python(unfit: Path, monkeypatch) -> None:
    venv = pythons.VENV
    venv.mkdir()

    def made_by(version: str, executable: str = sys.executable) -> None:
        settings = f"home = x\nversion = {version}\nexecutable = {executable}\n"
        (venv / "pyvenv.cfg").write_text(settings)

    own = sys.version_info[1]
    another = f"3.{11 if own != 11 else 12}.4"
    made_by(another)
    assert pythons.another_python() == sys.executable
    monkeypatch.setenv(pythons.HANDED_OVER, "1")  # it was chosen: no third is asked
    assert pythons.another_python() is None
    assert pythons.HANDED_OVER not in os.environ
    made_by(f"3.{own}.0")  # this one is of its version, and yet of another kind: PyPy, free threads
    assert pythons.another_python() == sys.executable
    monkeypatch.setattr(pythons, "fits", lambda: True)
    assert pythons.another_python() is None
    made_by("3.10.4")  # no longer wanted
    assert pythons.another_python() is None
    made_by(another, "/nowhere/python3")  # it is gone
    assert pythons.another_python() is None
