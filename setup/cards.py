"""Which graphics cards this machine has, and what their driver can do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from setup.running import quietly
from setup.words import WITHOUT_GPU, SetupError, last_lines

PCI = Path("/sys/bus/pci/devices")
ROCM = Path("/opt/rocm")
MAKERS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}  # PCI vendor numbers
SMI_SECONDS = 60  # it wakes each card, which takes seconds; a driver that hangs never answers

# The driver's number tells its CUDA, where nvidia-smi does not.
CUDA_OF_DRIVER = ((580, 13.0), (525, 12.0), (0, 11.0))
CUDA = re.compile(r"CUDA (?:UMD )?Version\s*:\s*(\d+\.\d+)")  # "UMD" and "KMD" since driver 610
DRIVER = re.compile(r"(?:Driver|KMD) Version\s*:\s*(\d+)")
NAME = re.compile(r"^GPU \d+: (.+?) \(UUID", re.MULTILINE)


class Card(NamedTuple):
    """One card."""

    name: str
    capability: float  # NVIDIA's compute capability, such as 8.6; 0 where the driver does not say


class Graphics(NamedTuple):
    """What computes here."""

    maker: str  # "NVIDIA", "AMD", "Apple", or "" for what torch cannot use
    cards: tuple[Card, ...] = ()
    cuda: float = 0  # which CUDA the driver speaks
    remark: str = ""  # what a person should know about it


def at_hand() -> str:
    """A quick look, at every start: a driver that comes later wants another torch."""
    if os.environ.get(WITHOUT_GPU) == "1":
        return ""
    if shutil.which("nvidia-smi"):
        return "nvidia"
    return "amd" if sys.platform == "linux" and ROCM.exists() else ""


def find() -> Graphics:
    """All cards of the maker whose cards torch can use here.

    Raises:
        SetupError: There are cards, but their driver hangs or fails.
    """
    if os.environ.get(WITHOUT_GPU) == "1":
        return Graphics("", remark=f"{WITHOUT_GPU}=1: training runs on the processor.")
    if sys.platform == "darwin":
        return Graphics("Apple")
    makers = plugged_in()
    if (tool := shutil.which("nvidia-smi")) and (found := nvidia(tool, makers)).cards:
        return found
    if sys.platform == "linux" and ROCM.exists():
        return Graphics("AMD")
    return Graphics("", remark=why_none(makers))


def plugged_in() -> set[str]:
    """The makers of the cards in the machine, with or without a driver; Linux alone tells."""
    makers = set()
    for device in sorted(PCI.iterdir()) if PCI.is_dir() else ():
        try:
            is_display = (device / "class").read_text(encoding="ascii").startswith("0x03")
            maker = MAKERS.get((device / "vendor").read_text(encoding="ascii").strip())
        except OSError:
            continue
        if is_display and maker:
            makers.add(maker)
    return makers


def why_none(makers: set[str]) -> str:
    """What a person should know whose card is not used."""
    on = "training runs on the processor, which is slow for anything but the demo."
    if "NVIDIA" in makers:
        return f"An NVIDIA card is here, but no driver of NVIDIA's that sees it: {on}"
    if "AMD" in makers:
        return (
            f"An AMD card is here, but not ROCm ({ROCM}): {on}\n"
            "To use the card install ROCm, and run start.py again."
        )
    if "Intel" in makers:
        return f"Intel's graphics are not used: {on}"
    if os.name == "nt":
        return f"No NVIDIA card with a driver was found (on Windows no other is used): {on}"
    return f"No graphics card was found: {on}"


def nvidia(tool: str, makers: set[str]) -> Graphics:
    """What nvidia-smi says of all cards.

    Raises:
        SetupError: It does not answer, or there are cards and it fails.
    """
    query = ["--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        header = quietly([tool], seconds=SMI_SECONDS)
        rows = quietly([tool, *query], seconds=SMI_SECONDS).stdout
        names = quietly([tool, "-L"], seconds=SMI_SECONDS).stdout
    except subprocess.TimeoutExpired:
        raise SetupError(
            f"The NVIDIA driver hangs: nvidia-smi gave no answer in {SMI_SECONDS} s.\n"
            f"Restart the computer and run start.py again, or set {WITHOUT_GPU}=1 to train "
            "without the card."
        ) from None
    cards = tuple(card for row in rows.splitlines() if (card := card_of(row)))
    if not cards:  # drivers of 2021 and before do not know capabilities, and answer in a sentence
        cards = tuple(Card(name, 0) for name in NAME.findall(names))
    said = header.stdout + header.stderr
    fails = not cards and header.returncode != 0 and "No devices" not in said
    if fails and ("NVIDIA" in makers or sys.platform != "linux"):
        raise SetupError(
            f"The NVIDIA driver does not work. nvidia-smi says: {last_lines(said, 3)}\n"
            "Restart the computer, or install the driver anew, and run start.py again; or set "
            f"{WITHOUT_GPU}=1 to train without the card."
        )
    return Graphics("NVIDIA", cards, cuda_of(said))


def card_of(row: str) -> Card | None:
    """One line of the query: "NVIDIA GeForce RTX 5070, 610.43.02, 12.0"."""
    name, *fields = (field.strip() for field in row.rsplit(",", 2))
    return Card(name, number_in(fields[1])) if len(fields) == 2 else None


def cuda_of(header: str) -> float:
    """The CUDA that the driver speaks: as it says, else by the driver's number; 0 if unknown."""
    if told := CUDA.search(header):
        return float(told[1])
    if told := DRIVER.search(header):
        return next(cuda for oldest, cuda in CUDA_OF_DRIVER if int(told[1]) >= oldest)
    return 0


def number_in(word: str) -> float:
    """A version such as "12.6", or 0 for what is none."""
    try:
        return float(word)
    except ValueError:
        return 0
