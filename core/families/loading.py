"""One part of a base from its files: whole, or an error that names what is wrong."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import safetensors
import torch
from accelerate import init_empty_weights
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    FlowMatchEulerDiscreteScheduler,
    ModelMixin,
    schedulers,
)

from core.base.value import InFile, InFolder, Unread, is_weights, variant_of
from core.config.facts import FLOW
from core.diffusion.path import Diffusion, Flow
from core.diffusion.times import of_flow
from core.errors import BaseModelError, MemoryFullError, naming_full_memory
from core.families.family import DrawOptions, Model, draw_texts
from core.families.namings import NAMINGS
from core.families.scaled import unscaled

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.base.value import Base

    Loaded = tuple[Any, list[str], list[str]]  # a net, the tensors that it lacks, and odd ones

USUAL_STEPS = 25  # of a drawing; some schedulers cannot do with few
WHOLE = "Get a whole copy of it."


def net(base: Base, part: str, kind: Any, dtype: torch.dtype, **options: Any) -> Any:  # noqa: ANN401 - untyped classes
    """A net of diffusers or transformers with every tensor it wants, and no other shapes.

    Without this check both fill what is missing with random numbers, new ones at each load.

    Raises:
        BaseModelError: A tensor is missing or of another shape, or a file cannot be read.
        MemoryFullError: It does not fit.
    """
    where = base.weights[part]
    if isinstance(where, Unread):
        return empty_net(base, part, kind, **options).to(dtype).eval()
    if isinstance(where, InFile):
        load = partial(_from_file, base, part, where, kind, dtype, options)
    else:
        load = partial(_from_folder, base, part, where, kind, dtype, options)
    made, lacking, misshapen = _tried(base, part, load)
    for found, words in ((lacking, "lacks"), (misshapen, "has another shape of")):
        if found:
            more = f" and {len(found) - 1} more tensors" if len(found) > 1 else ""
            raise BaseModelError(
                f"The base model {base.path} is not whole: its {part} {words} {found[0]}{more}.",
                hint=WHOLE,
            )
    return made


def _of_diffusers(kind: Any) -> bool:  # noqa: ANN401
    return issubclass(kind, ModelMixin)


def _from_folder(
    base: Base,
    part: str,
    where: InFolder,
    kind: Any,  # noqa: ANN401
    dtype: torch.dtype,
    options: dict[str, Any],
) -> Loaded:
    if not _of_diffusers(kind):
        _check_size(base, part, kind, where, options)
    dtype_option = "torch_dtype" if _of_diffusers(kind) else "dtype"
    made, info = kind.from_pretrained(
        base.folders[part],
        variant=where.variant or None,
        output_loading_info=True,
        local_files_only=True,
        **{dtype_option: dtype},
        **options,
    )
    missing, mismatched = (sorted(map(str, info[k])) for k in ("missing_keys", "mismatched_keys"))
    return made, missing, mismatched


def _check_size(
    base: Base,
    part: str,
    kind: Any,  # noqa: ANN401
    where: InFolder,
    options: dict[str, Any],
) -> None:
    """Whether the files can hold a net of that config: transformers makes room for what they lack.

    Raises:
        BaseModelError: The net would be more than twice as large.
    """
    files = [p for p in base.folders[part].iterdir() if is_weights(p.name)]
    held = sum(p.stat().st_size for p in files if variant_of(p.name) == where.variant)
    wanted = sum(p.numel() for p in empty_net(base, part, kind, **options).parameters())
    if wanted > 2 * held:  # half a byte a number is less than any file has
        raise BaseModelError(
            f"The base model {base.path} is not whole: its {part} wants {wanted:,} numbers, its "
            f"files have {held:,} bytes.",
            hint=WHOLE,
        )


def _from_file(
    base: Base,
    part: str,
    where: InFile,
    kind: Any,  # noqa: ANN401
    dtype: torch.dtype,
    options: dict[str, Any],
) -> Loaded:
    """Read those of a file's tensors that are this net's; the file is mapped, not copied."""
    made = empty_net(base, part, kind, **options)
    with safetensors.safe_open(where.path, framework="pt") as file:
        own = {n: file.get_tensor(n) for n in file.keys() if n.startswith(where.prefix)}  # noqa: SIM118
    tensors = NAMINGS[where.naming](unscaled(own, dtype), where.prefix, made)
    del own
    wanted = made.state_dict()
    lacking = sorted(wanted.keys() - tensors.keys())
    misshapen = sorted(n for n, t in wanted.items() if n in tensors and tensors[n].shape != t.shape)
    if not lacking and not misshapen:
        right = {name: tensors.pop(name).to(_dtype_of(name, made, dtype)) for name in wanted}
        made.load_state_dict(right, assign=True)
        if getattr(made, "_tied_weights_keys", None):
            made.tie_weights()  # T5's words are in its file once, and in its net twice
    return made.eval(), lacking, misshapen


def _dtype_of(name: str, made: Any, dtype: torch.dtype) -> torch.dtype:  # noqa: ANN401
    """What a tensor is loaded in: some of T5's would overflow in float16, as transformers knows."""
    whole = () if isinstance(made, ModelMixin) else made._keep_in_fp32_modules or ()
    if dtype == torch.float16 and not set(whole).isdisjoint(name.split(".")):
        return torch.float32
    return dtype


