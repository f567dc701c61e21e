"""Into an environment: the locked packages, torch, and the proof that they work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from setup.places import BUILD, HAS_TORCH, ROOT, python
from setup.pythons import uv_beside
from setup.running import clean_environment, follow, quietly
from setup.torch_build import TORCH, Choice
from setup.words import WITHOUT_GPU, SetupError, last_lines

PROOF_SECONDS = 600  # the first import compiles thousands of files, and a slow disk takes minutes


def locks(*, with_tests: bool) -> list[Path]:
    """The exact versions and hashes of all packages but torch and what comes with a build of it."""
    names = ["lock.txt"] + (["lock-test.txt"] if with_tests else [])
    return [ROOT / "packaging" / name for name in names]


def pip(venv: Path, *arguments: str) -> list[str]:
    """A pip command. Few tries: someone who is offline should soon hear so."""
    command = [str(python(venv)), "-m", "pip", "install", "--disable-pip-version-check"]
    return [*command, "--retries", "3", *arguments]


def install(venv: Path, choice: Choice, *, with_tests: bool) -> None:
    """Everything the program runs on. What is there already is not fetched again.

    Raises:
        SetupError: See `explain`.
    """
    for lock in locks(with_tests=with_tests):
        # All dependencies stand in the lock; pip must look for no others, least of all for torch.
        arguments = ("--require-hashes", "--no-deps", "-r", str(lock))
        follow(f"Installing {lock.stem}", pip(venv, *arguments))
    if not (venv / HAS_TORCH).exists():  # else uv would be fetched only to find that it is there
        install_torch(venv, choice.build)
        (venv / HAS_TORCH).touch()


def install_torch(venv: Path, build: str) -> None:
    """The pinned torch: a build that pip finds on this machine, else the one for the card.

    uv knows where each build lies, so that no address stands here. Its dependencies are there
    already, but for what comes with a build (CUDA's libraries).

    Raises:
        SetupError: It did not install.
    """
    step = f"Installing torch ({build})"
    pips_own = build == "mps" or (build == "cu130" and sys.platform == "linux")
    if pips_own or torch_at_hand(venv):
        follow(step, pip(venv, TORCH))
        return
    uv = [*uv_beside(str(python(venv))), "pip", "install", "--python", str(python(venv))]
    follow(step, [*uv, TORCH, f"--torch-backend={build}"])


def torch_at_hand(venv: Path) -> bool:
    """Whether pip finds torch in a folder of this machine; asked with an index it downloads."""
    without_index = ("--dry-run", "--no-deps", "--no-index", "--ignore-installed")
    return quietly(pip(venv, *without_index, TORCH), scratch=True).returncode == 0


def wanted_torch(choice: Choice) -> str:
    """What `BUILD` holds: an environment keeps one build of torch for its whole life."""
    return f"{TORCH} {choice.build}"


def holds_torch(venv: Path, choice: Choice) -> bool:
    """Whether an environment was made for this build."""
    mark = venv / BUILD
    return mark.exists() and mark.read_text(encoding="utf-8") == wanted_torch(choice)


def prove(venv: Path, choice: Choice) -> str:
    """Load what was installed and compute on each card; returns what a person should know.

    Raises:
        SetupError: It does not load, or torch computes on no card of those it was chosen for.
    """
    try:
        step = subprocess.run(
            [str(python(venv)), str(ROOT / "setup" / "proof.py")],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=PROOF_SECONDS,
            cwd=venv,  # our folders are not to be taken for packages
            env=clean_environment(),
        )
    except subprocess.TimeoutExpired:
        raise SetupError(
            f"torch gave no answer in {PROOF_SECONDS} s; with a card its driver may hang.\n"
            f"Restart the computer and run start.py again, or set {WITHOUT_GPU}=1."
        ) from None
    if step.returncode != 0:  # on Windows torch says on stdout what is missing and where it is
        raise SetupError(
            f"The engine does not start:\n{last_lines(step.stdout + chr(10) + step.stderr, 6)}\n"
            f"Mend what is said there, or delete {venv}, and run start.py again."
        )
    report = json.loads(step.stdout.strip().splitlines()[-1])
    working = [name for name, fault in report["cards"].items() if not fault]
    faults = [f"{name}: {fault}" for name, fault in report["cards"].items() if fault]
    if choice.needs_card and not working:
        said = "; ".join(faults) or report["why"]
        raise SetupError(
            f"torch {report['torch']} does not see the graphics card: {said}.\n"
            "Restart the computer, or install a newer driver, and run start.py again (nothing is "
            f"fetched anew); or set {WITHOUT_GPU}=1 to train without it."
        )
    on = ", ".join(working) if choice.needs_card else "the processor"
    return "\n".join(
        [f"torch {report['torch']} computes on {on}", *(f"not on {f}" for f in faults)]
    )
