"""The parts of a loaded base, each read when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from torch import nn


class Parts(Mapping[str, Any]):
    """Nets, tokenizers and a scheduler by the names of a base's folders.

    What is loaded stays until it is given back; asked for again, it is read again.
    """

    def __init__(
        self, load: Mapping[str, Callable[[], Any]], loaded: dict[str, Any] | None = None
    ) -> None:
        self._load = load
        self._loaded = {} if loaded is None else loaded
        self._sizes: dict[str, int] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - untyped classes
        load = self._load[name]
        if name not in self._loaded:
            self._loaded[name] = load()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load)

    def __len__(self) -> int:
        return len(self._load)

    def only(self, names: Collection[str]) -> Parts:
        """The same parts without the others; what one of the two loads the other has, too."""
        return Parts({name: self._load[name] for name in names}, self._loaded)

    def give_back(self, names: Iterable[str]) -> None:
        """Let go of parts that are not needed for now."""
        for name in names:
            if (part := self._loaded.pop(name, None)) is not None and isinstance(part, nn.Module):
                self._sizes[name] = sum(p.nbytes for p in part.parameters())

    def to_come(self, names: Iterable[str]) -> int:
        """How many bytes more these take when they are asked for, as far as it is known."""
        return sum(self._sizes.get(name, 0) for name in names if name not in self._loaded)
