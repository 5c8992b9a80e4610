"""How a long step tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Announces steps; the function that a step yields is told how much more is done."""

    def step(self, name: str, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a step of ``total`` units (None: unknown), to be used as a context manager."""


class Silent:
    """Nobody listens."""

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A step that says nothing."""
        del name, total
        yield lambda _: None
