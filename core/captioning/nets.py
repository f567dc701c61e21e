"""A captioner's net and what prepares its pictures and words, as transformers loads them: whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from core.captioning.reader import first_line
from core.errors import CaptionerError, MemoryFullError, naming_full_memory
from core.families.device import Device, choose, placed, whole_cpu

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.base.captioners import Captioner

LONGEST = 300  # tokens of a text, unless the model's own settings say fewer
AT_ONCE = 8  # pictures on a GPU; a CPU is no quicker with many, and is to be stopped soon
_WHOLE = "Get a whole copy of it."


@dataclass(frozen=True, slots=True)
class Net:
    """What is asked, and what asks it."""

    net: Any
    processor: Any
    device: Device

    @property
    def at_once(self) -> int:
        return 1 if self.device.device.type == "cpu" else AT_ONCE

    @torch.inference_mode()
    def answer(
        self,
        inputs: Any,  # noqa: ANN401
        *,
        beams: int = 1,
        longest: int = LONGEST,
    ) -> list[list[int]]:
        """The tokens that the net says, always the same ones; of each picture."""
        there = {
            name: value.to(
                self.device.device, self.net.dtype if value.is_floating_point() else None
            )
            for name, value in inputs.items()
        }
        own = getattr(self.net.generation_config, "max_new_tokens", None) or LONGEST
        with naming_full_memory("Choose a smaller captioner, or close other programs."):
            return self.net.generate(
                **there, do_sample=False, num_beams=beams, max_new_tokens=min(own, longest)
            ).tolist()


@naming_full_memory("Choose a smaller captioner, or close other programs.")
def load(captioner: Captioner, net_kind: Any, processor_kind: Any) -> Net:  # noqa: ANN401
    """Load a folder's net and processor; nothing of it is run as code.

    Raises:
        CaptionerError: A file is damaged, or a tensor is missing or of another shape.
        MemoryFullError: It does not fit.
    """
    best = choose("auto")
    device = whole_cpu() if best.device.type == "cpu" else best  # as pictures are drawn there
    path = captioner.path
    processor = _tried(path, lambda: _without_videos(processor_kind).from_pretrained(
        path, local_files_only=True, backend="pil"  # the same pixels everywhere
    ))  # fmt: skip
    _check_size(path, net_kind)
    net, info = _tried(path, lambda: net_kind.from_pretrained(
        path, local_files_only=True, use_safetensors=True, dtype=device.weights,
        output_loading_info=True,
    ))  # fmt: skip
    for key, words in (("missing_keys", "lacks"), ("mismatched_keys", "has another shape of")):
        if found := sorted(map(str, info[key])):
            more = f" and {len(found) - 1} more tensors" if len(found) > 1 else ""
            raise CaptionerError(
                f"The captioner {path} is not whole: it {words} {found[0]}{more}.", hint=_WHOLE
            )
    _quiet(net)
    return Net(placed(net, device), processor, device)


def _without_videos(kind: Any) -> Any:  # noqa: ANN401
    """A processor of pictures and words alone: that of videos would want torchvision."""
    if "video_processor" not in kind.get_attributes():
        return kind
    others = [name for name in kind.get_attributes() if name != "video_processor"]
    return type(kind.__name__, (kind,), {"get_attributes": classmethod(lambda _cls: others)})


def _check_size(path: Path, kind: Any) -> None:  # noqa: ANN401
    """Whether the files can hold a net of that config: transformers makes room for what they lack.

    Raises:
        CaptionerError: The net would be more than twice as large.
    """

    def empty() -> Any:  # noqa: ANN401
        with torch.device("meta"):
            return kind._from_config(kind.config_class.from_pretrained(path, local_files_only=True))

    wanted = sum(weight.numel() for weight in _tried(path, empty).parameters())
    held = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    if wanted > 2 * held:  # half a byte a number is less than any file has
        raise CaptionerError(
            f"The captioner {path} is not whole: its net wants {wanted:,} numbers, its files have "
            f"{held:,} bytes.",
            hint=_WHOLE,
        )


def _quiet(net: Any) -> None:  # noqa: ANN401
    """Nothing is left to chance, nor warned of, whatever a model's own settings say."""
    for one in net.modules():
        if settings := getattr(one, "generation_config", None):
            settings.do_sample = False
            for name in ("temperature", "top_p", "top_k", "max_length"):
                setattr(settings, name, None)


def _tried(path: Path, load: Callable[[], Any]) -> Any:  # noqa: ANN401
    """The files may hold anything, and so may what the libraries raise."""
    try:
        return load()
    except (CaptionerError, MemoryFullError, MemoryError):
        raise
    except Exception as error:
        raise CaptionerError(
            f"The captioner {path} cannot be loaded: {first_line(error)}.", hint=_WHOLE
        ) from error
