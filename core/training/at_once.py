"""How many are computed at a time: fewer where the memory is full, so that a run goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from core.errors import full_memory
from core.families.device import let_go
from core.protocol.events import Event, Warned

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")


class AtOnce:
    """A number that is found out: all, then half as many each time that the memory is full."""

    def __init__(self) -> None:
        self.most = sys.maxsize

    def fitting(
        self, count: int, work: Callable[[int], T], words: str
    ) -> Generator[Event, None, T]:
        """What `work` makes of `count` things, as many at a time as fit.

        Args:
            count: How many there are.
            work: Told how many at a time; begun again with half as many.
            words: What is said then, with `{}` for the number.

        Raises:
            RuntimeError, MemoryError, MemoryFullError: Not even one at a time fits.
        """
        while True:
            try:
                return work(min(self.most, count))
            except Exception as error:
                if min(self.most, count) == 1 or not full_memory(error):
                    raise
            # outside of `except`: its traceback would hold on to the memory that is missing
            let_go()
            self.most = (min(self.most, count) + 1) // 2
            yield Warned(message=words.format(self.most))
