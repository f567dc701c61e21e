"""What several processes say to each other: small messages by name, and tensors all at once.

Messages go through a store in the process that trains, which is also how the others find it; they
are JSON of known shapes, never a pickle. Tensors go through gloo, or NCCL where there are GPUs, and
only once every process has said that it is there: a process that is gone is found out by waiting
for its message, which can be named and bounded, not by a transfer that hangs.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import msgspec
import torch
import torch.distributed as dist

from core.errors import ProcessLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor


class BrokenLinkError(Exception):
    """The other side is gone, or a transfer failed."""


Message = TypeVar("Message", bound=msgspec.Struct)
LOOPBACK = "127.0.0.1"
BEAT_SECONDS = 5.0  # between two signs of life
TRANSFER = timedelta(minutes=5)  # all are ready by then: only a network that fails takes longer
KNOCK_SECONDS = 2.0
_LONGEST_SLEEP = 0.005


@dataclass(slots=True)
class Link:
    """One process's end."""

    store: dist.Store
    number: int  # of this process, 0 is the one that trains
    of: int
    open: bool = False  # for tensors

    def say(self, name: str, message: msgspec.Struct) -> None:
        """Leave a message for the others."""
        with _naming_breaks():
            self.store.set(name, msgspec.json.encode(message).decode())

    def heard(self, name: str, kind: type[Message]) -> Message:
        """A message that is there.

        Raises:
            ProcessLostError: It is none that we know: another version of the program sent it.
        """
        try:
            with _naming_breaks():
                content = self.store.get(name)
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise ProcessLostError(
                f"The processes do not understand each other: {error}",
                hint="Install the same version of Stylewright on all machines.",
            ) from error

    def there(self, *names: str) -> bool:
        """Whether all these messages are."""
        with _naming_breaks():
            return self.store.check(list(names))

    def wait(self, names: Sequence[str], look: Callable[[], bool] = lambda: False) -> bool:
        """Until all these messages are there; False if `look`, asked meanwhile, had enough.

        Not the store's own waiting: that warns whenever it looks up, and holds up who else talks.
        """
        sleep, looked = 0.0, time.monotonic()
        while not self.there(*names):
            if time.monotonic() - looked > 0.5:  # noqa: PLR2004 - seconds
                if look():
                    return False
                looked = time.monotonic()
            time.sleep(sleep)
            sleep = min(_LONGEST_SLEEP, sleep + 0.0001)
        return True

    def forget(self, names: Sequence[str]) -> None:
        """Messages that all have read."""
        with _naming_breaks():
            for name in names:
                self.store.delete_key(name)

    def open_for(self, device: torch.device) -> None:
        """Make ready for tensors; all must."""
        backend = "nccl" if device.type == "cuda" else "gloo"
        with _naming_breaks():
            dist.init_process_group(
                backend, store=self.store, rank=self.number, world_size=self.of, timeout=TRANSFER
            )
        self.open = True

    def from_first(self, tensor: Tensor) -> Tensor:
        """What the process that trains has."""
        with _naming_breaks():
            dist.broadcast(tensor, src=0)
        return tensor

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum over all, in the process that trains."""
        with _naming_breaks():
            dist.reduce(tensor, dst=0)
        return tensor

    def close(self) -> None:
        if self.open:
            dist.destroy_process_group()
            self.open = False


@contextlib.contextmanager
def _naming_breaks() -> Iterator[None]:
    """Torch has a type of its own for the store's failures alone, not for gloo's."""
    try:
        yield
    except RuntimeError as error:
        raise BrokenLinkError(str(error).partition("\n")[0]) from error


def listening(of: int, port: int, *, here: bool) -> tuple[dist.TCPStore, int]:
    """The store of the process that trains, and its port; heard on this machine alone, if `here`.

    Raises:
        OSError: The port is taken.
    """
    fd = None
    if here:
        _use_loopback()
        if os.name == "posix":  # else torch listens to all the network
            door = socket.create_server((LOOPBACK, port))
            port, fd = door.getsockname()[1], door.detach()
    try:
        store = dist.TCPStore(
            LOOPBACK,
            port,
            of,
            is_master=True,
            wait_for_workers=False,
            master_listen_fd=fd,
            use_libuv=os.name == "posix",
        )
    except dist.DistNetworkError as error:
        raise OSError(str(error).partition("\n")[0]) from error
    return store, store.port


def calling(host: str, port: int, enough: Callable[[], bool]) -> dist.TCPStore | None:
    """That store, from another process; None if `enough`, asked meanwhile, says so.

    It is called again until it answers: a machine may be started before the one that trains.
    """
    if host == LOOPBACK:
        _use_loopback()
    while not enough():
        try:
            socket.create_connection((host, port), KNOCK_SECONDS).close()
        except OSError:  # torch's own tries fill the screen
            time.sleep(KNOCK_SECONDS / 2)
            continue
        with contextlib.suppress(dist.DistError):
            return dist.TCPStore(
                host,
                port,
                is_master=False,
                wait_for_workers=False,
                use_libuv=os.name == "posix",
            )
    return None


def _use_loopback() -> None:
    """Gloo's transfers, too, stay on this machine."""
    names = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if names:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", names[0])


@contextlib.contextmanager
def beating(store: dist.Store, number: int, on_silence: Callable[[], None]) -> Iterator[None]:
    """Within, give signs of life, also while a step takes long; told when nobody takes them."""
    over = threading.Event()

    def beat() -> None:
        try:
            store.add(beat_of(number), 1)
            while not over.wait(BEAT_SECONDS):
                store.add(beat_of(number), 1)
        except RuntimeError:  # the process that trains is gone
            on_silence()

    thread = threading.Thread(target=beat, name="signs of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def beat_of(number: int) -> str:
    """The name of a process's signs of life."""
    return f"alive/{number}"
