"""Which device a model is on, and in which precision it computes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psutil
import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Precision = Literal["auto", "float32", "bfloat16", "float16"]
# How the frozen denoiser's linear layers are kept.
Held = Literal["whole", "int8", "nf4", "int8_weights", "fp8"]
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_MACOS_WITH_BFLOAT16 = 14


@dataclass(frozen=True, slots=True)
class Device:
    """A device and the dtype that nets compute in while training."""

    device: torch.device
    compute: torch.dtype
    held: Held = "whole"
    like: str = ""  # the kind whose ways count, where what it would need is foreseen on another
    streamed: bool = False  # the denoiser's blocks lie in the main memory beside a GPU
    main: str = "cpu"  # the device whose memory that is

    @property
    def kind(self) -> str:
        """`cpu`, `cuda` or `mps`."""
        return self.like or self.device.type

    @property
    def weights(self) -> torch.dtype:
        """Of the frozen nets. On a CPU they stay whole, so that previews are exact."""
        return torch.float32 if self.kind == "cpu" else self.compute

    @property
    def streams(self) -> bool:
        """Whether there is another memory than the one that computes, and it is to be used."""
        return self.streamed and self.kind == "cuda"

    @property
    def scales_loss(self) -> bool:
        """Whether gradients would vanish below float16's smallest number."""
        return self.compute == torch.float16

    def autocast(self) -> AbstractContextManager[object]:
        """Compute in `compute` where that is not float32."""
        if self.compute == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.compute)

    def free(self) -> int:
        """How many bytes of its memory nothing holds now."""
        if self.device.type == "cuda":
            kept = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(
                self.device
            )
            return torch.cuda.mem_get_info(self.device)[0] + kept
        return psutil.virtual_memory().available

    def __str__(self) -> str:
        names = {"cpu": "CPU", "mps": "Apple GPU"}
        name = names.get(self.device.type) or torch.cuda.get_device_name(self.device)
        held = "" if self.held == "whole" else f", base in {self.held}"
        return f"{name}, {str(self.compute).removeprefix('torch.')}{held}"


def choose(precision: Precision, held: Held = "whole", *, streamed: bool = False) -> Device:
    """The best device there is, and the precision it is fast in, unless `precision` says one.

    A GPU without bfloat16 of its own (GTX 10, RTX 20) computes in float16 with a scaled loss.
    """
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cpu" and torch.backends.mps.is_available():
        kind = "mps"
    compute = _fast(kind) if precision == "auto" else _DTYPES[precision]
    return Device(torch.device(kind), compute, held, streamed=streamed)


def whole_cpu() -> Device:
    """The CPU, computing in float32: for what should be exact and needs no speed."""
    return Device(torch.device("cpu"), torch.float32)


def placed(net: Any, device: Device) -> Any:  # noqa: ANN401 - untyped classes
    """A net, frozen, where it computes; nothing else moves one."""
    return net.requires_grad_(requires_grad=False).eval().to(device.device)


def let_go() -> None:
    """Give back what a GPU keeps for later tensors: after a full memory none of it fits."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _fast(kind: str) -> torch.dtype:
    match kind:
        case "cuda":
            real = torch.cuda.is_bf16_supported(including_emulation=False)
            return torch.bfloat16 if real else torch.float16
        case "mps":
            new = torch.backends.mps.is_macos_or_newer(_MACOS_WITH_BFLOAT16, 0)
            return torch.bfloat16 if new else torch.float32
        case _:  # without such instructions bfloat16 on a CPU is slower than float32
            able = torch.cpu.get_capabilities()
            return (
                torch.bfloat16 if able.get("amx_bf16") or able.get("avx512_bf16") else torch.float32
            )
