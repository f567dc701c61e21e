"""What a computation holds at a time, counted without computing it: by the shapes of its tensors.

Nets whose weights are on the meta device (`Base.unread`) become fake tensors: torch works out the
shape and kind of everything that is made of them, and nothing takes any memory. The code that runs
is the run's own, to the last line.
"""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_iter
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from torch import Tensor, nn

_DEVICE = torch.ops.prim.device.default
_SCALAR = torch.ops.aten._local_scalar_dense.default
# On a CPU each of these first turns two of its tensors into an order of its own: seen in the memory
# of the process around a single one.
_CONVOLUTIONS = frozenset(
    {torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default}
)
# what autocast computes in float32 on a GPU and not on a CPU, by torch's names (autocast_mode.h)
_WHOLE_ON_A_GPU = frozenset(
    {
        "group_norm", "layer_norm", "rms_norm", "softmax", "log_softmax", "pow", "__pow__", "rsqrt",
        "exp", "log", "reciprocal", "sum", "cumsum", "interpolate", "mse_loss", "softplus",
    }
)  # fmt: skip


class Counter(TorchDispatchMode):
    """Counts the bytes of fake tensors while they live.

    Real tensors stay real: what is known on the CPU (a draw, a text's tokens, a schedule) can be
    looked at as ever. What is asked of a fake one's values is answered with 1.
    """

    def __init__(self, *, on_a_cpu: bool) -> None:
        super().__init__()
        self._copying = _CONVOLUTIONS if on_a_cpu else frozenset[Any]()
        self.now = 0
        self.peak = 0
        self._real_up_to = 0  # numbers of a tensor that is made of no other
        self._live: dict[int, weakref.ref[Any]] = {}

    def add(self, tensor: Tensor) -> None:
        """Count a tensor's storage, unless it is counted, for as long as anything holds it."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._live:
            return

        def gone(_: object) -> None:
            if self._live.pop(key, None) is not None:
                self.now -= size

        self._live[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)

    def add_net(self, net: nn.Module, without: Collection[nn.Module] = ()) -> int:
        """Count a net's weights, but those of some modules; returns how many bytes they are."""
        sizes: dict[int, int] = {}
        for module in net.modules():
            if module in without:
                continue
            for tensor in _held_by(module):
                self.add(tensor)
                storage = tensor.untyped_storage()
                sizes[storage._cdata] = storage.nbytes()
        return sum(sizes.values())

    def most(self) -> int:
        """The peak since it was last asked for."""
        peak, self.peak = self.peak, self.now
        return peak

    @contextlib.contextmanager
    def real(self, numbers: int = 2**62) -> Iterator[None]:
        """Within, new tensors of at most so many numbers are real, for their values are looked at.

        What is made of a net's weights is not.
        """
        before, self._real_up_to = self._real_up_to, numbers
        try:
            yield
        finally:
            self._real_up_to = before

    @override
    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is _DEVICE:  # half of all that is asked
            return args[0].fake_device
        kwargs = kwargs or {}
        told = [x for x in tree_iter((args, kwargs)) if isinstance(x, torch.Tensor)]
        fake = any(isinstance(x, FakeTensor) for x in told) or _comes_from_meta(told, kwargs)
        if func is _SCALAR and fake:
            kind = args[0].dtype
            return False if kind == torch.bool else 1.0 if kind.is_floating_point else 1
        if told and not fake:
            with _disable_current_modes():
                return func(*args, **kwargs)
        if not told and self._real_up_to:
            with _disable_current_modes():
                made = func(*args, **kwargs)
            if not isinstance(made, torch.Tensor) or made.numel() <= self._real_up_to:
                return made
        made = func(*args, **kwargs)
        for tensor in tree_iter(made):
            if isinstance(tensor, FakeTensor) and tensor.device.type != "meta":
                self.add(tensor)
        if func in self._copying:
            copied = sum(x.untyped_storage().nbytes() for x in told[:2])
            self.peak = max(self.peak, self.now + copied)
        return made


def _comes_from_meta(told: list[Tensor], kwargs: dict[str, Any]) -> bool:
    """Whether weights without numbers go to where they are computed with."""
    to = kwargs.get("device")
    return to is not None and to.type != "meta" and any(x.is_meta for x in told)


def _held_by(module: nn.Module) -> Iterator[Tensor]:
    """A module's own tensors, also what bitsandbytes keeps beside a weight."""
    for tensor in [*module._parameters.values(), *module._buffers.values()]:
        if tensor is not None:
            yield tensor
            beside = getattr(tensor, "quant_state", None)
            yield from _of_state(beside) if beside is not None else ()
            scales = getattr(tensor, "SCB", None)
            if isinstance(scales, torch.Tensor):
                yield scales


def _of_state(state: Any) -> Iterator[Tensor]:  # noqa: ANN401 - bitsandbytes'
    for tensor in (state.absmax, state.code, state.offset):
        if isinstance(tensor, torch.Tensor):
            yield tensor
    if state.state2 is not None:
        yield from _of_state(state.state2)


class AsOnAGpu(TorchFunctionMode):
    """Autocast's other half, which a GPU has and a CPU has not."""

    @override
    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.backward:  # blocks that are computed anew are computed alike
            loss, engine = args[0], torch.autograd.Variable._execution_engine
            with self:
                return engine.run_backward(
                    (loss,),
                    (torch.ones_like(loss),),
                    False,  # noqa: FBT003 - as torch's own code calls it
                    False,  # noqa: FBT003
                    (),
                    allow_unreachable=True,
                    accumulate_grad=True,
                )
        if getattr(func, "__name__", "") in _WHOLE_ON_A_GPU and torch.is_autocast_enabled("cpu"):
            args = tuple(map(_whole, args))
            kwargs = {name: _whole(value) for name, value in (kwargs or {}).items()}
        return func(*args, **(kwargs or {}))


def _whole(value: Any) -> Any:  # noqa: ANN401 - anything that a function of torch is told
    half = isinstance(value, torch.Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if half else value


def _is_there(ours: Tensor, made: Tensor) -> None:
    """In place of `swap_tensors`, which refuses fake tensors: nothing moves, all is there."""
    if ours.dtype != made.dtype or ours.shape != made.shape:
        raise TypeError(f"a fake tensor cannot become {made.dtype}")


@contextlib.contextmanager
def counting(counter: Counter, fake: FakeTensorMode, *, on_a_gpu: bool) -> Iterator[None]:
    """Within, nets without weights compute shapes alone, and `counter` counts."""
    swap = torch.utils.swap_tensors
    torch.utils.swap_tensors = _is_there
    try:
        with AsOnAGpu() if on_a_gpu else contextlib.nullcontext(), fake, counter:
            yield
    finally:
        torch.utils.swap_tensors = swap
