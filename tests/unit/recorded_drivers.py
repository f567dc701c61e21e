"""What nvidia-smi says on many machines: its header, its answer to our query, and its list.

Headers are those that people posted; names, drivers and capabilities belong together.
"""

from typing import NamedTuple


class Recorded(NamedTuple):
    """One machine."""

    header: str
    query: str
    listing: str = ""
    status: int = 0


def old_style(driver: str, cuda: str, name: str) -> str:
    """Drivers up to 590."""
    return f"""\
Tue Nov  4 15:25:22 2025
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI {driver:<22} Driver Version: {driver:<14} CUDA Version: {cuda:<8} |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
|=========================================+========================+======================|
|   0  {name:<26}     Off |   00000000:01:00.0  On |                  N/A |
+-----------------------------------------+------------------------+----------------------+
"""


def new_style(driver: str, cuda: str, name: str) -> str:
    """Drivers from 610."""
    return f"""\
Sun Jun  7 08:16:57 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI {driver:<22} KMD Version: {driver:<13} CUDA UMD Version: {cuda:<8} |
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
|=========================================+========================+======================|
|   0  {name:<26}     Off |   00000000:02:00.0  On |                  N/A |
+-----------------------------------------+------------------------+----------------------+
"""


NO_CAPABILITY = 'Field "compute_cap" is not a valid field to query.\n\n'
UUID = "(UUID: GPU-b0c9a2d4-6c1f-4d0c-9f7e-2f1f0a7f5a11)"

