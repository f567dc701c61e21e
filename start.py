"""Set Stylewright up beside this file and run it: `python3 start.py [demo | test | ...]`.

Standard library only; Python 3.11 to 3.13 on Linux, Windows and macOS.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "stylewright-stamp"  # written last: without it the set-up is not complete
TORCH_STAMP = VENV / "stylewright-torch"  # which build is installed
TORCH = "torch==2.13.0"
UV = "uv==0.13.9"
PYTHONS = ((3, 11), (3, 13))
COMMANDS = ("demo", "new", "train", "sample", "export", "check")  # they need no display
STILL_SECONDS = 20  # between two signs of life where there is no terminal to draw a line on
NEEDED_MB = {"cpu": 3_000, "gpu": 9_000}

# Which build of torch a machine gets. NVIDIA: the driver's CUDA version and the card's compute
# capability decide, never the driver alone: a GTX 10xx with a new driver has no kernels in cu130.
TURING, BLACKWELL = 7.5, 12.0
CUDA_OF_CU130, CUDA_OF_CU126 = 13.0, 12.0  # of the driver: within 12 older ones run newer builds
WITHOUT_GPU = "STYLEWRIGHT_CPU"  # set to 1 it chooses the build without a GPU

# Qt's libraries on Debian and Ubuntu, by the file that shows whether they are there.
QT_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
DISPLAY_TOOLS = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "import": "imagemagick",
    "openbox": "openbox",
    "pcmanfm": "pcmanfm",
    "dbus-run-session": "dbus",
    "xdpyinfo": "x11-utils",
}


OFFLINE_SIGNS = (
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "NewConnectionError",
    "Network is unreachable",
    "Connection refused",
    "nodename nor servname",
    "Could not connect",
    "dns error",
    "ConnectTimeout",
    "Max retries exceeded",
)


READ_ONLY_SIGNS = ("Permission denied", "Errno 13", "Errno 30", "WinError 5]")
FULL_SIGNS = ("No space left", "Errno 28", "WinError 112]")


class SetupError(Exception):
    """One clear sentence, and the line that mends it."""


def main(arguments: list[str]) -> int:
    """Set up what is missing, then run."""
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        print(
            f"Stylewright needs Python 3.11 to 3.13; this is {platform.python_version()}.\n"
            "Install one of these and run: python3.12 start.py"
        )
        return 2
    if os.name == "nt":
        os.system("")  # noqa: S605 - wakes the console's sense for escape codes
    testing = arguments[:1] == ["test"]
    needs_window = not arguments or arguments[0] not in COMMANDS
    try:
        ensure_environment(with_tests=testing)
        if needs_window:
            ensure_packages(missing_packages(with_display_tools=testing))
    except SetupError as error:
        print(error)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Run start.py again to go on.")
        return 130
    script = ["tests/checks.py", *arguments[1:]] if testing else ["stylewright.py", *arguments]
    return run([str(python()), str(ROOT / script[0]), *script[1:]])


def run(command: list[str]) -> int:
    """Replace this process where the system can, so that signals reach the program."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, clean_environment())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the program's, which saves and ends
    return subprocess.run(command, check=False, env=clean_environment()).returncode


