"""Several processes take each step together: this one trains, the others compute a share.

They hold no optimizer and no state: with each step they are sent the adapter as it is, and send
back the gradient of their share of the step's draw. So a run is the same run, to the last digits,
whatever the number of processes, and can go on with another; and whatever the one that trains
does to the adapter (going back after it diverged, a cap on norms, an average) needs no word here.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from core.errors import ConfigError, ProcessLostError, RunError
from core.protocol.commands import ShareJob
from core.protocol.events import Progress, Warned
from core.training import link as links
from core.training.children import children
from core.training.orders import (
    OPEN,
    READY,
    STOP,
    Done,
    Order,
    Ready,
    Said,
    Then,
    done_of,
    gradients,
    here_of,
    order_of,
    put_gradients,
    then_of,
    values,
)
from core.training.step import accumulated

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from torch import Tensor

    from core.config.options import RunConfig
    from core.data.batches import Draw
    from core.project.layout import Project
    from core.protocol.events import Event
    from core.training.children import Child
    from core.training.control import Control
    from core.training.link import Link
    from core.training.setup import Prepared
    from core.training.step import Accumulate

SILENT_SECONDS = 60.0  # after which a process that gives no sign of life is taken for lost


@dataclass(frozen=True, slots=True)
class Places:
    """How many processes there are, and where."""

    here: int  # on each machine
    machines: tuple[str, ...] = ()  # names or addresses, the first is where the run is trained
    machine: int = 0  # which of them this is
    port: int = 0  # where that one listens; on one machine any will do

    @property
    def of(self) -> int:
        """All of them."""
        return self.here * max(1, len(self.machines))

    def jobs(self, project: Project, port: int) -> list[ShareJob]:
        """What this machine's processes do, but for the one that trains."""
        return [
            ShareJob(
                project=str(project.root.absolute()),
                number=self.machine * self.here + device,
                of=self.of,
                device=device,
                here=self.here,
                host=self.machines[0] if self.machines else links.LOOPBACK,
                port=port,
            )
            for device in range(self.here)
            if self.machine or device
        ]