# Each with the build of torch it must get, or a word of the sentence that it gets instead.
MACHINES = {
    "RTX 5070, driver 610": (
        Recorded(
            new_style("610.43.02", "13.3", "NVIDIA GeForce RTX 5070 ..."),
            "NVIDIA GeForce RTX 5070 Laptop GPU, 610.43.02, 12.0\n",
        ),
        "cu130",
    ),
    "two B200, driver 610": (
        Recorded(
            new_style("610.43.02", "13.3", "NVIDIA B200"),
            "NVIDIA B200, 610.43.02, 10.0\nNVIDIA B200, 610.43.02, 10.0\n",
        ),
        "cu130",
    ),
    "GTX 1650, driver 610": (
        Recorded(
            new_style("610.57.04", "13.3", "NVIDIA GeForce GTX 1650"),
            "NVIDIA GeForce GTX 1650, 610.57.04, 7.5\n",
        ),
        "cu130",
    ),
    "GB10 (DGX Spark), driver 580": (
        Recorded(old_style("580.95.05", "13.0", "NVIDIA GB10"), "NVIDIA GB10, 580.95.05, 12.1\n"),
        "cu130",
    ),
    "RTX 3090, driver 570": (
        Recorded(
            old_style("570.133.07", "12.8", "NVIDIA GeForce RTX 3090"),
            "NVIDIA GeForce RTX 3090, 570.133.07, 8.6\n",
        ),
        "cu126",
    ),
    "RTX 2080, driver 525": (
        Recorded(
            old_style("525.147.05", "12.0", "NVIDIA GeForce RTX 2080"),
            "NVIDIA GeForce RTX 2080, 525.147.05, 7.5\n",
        ),
        "cu126",
    ),
    "GTX 1060, driver 580": (
        Recorded(
            old_style("580.82.07", "13.0", "NVIDIA GeForce GTX 1060 6GB"),
            "NVIDIA GeForce GTX 1060 6GB, 580.82.07, 6.1\n",
        ),
        "cu126",
    ),
    "Tesla V100, driver 535 with CUDA 12.2": (
        Recorded(
            old_style("535.183.01", "12.2", "Tesla V100-SXM2-32GB"),
            "Tesla V100-SXM2-32GB, 535.183.01, 7.0\n",
        ),
        "cu126",
    ),
    "GTX 1060 and RTX 3060: one build serves both": (
        Recorded(
            old_style("580.82.07", "13.0", "NVIDIA GeForce GTX 1060 6GB"),
            "NVIDIA GeForce GTX 1060 6GB, 580.82.07, 6.1\n"
            "NVIDIA GeForce RTX 3060, 580.82.07, 8.6\n",
        ),
        "cu126",
    ),
    "GTX 1060 and RTX 5090: none does, the better one counts": (
        Recorded(
            old_style("580.82.07", "13.0", "NVIDIA GeForce GTX 1060 6GB"),
            "NVIDIA GeForce GTX 1060 6GB, 580.82.07, 6.1\n"
            "NVIDIA GeForce RTX 5090, 580.82.07, 12.0\n",
        ),
        "cu130",
    ),
    "a header without a number, as in some containers: the driver's counts": (
        Recorded(
            old_style("580.82.07", "N/A", "NVIDIA A100-SXM4-40GB"),
            "NVIDIA A100-SXM4-40GB, 580.82.07, 8.0\n",
        ),
        "cu130",
    ),
    "forward compatibility: CUDA 13 over driver 535": (
        Recorded(old_style("535.183.01", "13.0", "NVIDIA H100"), "NVIDIA H100, 535.183.01, 9.0\n"),
        "cu130",
    ),
    "an old nvidia-smi over a new driver, as in snaps: uv decides": (
        Recorded(
            "| NVIDIA-SMI 470.256.02   Driver Version: 580.95.05    CUDA Version: 13.0     |\n",
            NO_CAPABILITY,
            f"GPU 0: NVIDIA RTX PRO 1000 Blackwell {UUID}\n",
        ),
        "auto",
    ),
    "a header of the future: uv decides": (
        Recorded(
            "| NVIDIA-SMI 7.0 | kernel 700 | toolkit 14 |\n",
            "NVIDIA GeForce RTX 6090, 700.01, 12.4\n",
            f"GPU 0: NVIDIA GeForce RTX 6090 {UUID}\n",
        ),
        "auto",
    ),
    "a card of the future: uv decides, the proof tells": (
        Recorded(
            new_style("650.10", "14.1", "NVIDIA GeForce RTX 7090"),
            "NVIDIA GeForce RTX 7090, 650.10, 14.0\n",
        ),
        "auto",
    ),
    "MIG, whose lines are those of the card": (
        Recorded(
            old_style("580.82.07", "13.0", "NVIDIA A30"),
            "NVIDIA A30, 580.82.07, 8.0\n",
            f"GPU 0: NVIDIA A30 {UUID}\n  MIG 1g.6gb Device 0: (UUID: MIG-1)\n",
        ),
        "cu130",
    ),
    "no card": (
        Recorded("No devices were found\n", "No devices were found\n", "No devices found.\n", 6),
        "cpu",
    ),
    "Kepler, driver 470: torch is not made for it, nor is a newer driver": (
        Recorded(
            "| NVIDIA-SMI 470.256.02   Driver Version: 470.256.02   CUDA Version: 11.4     |\n",
            NO_CAPABILITY,
            f"GPU 0: NVIDIA GeForce GTX 780 {UUID}\n",
        ),
        "driver is too old.* CUDA 11.4",
    ),
    "driver 340, before headers named CUDA": (
        Recorded(
            "| NVIDIA-SMI 340.108    Driver Version: 340.108        |\n",
            NO_CAPABILITY,
            f"GPU 0: GeForce 8400M GS {UUID}\n",
        ),
        "driver is too old",
    ),
    "RTX 5090, driver 570": (
        Recorded(
            old_style("570.86.10", "12.8", "NVIDIA GeForce RTX 5090"),
            "NVIDIA GeForce RTX 5090, 570.86.10, 12.0\n",
        ),
        "too old for the NVIDIA GeForce RTX 5090",
    ),
    "an updated driver before the restart": (
        Recorded(
            "Failed to initialize NVML: Driver/library version mismatch\n"
            "NVML library version: 610.43\n",
            "Failed to initialize NVML: Driver/library version mismatch\n",
            "Failed to initialize NVML: Driver/library version mismatch\n",
            18,
        ),
        "version mismatch",
    ),
}
