"""One part of a base from its files: whole, or an error that names what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, schedulers

from core.errors import BaseModelError, MemoryFullError, naming_full_memory
from core.families.family import DrawOptions, Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.base import Base

USUAL_STEPS = 25  # of a drawing; some schedulers cannot do with few
WHOLE = "Get a whole copy of it."


def net(base: Base, part: str, kind: Any, **options: Any) -> Any:  # noqa: ANN401 - untyped classes
    """A net of diffusers or transformers with every tensor it wants, and no other shapes.

    Without this check both fill what is missing with random numbers, new ones at each load.

    Raises:
        BaseModelError: A tensor is missing or of another shape, or a file cannot be read.
        MemoryFullError: It does not fit.
    """
    folder = base.path / part
    made, info = _tried(
        base,
        part,
        lambda: kind.from_pretrained(
            folder,
            variant=base.variants[part] or None,
            output_loading_info=True,
            local_files_only=True,
            **options,
        ),
    )
    for key, words in (("missing_keys", "lacks"), ("mismatched_keys", "has another shape of")):
        if found := sorted(map(str, info[key])):
            more = f" and {len(found) - 1} more tensors" if len(found) > 1 else ""
            raise BaseModelError(
                f"The base model {base.path} is not whole: its {part} {words} {found[0]}{more}.",
                hint=WHOLE,
            )
    return made


def part(base: Base, name: str, kind: Any) -> Any:  # noqa: ANN401 - untyped classes
    """A tokenizer or another part without weights.

    Raises:
        BaseModelError: Its files cannot be read.
    """
    return _tried(base, name, lambda: kind.from_pretrained(base.path / name, local_files_only=True))


def _tried(base: Base, name: str, load: Callable[[], Any]) -> Any:  # noqa: ANN401
    """The files may hold anything, and so may what the libraries raise."""
    try:
        with naming_full_memory():
            return load()
    except MemoryFullError:
        raise
    except PermissionError as error:
        raise BaseModelError(
            f"{error.filename or base.path / name} may not be read.",
            hint="Change its permissions.",
        ) from error
    except Exception as error:
        words = str(error).partition("\n")[0].rstrip(".")
        if "weights_only" in str(error):
            words = "its weights are a pickle that holds more than numbers, which is not opened"
        raise BaseModelError(
            f"The {name} of the base model {base.path} cannot be loaded: {words}.", hint=WHOLE
        ) from error


def scheduler(base: Base) -> tuple[Any, str]:
    """The base's own scheduler, and a note where another stands in for one that cannot draw."""
    config = dict(base.configs["scheduler"])
    name = str(config.get("_class_name", ""))
    try:
        kind: Any = getattr(schedulers, name)
        kind.from_config(config).set_timesteps(USUAL_STEPS)
        return kind.from_config(config), ""
    except Exception as error:  # noqa: BLE001 - a library that it wants is missing, an odd setting
        words = str(error).strip().partition("\n")[0][:200].rstrip(".")
    note = (
        f"The base model's scheduler {name} cannot be used here ({words}); previews are drawn with "
        "DDIM."
    )
    return _tried(base, "scheduler", lambda: DDIMScheduler.from_config(config)), note


def alpha_bars(base: Base) -> torch.Tensor:
    """The signal's share of the variance at each training time, (T,).

    Raises:
        BaseModelError: The scheduler's settings give none.
    """
    config = dict(base.configs["scheduler"])
    made: Any = _tried(base, "scheduler", lambda: DDPMScheduler.from_config(config))
    shares = made.alphas_cumprod
    falling = shares.ndim == 1 and bool((shares.diff() <= 0).all() and shares.isfinite().all())
    if not falling or not 0 <= shares[-1] <= shares[0] <= 1:
        raise BaseModelError(
            f"The scheduler of the base model {base.path} has odd betas.", hint=WHOLE
        )
    return shares


def try_out(model: Model, base: Base) -> None:
    """Draw the smallest picture in four steps: what fails only in use fails now, not mid-run.

    Raises:
        BaseModelError: A part does not fit the others.
        MemoryFullError: Even that does not fit.
    """
    edge = model.multiple_px
    options = DrawOptions(edge, edge, inference_steps=4, guidance=2.0, guidance_rescale=0.0)
    try:
        model.family.draw(model, ["a"], [0], options)
    except MemoryFullError:
        raise
    except Exception as error:
        words = str(error).partition("\n")[0].rstrip(".")
        raise BaseModelError(
            f"The parts of the base model {base.path} do not fit together: {words}.", hint=WHOLE
        ) from error