@dataclass(slots=True)
class Team:
    """The others, as the process that trains sees them."""

    places: Places
    control: Control
    _link: Link
    _children: Sequence[Child]
    _orders: int = 0  # given so far
    _signs: dict[int, tuple[int, float]] = field(default_factory=dict)  # of life, and when

    @property
    def of(self) -> int:
        """How many processes, this one included."""
        return self.places.of

    def check(self, config: RunConfig) -> None:
        """Whether there is work for all.

        Raises:
            ConfigError: The batch has fewer pictures than there are processes.
        """
        size = config.training.batch_size
        if size < self.of:
            raise ConfigError(
                f"A step of {size} {'picture' if size == 1 else 'pictures'} cannot be shared by "
                f"{self.of} processes (training.batch_size).",
                hint=f"Set training.batch_size to a multiple of {self.of}, or start fewer.",
            )

    def tell(self, prepared: Prepared) -> Generator[Event, None, None]:
        """Let the others read and encode what this process has."""
        if prepared.batch_size % self.of:
            yield Warned(
                message=f"Steps of {prepared.batch_size} pictures are shared unevenly by "
                f"{self.of} processes, some of which wait for the others."
            )
        ready = Ready(
            config=prepared.config,
            dataset=prepared.dataset_key,
            base=dict(prepared.model.keys),
            compute=str(prepared.model.place.compute),
        )
        self._link.say(READY, ready)

    def joined(self, prepared: Prepared) -> Generator[Event, None, None]:
        """Wait for the others to be as far, or until asked to stop.

        Raises:
            ProcessLostError: One of them is gone, or found other files.
        """
        for number in range(1, self.of):
            yield Progress(phase="Waiting for the other processes", done=number - 1, total=self.of)
            if not self._wait([here_of(0, number)], self.control.stop.is_set):
                return
        self._link.say(OPEN, Said())
        with self._naming_the_lost():
            self._link.open_for(prepared.model.device)

    def takes(self, prepared: Prepared, step: int) -> Accumulate:
        """How the gradient of a step is computed: each a share, the sum is here."""

        def shared(
            losses_of: Callable[[Draw], Tensor],
            draw: Draw,
            scaled: Callable[[Tensor], Tensor],
            *,
            at_once: int,
        ) -> float:
            parameters = list(prepared.trainable.parameters.values())
            order = Order(
                step=step,
                at_once=at_once,
                anew=prepared.denoiser.is_gradient_checkpointing,
                scale=prepared.trainable.scaler.get_scale(),
            )
            number = self._order(order)
            sums = False
            try:
                self._answers(number, here_of)
                if number > 1:  # all have done with it
                    self._forget(number - 1)
                with self._naming_the_lost():
                    self._link.from_first(values(parameters))
                own = accumulated(losses_of, draw.share(0, self.of), scaled, at_once=at_once)
                self._answers(number, done_of)
                done = [self._link.heard(done_of(number, n), Done) for n in range(1, self.of)]
                for n, one in enumerate(done, start=2):
                    if one.full:
                        raise MemoryError(f"out of memory in process {n} of {self.of}")
                sums = True
            finally:  # whatever became of it, the others go on
                self._link.say(then_of(number), Then(sums=sums))
            with self._naming_the_lost():
                put_gradients(parameters, self._link.summed(gradients(parameters)))
            return own + sum(math.nan if one.total is None else one.total for one in done)

        return shared

    def close(self) -> None:
        """Let the others end."""
        with contextlib.suppress(links.BrokenLinkError):  # this is the end for us, too
            self._order(Order(step=0))
        self._link.close()

    def _order(self, order: Order) -> int:
        self._orders += 1
        self._link.say(order_of(self._orders), order)
        return self._orders

    def _answers(self, number: int, of: Callable[[int, int], str]) -> None:
        self._wait([of(number, n) for n in range(1, self.of)])

    def _forget(self, number: int) -> None:
        others = range(1, self.of)
        names = [of(number, n) for of in (here_of, done_of) for n in others]
        self._link.forget([*names, order_of(number), then_of(number)])

    def _wait(self, names: Sequence[str], enough: Callable[[], bool] = lambda: False) -> bool:
        """Until they are there, or it is enough; another machine may ask for a stop."""

        def look() -> bool:
            self._check_all_live()
            self._hear_stop()
            return enough()

        there = self._link.wait(names, look)
        self._hear_stop()
        return there

    def _hear_stop(self) -> None:
        if self.places.machines and self._link.there(STOP):
            self.control.stop.set()

    def _check_all_live(self) -> None:
        """Whether nobody is gone, or silent for long.

        Raises:
            ProcessLostError: One is.
        """
        for child in self._children:
            if why := child.why_it_ended():
                raise self._lost(child.job.number, *why)
        now = time.monotonic()
        for number in range(1, self.of):
            name = links.beat_of(number)
            if not self._link.there(name):
                continue  # it has not come yet: a machine may be started later
            count = int(self._link.store.get(name))
            before, since = self._signs.get(number, (-1, now))
            if count != before:
                self._signs[number] = (count, now)
            elif now - since > SILENT_SECONDS:
                what = f"It has given no sign of life for {SILENT_SECONDS:.0f} s."
                raise self._lost(number, what, "See whether its machine runs and is reached.")

    @contextlib.contextmanager
    def _naming_the_lost(self) -> Iterator[None]:
        """Say who broke a transfer off: a process that ends closes its connections first."""
        try:
            yield
        except links.BrokenLinkError as error:
            until = time.monotonic() + 5
            while time.monotonic() < until:
                self._check_all_live()
                time.sleep(0.1)
            raise ProcessLostError(
                f"The processes lost each other: {error}",
                hint="Resume the run; see that the machines reach each other.",
            ) from error

    def _lost(self, number: int, what: str, hint: str) -> ProcessLostError:
        where = ""
        if self.places.machines:
            where = f" on {self.places.machines[number // self.places.here]}"
        return ProcessLostError(
            f"Process {number + 1} of {self.of}{where} is lost. {what}",
            hint=f"{hint} The run can be resumed, with any number of processes.",
        )


@contextlib.contextmanager
def team(project: Project, places: Places, control: Control) -> Iterator[Team]:
    """Within, the other processes run: this machine's are started, other machines' may come.

    Raises:
        RunError: This machine has fewer GPUs.
        StorageError: The port is taken.
    """
    check_devices(places.here)
    try:
        store, port = links.listening(
            places.of, places.port if places.machines else 0, here=not places.machines
        )
    except OSError as error:
        raise RunError(
            f"The other processes cannot be heard at port {places.port}: {error}.",
            hint="Choose another with --port.",
        ) from error
    with children(places.jobs(project, port)) as there, threads_shared(places.here):
        made = Team(places, control, links.Link(store, 0, places.of), there)
        try:
            yield made
        finally:
            made.close()


def check_devices(here: int) -> None:
    """Whether each process of this machine has a device of its own; a CPU is shared.

    Raises:
        RunError: There are too few.
    """
    if torch.cuda.is_available():
        there = torch.cuda.device_count()
    elif torch.backends.mps.is_available():
        there = 1
    else:
        return
    if here > there:
        gpus = "1 GPU" if there == 1 else f"{there} GPUs"
        raise RunError(
            f"This machine has {gpus}, and each of {here} processes needs its own.",
            hint=f"Start {there} at the most." if there > 1 else "Train without --processes.",
        )


@contextlib.contextmanager
def threads_shared(here: int) -> Iterator[None]:
    """Within, this process takes its share of the CPU's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // here))
    try:
        yield
    finally:
        torch.set_num_threads(before)