def python() -> Path:
    """The environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def requirements(*, with_tests: bool) -> list[Path]:
    """The files of exact versions."""
    names = ["requirements.txt"] + (["requirements-test.txt"] if with_tests else [])
    return [ROOT / "packaging" / name for name in names]


def fingerprint(*, with_tests: bool) -> str:
    """Changes when the interpreter, a wanted version, or the kind of card does."""
    content = interpreter() + TORCH + card_at_hand()
    content += "".join(p.read_text(encoding="utf-8") for p in requirements(with_tests=with_tests))
    return hashlib.sha256(content.encode()).hexdigest()


def interpreter() -> str:
    """What an environment is made for: it goes on through updates of the same Python."""
    return f"{platform.python_implementation()} {sys.version_info[0]}.{sys.version_info[1]}"


def card_at_hand() -> str:
    """A quick look, at every start: a driver that comes later wants another torch."""
    if os.environ.get(WITHOUT_GPU) == "1":
        return ""
    if shutil.which("nvidia-smi"):
        return "nvidia"
    return "amd" if sys.platform == "linux" and Path("/opt/rocm").exists() else ""


def ensure_environment(*, with_tests: bool) -> None:
    """Make `.venv` and install into it, unless that was done.

    Raises:
        SetupError: No internet, no room, no venv module, a package that does not install, or a
            machine that torch is not made for.
    """
    done = STAMP.read_text(encoding="utf-8").split() if STAMP.exists() else []
    if fingerprint(with_tests=with_tests) in done:
        return
    if sys.platform == "darwin" and platform.machine() != "arm64":
        raise SetupError(
            "torch is no longer made for Macs with an Intel processor.\n"
            "Use a Mac with Apple silicon, or another computer."
        )
    flavour = torch_flavour(find_gpu())
    torch = f"{TORCH} {flavour}"
    if not venv_works():
        shutil.rmtree(VENV, ignore_errors=True)
    installed = TORCH_STAMP.read_text(encoding="utf-8") if TORCH_STAMP.exists() else ""
    if installed != torch:
        check_room("gpu" if flavour.startswith(("cu", "rocm")) else "cpu")
    print("Setting up Stylewright. This is done once and takes a few minutes.", flush=True)
    if not VENV.exists():
        make_venv()
    STAMP.unlink(missing_ok=True)
    if installed != torch:
        TORCH_STAMP.unlink(missing_ok=True)
        if installed:  # pip would take any build of that version for the wanted one
            quietly([str(python()), "-m", "pip", "uninstall", "--yes", "torch"])
        install_torch(flavour)
        TORCH_STAMP.write_text(torch, encoding="utf-8")
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as pin:
        pin.write(TORCH + "\n")  # no later step may swap the build for another
    try:
        for file in requirements(with_tests=with_tests):
            pip(f"Installing {file.stem}", "-r", str(file), "-c", pin.name)
    finally:
        Path(pin.name).unlink()
    check_self()
    known = [fingerprint(with_tests=False)] + ([fingerprint(with_tests=True)] if with_tests else [])
    STAMP.write_text("\n".join(known), encoding="utf-8")
    print("Ready.", flush=True)


def check_room(kind: str) -> None:
    """Refuse before the disk is full.

    Raises:
        SetupError: Less than what the packages need is free.
    """
    free_mb = shutil.disk_usage(ROOT).free // 2**20
    if free_mb < NEEDED_MB[kind]:
        raise SetupError(
            f"The disk of {ROOT} has {free_mb:,} MB free, "
            f"Stylewright needs {NEEDED_MB[kind]:,} MB.\n"
            "Free some space, or move this folder to another disk, and run start.py again."
        )


def venv_works() -> bool:
    """Whether there is a whole environment of this very Python: one can be left half made."""
    if not python().exists():
        return False
    code = "import pip, sys; print(*sys.version_info[:2], sep='.')"
    step = quietly([str(python()), "-c", code])
    return step.returncode == 0 and interpreter().endswith(f" {step.stdout.strip()}")


def quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=ROOT,
        env=clean_environment(),
    )


def make_venv(*, with_help: bool = True) -> None:
    """A new environment; as root on Debian and Ubuntu what it needs is installed before.

    Raises:
        SetupError: The folder cannot be written, or this Python lacks venv or pip.
    """
    step = quietly([sys.executable, "-m", "venv", str(VENV)])
    if step.returncode == 0 and python().exists():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    said = (step.stdout + step.stderr).strip()
    if any(sign in said for sign in READ_ONLY_SIGNS):
        raise SetupError(f"{ROOT} may not be written to.\nMove this folder into your home folder.")
    if any(sign in said for sign in FULL_SIGNS):
        raise SetupError("The disk is full.\nFree some space and run start.py again.")
    if with_help and shutil.which("apt-get") and os.geteuid() == 0:
        ensure_packages([f"python{version}-venv"])
        make_venv(with_help=False)
        return
    raise SetupError(
        f"This Python ({sys.executable}) cannot make an environment: it lacks venv or pip.\n"
        f"On Debian and Ubuntu run: sudo apt install python{version}-venv\n"
        "Elsewhere install a full Python 3.12, and run start.py again."
    )


def pip(words: str, *arguments: str) -> None:
    """Install with a line that shows that it works.

    Raises:
        SetupError: See `explain`.
    """
    command = [str(python()), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    follow(words, command)


def follow(words: str, command: list[str]) -> None:
    """Run a command that installs, showing what it is at.

    Raises:
        SetupError: It failed.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=ROOT,
        env=clean_environment(),
    )
    lines: list[str] = []
    tty = sys.stdout.isatty()
    ended = threading.Event()

    def still_at_it() -> None:
        while not ended.wait(STILL_SECONDS):
            print(f"  {words}: {time.monotonic() - began:.0f} s so far", flush=True)

    if not tty:
        print(f"  {words} ...", flush=True)
        threading.Thread(target=still_at_it, daemon=True).start()
    for line in process.stdout or ():
        lines.append(line)
        if tty:
            said = f"  {words}: {line.strip()}"[: shutil.get_terminal_size().columns - 1]
            print(f"\r\033[K{said}", end="", flush=True)
    ended.set()
    seconds = time.monotonic() - began
    if process.wait() != 0:
        if tty:
            print()
        raise SetupError(explain(words, "".join(lines)))
    print(
        f"\r\033[K  {words}: {seconds:.0f} s" if tty else f"  {words}: {seconds:.0f} s", flush=True
    )


