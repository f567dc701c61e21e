"""The .deb on a bare Debian 12; root, debootstrap and minutes are needed, so it has its own mark."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.installer
def test_the_deb_installs_runs_and_leaves(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        pytest.fail("run as root, with debootstrap installed")
    subprocess.run([ROOT / "packaging/build_deb.sh", tmp_path], cwd=ROOT, check=True)
    (deb,) = tmp_path.glob("*.deb")
    print(f"{deb.name}: {deb.stat().st_size / 2**20:.0f} MB")
    subprocess.run([ROOT / "tests/installer/test_deb.sh", deb], check=True)
