"""Renew lock.txt and lock-test.txt: `.venv/bin/python packaging/lock.py [--upgrade]`.

Every package with all its hashes, for all systems and Pythons, as uv resolves what stands in
requirements.txt and requirements-test.txt. Versions stay as they are where they still fit; with
--upgrade the newest come. torch and what comes with a build of it are left out: start.py chooses
the build, and pip or uv takes its versions from there.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from setup import PYTHONS  # noqa: E402
from setup.pythons import uv_beside  # noqa: E402
from setup.torch_build import TORCH  # noqa: E402

WITH_TORCH = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
PACKAGE = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)


def main(arguments: list[str]) -> None:
    """Both locks; the second holds what the tests need on top."""
    program = resolve(["requirements.txt"], arguments)
    write("lock.txt", program)
    both = resolve(["requirements.txt", "requirements-test.txt"], arguments)
    write("lock-test.txt", [package for package in both if package not in program])


def resolve(requirements: list[str], arguments: list[str]) -> list[str]:
    """One text a package: its version, marker and hashes. What the locks hold is preferred."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, found = Path(folder, "wanted.txt"), Path(folder, "found.txt")
        wanted.write_text("".join((HERE / n).read_text() for n in requirements) + TORCH + "\n")
        found.write_text("".join(p.read_text() for p in sorted(HERE.glob("lock*.txt"))))
        command = [*uv_beside(sys.executable), "pip", "compile", "--quiet", "--no-config"]
        command += ["--universal", "--python-version", "{}.{}".format(*PYTHONS[0])]
        command += ["--generate-hashes", "--only-binary", ":all:", "--no-header", "--no-annotate"]
        subprocess.run([*command, *arguments, str(wanted), "-o", str(found)], check=True)
        packages = PACKAGE.split(found.read_text())
    return [p for p in packages if "==" in p and not WITH_TORCH.match(p)]


def write(name: str, packages: list[str]) -> None:
    """A lock with a word on where it comes from."""
    head = "# Made by packaging/lock.py, not by hand: all packages but torch, with their hashes.\n"
    (HERE / name).write_text(head + "".join(packages))
    print(f"{name}: {len(packages)} packages")


if __name__ == "__main__":
    main(sys.argv[1:])