def empty_net(base: Base, part: str, kind: Any, **options: Any) -> Any:  # noqa: ANN401
    """A net without weights, on the meta device, for its modules' names and shapes."""
    config = dict(base.configs[part])
    with init_empty_weights(include_buffers=False):
        if _of_diffusers(kind):
            return kind.from_config(config, **options)
        return kind._from_config(kind.config_class.from_dict(config), **options)


def part(base: Base, name: str, kind: Any) -> Any:  # noqa: ANN401 - untyped classes
    """A tokenizer or another part without weights.

    Raises:
        BaseModelError: Its files cannot be read.
    """
    return _tried(
        base, name, lambda: kind.from_pretrained(base.folders[name], local_files_only=True)
    )


def _tried(base: Base, name: str, load: Callable[[], Any]) -> Any:  # noqa: ANN401
    """The files may hold anything, and so may what the libraries raise."""
    try:
        with naming_full_memory():
            return load()
    except (MemoryFullError, BaseModelError):
        raise
    except PermissionError as error:
        raise BaseModelError(
            f"{error.filename or base.folders[name]} may not be read.",
            hint="Change its permissions.",
        ) from error
    except Exception as error:
        words = str(error).partition("\n")[0].rstrip(".")
        if "weights_only" in str(error):
            words = "its weights are a pickle that holds more than numbers, which is not opened"
        raise BaseModelError(
            f"The {name} of the base model {base.path} cannot be loaded: {words}.", hint=WHOLE
        ) from error


def scheduler(base: Base) -> tuple[Any, tuple[str, ...]]:
    """The base's own scheduler, and a note where another stands in for one that cannot draw."""
    config = dict(base.configs["scheduler"])
    name = str(config.get("_class_name", ""))
    try:
        kind: Any = getattr(schedulers, name)
        dynamic = {"mu": 1.0} if config.get("use_dynamic_shifting") else {}
        kind.from_config(config).set_timesteps(USUAL_STEPS, **dynamic)
        return kind.from_config(config), ()
    except Exception as error:  # noqa: BLE001 - a library that it wants is missing, an odd setting
        words = str(error).strip().partition("\n")[0][:200].rstrip(".")
    flows = base.facts.predicts == FLOW
    other: Any = FlowMatchEulerDiscreteScheduler if flows else DDIMScheduler
    note = (
        f"The base model's scheduler {name} cannot be used here ({words}); previews are drawn with "
        f"{'Euler' if flows else 'DDIM'}."
    )
    return _tried(base, "scheduler", lambda: other.from_config(config)), (note,)


def fresh(scheduler: Any) -> Any:  # noqa: ANN401
    """The same scheduler without any state from earlier use."""
    return type(scheduler).from_config(scheduler.config)


def diffusion(base: Base) -> Diffusion:
    """The path that a base was trained on.

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
    return Diffusion(shares, config.get("prediction_type", "epsilon"))


def flow(base: Base, patch: int) -> Flow:
    """The path of a flow model, its times drawn logit-normal and shifted as its scheduler says.

    Args:
        base: Whose scheduler is asked.
        patch: The edge of a place of the transformer, in latents.

    Raises:
        BaseModelError: The scheduler's settings give none.
    """
    made: Any = _tried(
        base,
        "scheduler",
        lambda: FlowMatchEulerDiscreteScheduler.from_config(dict(base.configs["scheduler"])),
    )
    return Flow(of_flow(dict(made.config), patch))


def try_out(model: Model, base: Base) -> None:
    """Draw the smallest picture in four steps: what fails only in use fails now, not mid-run.

    Raises:
        BaseModelError: A part does not fit the others.
        MemoryFullError: Even that does not fit.
    """
    if Unread() in base.weights.values():
        return  # there is nothing to draw with
    edge = model.multiple_px
    options = DrawOptions(edge, edge, inference_steps=4, guidance=2.0, guidance_rescale=0.0)
    try:
        draw_texts(model, ["a"], [0], options)
    except MemoryFullError:
        raise
    except Exception as error:
        words = str(error).partition("\n")[0].rstrip(".")
        raise BaseModelError(
            f"The parts of the base model {base.path} do not fit together: {words}.", hint=WHOLE
        ) from error
