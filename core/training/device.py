"""Which device a run uses, and in which precision it computes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True)
class Device:
    """A device and the dtype that nets compute in while training."""

    device: torch.device
    compute: torch.dtype

    @property
    def weights(self) -> torch.dtype:
        """Of the frozen nets. On a CPU they stay whole, so that previews are exact."""
        return torch.float32 if self.device.type == "cpu" else self.compute

    def autocast(self) -> AbstractContextManager[object]:
        """Compute in `compute` where that is not float32."""
        if self.compute == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.compute)

    def __str__(self) -> str:
        name = "CPU" if self.device.type == "cpu" else torch.cuda.get_device_name(self.device)
        return f"{name}, {str(self.compute).removeprefix('torch.')}"


def choose(precision: Literal["auto", "float32", "bfloat16"]) -> Device:
    """The best device there is; bfloat16 where it is fast and `precision` allows it."""
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    fast = (
        torch.cuda.is_bf16_supported(including_emulation=False)
        if kind == "cuda"
        else _cpu_has_bfloat16()
    )
    whole = precision == "float32" or (precision == "auto" and not fast)
    return Device(torch.device(kind), torch.float32 if whole else torch.bfloat16)


def _cpu_has_bfloat16() -> bool:
    """Without such instructions bfloat16 on a CPU is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
