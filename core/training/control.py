"""What a run is asked while it goes on; set from another thread, read between steps."""

from __future__ import annotations

from threading import Event


class Control:
    """Two wishes: `stop` stays, `preview` is granted once."""

    def __init__(self) -> None:
        self.stop = Event()
        self.preview = Event()

    @staticmethod
    def taken(wish: Event) -> bool:
        """Whether `wish` was made; clears it."""
        made = wish.is_set()
        wish.clear()
        return made
