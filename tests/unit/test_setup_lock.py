"""packaging/lock*.txt: whole, in step with the requirements, and free of what must not stand there."""

import re
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from setup import PYTHONS

PACKAGING = Path(__file__).parents[2] / "packaging"


def locked(name: str) -> list[tuple[Requirement, list[str]]]:
    """Each package with its hashes."""
    text = (PACKAGING / name).read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    return [
        (Requirement(block.partition("\\")[0]), re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
        for block in blocks
    ]


def wanted(name: str) -> list[Requirement]:
    lines = (line.partition(" #")[0].strip() for line in (PACKAGING / name).read_text().split("\n"))
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def holds(marker: Marker | None, minor: int, platform: str) -> bool:
    environment = {
        **default_environment(),
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.1",
        "sys_platform": platform,
        "platform_machine": "x86_64",
    }
    return marker is None or marker.evaluate(environment)


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
@pytest.mark.parametrize("minor", range(PYTHONS[0][1], PYTHONS[1][1] + 1))
def test_each_python_on_each_system_gets_one_of_each_package_wanted(
    minor: int, platform: str
) -> None:
    pins = {}
    for requirement, _ in locked("lock.txt") + locked("lock-test.txt"):
        if holds(requirement.marker, minor, platform):
            assert requirement.name not in pins
            pins[requirement.name] = str(requirement.specifier)
    for requirement in wanted("requirements.txt") + wanted("requirements-test.txt"):
        if holds(requirement.marker, minor, platform):
            assert pins[canonicalize_name(requirement.name)] == str(requirement.specifier)


@pytest.mark.parametrize("name", ["lock.txt", "lock-test.txt"])
def test_every_package_has_one_version_and_hashes(name: str) -> None:
    packages = locked(name)
    assert packages
    for requirement, hashes in packages:
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier))
        assert hashes


@pytest.mark.parametrize("name", ["lock.txt", "lock-test.txt"])
def test_neither_torch_nor_an_address_stands_in_it(name: str) -> None:
    text = (PACKAGING / name).read_text()
    assert not re.search(r"^(torch|triton|nvidia|cuda)", text, flags=re.MULTILINE)
    assert "://" not in text
    assert not re.search(r"^-", text, flags=re.MULTILINE)