def clean_environment() -> dict[str, str]:
    """Without what would send pip to another Python."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def explain(words: str, output: str) -> str:
    """What an installer's last words mean."""
    if any(sign in output for sign in FULL_SIGNS):
        return "The disk is full.\nFree some space and run start.py again: it goes on from here."
    if any(sign in output for sign in OFFLINE_SIGNS):
        return (
            "There is no connection to the package index.\n"
            "Connect to the internet and run start.py again: it goes on from here."
        )
    if any(sign in output for sign in READ_ONLY_SIGNS):
        return f"{VENV} may not be written to.\nMove this folder into your home folder."
    tail = "\n".join(output.strip().splitlines()[-8:])
    return f"{words} did not work:\n{tail}\nDelete {VENV} and run start.py again."


def install_torch(flavour: str) -> None:
    """The pinned torch: a build that pip finds on this machine, else the one for the GPU.

    uv knows where each build lies, so that no address stands here.

    Raises:
        SetupError: It did not install.
    """
    if flavour == "mps" or torch_at_hand() or (flavour == "cu130" and sys.platform == "linux"):
        pip(f"Installing torch ({flavour})", TORCH)
        return
    pip("Installing uv", UV)
    command = [str(python()), "-m", "uv", "pip", "install", "--python", str(python()), TORCH]
    follow(f"Installing torch ({flavour})", [*command, f"--torch-backend={flavour}"])


def torch_at_hand() -> bool:
    """Whether pip finds torch in a folder of this machine; asked with an index it downloads."""
    command = [str(python()), "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index",
               "--ignore-installed", "--disable-pip-version-check", TORCH]  # fmt: skip
    return quietly(command).returncode == 0


