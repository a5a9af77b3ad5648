"""Ports: what the rooms below need from the outside, as small protocols.

The composition root hands in the implementations; tests hand in others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Where the time comes from. Tests pass one that they move by hand."""

    def now(self) -> datetime:
        """The present, in UTC, with zone."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps, for waits and durations."""
        ...


class Store(Protocol):
    """The durable memory. `work` gets a SQLAlchemy connection, runs to the end in one transaction, and must not wait
    for anything else: no network, no locks of its own. When `write` returns, what `work` wrote survives a kill.

    A `work` that raises is rolled back alone; the error reaches the caller.
    """

    async def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a transaction of its own; several may share one commit to disk."""
        ...

    async def read(self, work: Callable[[Any], T]) -> T:
        """Run `work` on a snapshot; it must not write."""
        ...

    async def close(self) -> None:
        """Finish what was accepted and release the file or the connections."""
        ...
