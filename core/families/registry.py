"""All families' functions, and a base loaded by its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import BaseModelError
from core.families.chroma import CHROMA
from core.families.flux import FLUX
from core.families.flux2 import FLUX2
from core.families.krea2 import KREA2
from core.families.qwen_image import QWEN_IMAGE
from core.families.sd1 import SD1
from core.families.sd2 import SD2
from core.families.sd3 import SD3
from core.families.sdxl import SDXL
from core.families.zimage import ZIMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.base.value import Base
    from core.families.device import Device
    from core.families.family import Model, ModelFamily

FAMILIES: dict[str, ModelFamily] = {
    family.id: family
    for family in (SD1, SD2, SDXL, FLUX, CHROMA, SD3, FLUX2, ZIMAGE, QWEN_IMAGE, KREA2)
}


def load(base: Base, device: Device, keys: Mapping[str, str] | None = None) -> Model:
    """A base's nets on `device`. `keys` are its parts' fingerprints, where caches are used.

    Raises:
        BaseModelError: It is not whole.
        MemoryFullError: It does not fit.
    """
    family = FAMILIES[base.facts.family]
    try:
        return family.load(base, keys or dict.fromkeys(base.facts.parts, ""), device)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise BaseModelError(
            f"The base model {base.path} cannot be used: one of its configs holds an odd value "
            f"({error}).",
            hint="Get a whole copy of it.",
        ) from error