def find_gpu() -> tuple[str, float, float]:
    """Vendor ("nvidia", "amd", "apple" or ""), the driver's CUDA version and the capability.

    STYLEWRIGHT_FAKE_GPU="nvidia 13.0 8.6" stands in for a card in tests.
    """
    if fake := os.environ.get("STYLEWRIGHT_FAKE_GPU"):
        vendor, cuda, capability = (*fake.split(), "0", "0")[:3]
        return vendor, float(cuda), float(capability)
    if os.environ.get(WITHOUT_GPU) == "1":
        return "", 0, 0
    if sys.platform == "darwin":
        return ("apple" if platform.machine() == "arm64" else "", 0, 0)
    if tool := shutil.which("nvidia-smi"):
        query = [tool, "--query-gpu=compute_cap", "--format=csv,noheader"]
        said = subprocess.run([tool], capture_output=True, text=True, check=False).stdout
        caps = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()
        if "CUDA Version:" in said:
            # Drivers of 2021 and before know no such query, and answer it with a sentence.
            capability = number_in(caps[0]) if caps else 0.0
            return "nvidia", number_in(said.split("CUDA Version:")[1].split()[0]), capability
    if sys.platform == "linux" and Path("/opt/rocm").exists():
        return "amd", 0, 0
    return "", 0, 0


def number_in(word: str) -> float:
    """A version such as "12.6", or 0 for what is none."""
    try:
        return float(word)
    except ValueError:
        return 0.0


def torch_flavour(gpu: tuple[str, float, float]) -> str:
    """The build of torch for a GPU.

    Raises:
        SetupError: The driver is too old for the card.
    """
    vendor, cuda, capability = gpu
    if vendor == "apple":
        return "mps"
    if vendor == "amd":
        return "rocm7.2"
    if vendor != "nvidia":
        return "cpu"
    if cuda >= CUDA_OF_CU130 and capability >= TURING:
        return "cu130"
    if capability >= BLACKWELL:
        raise SetupError(
            "The driver of this NVIDIA card is too old for it.\n"
            f"Install driver 580 or newer from NVIDIA and run start.py again, or set "
            f"{WITHOUT_GPU}=1 to train without the card."
        )
    if cuda >= CUDA_OF_CU126:
        return "cu126"
    raise SetupError(
        f"The NVIDIA driver is too old: it speaks CUDA {cuda}, and 12.0 is needed.\n"
        f"Install a newer driver from NVIDIA and run start.py again, or set {WITHOUT_GPU}=1 to "
        "train without the card."
    )


def check_self() -> None:
    """Import what was installed, once.

    Raises:
        SetupError: It does not work here.
    """
    code = "import torch, diffusers, transformers, peft; print(torch.__version__)"
    step = quietly([str(python()), "-c", code])
    if step.returncode != 0:  # on Windows torch says on stdout what is missing and where it is
        tail = "\n".join((step.stdout.strip() + "\n" + step.stderr.strip()).splitlines()[-6:])
        raise SetupError(
            f"The engine does not start:\n{tail}\n"
            f"Mend what is said there, or delete {VENV}, and run start.py again."
        )
    print(f"  torch {step.stdout.strip()}", flush=True)


def missing_packages(*, with_display_tools: bool) -> list[str]:
    """Debian packages of Qt's libraries, and of the window tests' tools, that are not there."""
    if sys.platform != "linux":
        return []
    missing = []
    for library, package in QT_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if with_display_tools:
        missing += [p for tool, p in DISPLAY_TOOLS.items() if shutil.which(tool) is None]
    return missing


def ensure_packages(packages: list[str]) -> None:
    """Install system packages as root; otherwise say which line does.

    Raises:
        SetupError: They are missing and cannot be installed from here.
    """
    if not packages:
        return
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise SetupError(
            f"Qt needs libraries that are missing here: {', '.join(packages)} (Debian's names).\n"
            "Install them with your system's package program, and run start.py again."
        )
    if os.geteuid() != 0:
        raise SetupError(f"Some system libraries are missing. Run: sudo {line}")
    print(f"Installing system packages: {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update -q", line):
        step = subprocess.run(
            command.split(), env=environment, capture_output=True, text=True, check=False
        )
    if step.returncode != 0:
        raise SetupError(f"That did not work:\n{step.stderr.strip()}\nRun it yourself: {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
