"""Stable Diffusion 2: Stable Diffusion 1 with a text encoder of OpenCLIP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.families import sd1

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.base.value import Base
    from core.families.device import Device
    from core.families.family import Model


def load(base: Base, keys: Mapping[str, str], device: Device) -> Model:
    """Load its parts.

    Raises:
        BaseModelError: A part is not whole, or does not fit the others.
        MemoryFullError: It does not fit.
    """
    return replace(sd1.load(base, keys, device), family=SD2)


SD2 = replace(sd1.SD1, id="sd2", load=load)
