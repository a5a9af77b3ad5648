"""Ends: the outcomes of attempts on their way into the ledger, those that come together in one work.

Nobody waits for company: an end that comes alone is written alone, and the next ones gather meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from flyball.concurrency import Together
from flyball.ledger.finishing import End, finish_all
from flyball.ledger.noticing import Route
from flyball.model.effect import EffectState
from flyball.model.ports import Clock, Store
from flyball.workers.attempt import together_or_apart

MOST = 256  # ends in one work


class Ends:
    """Writes ends.

    Args:
        store: the ledger.
        clock: the time.
        route: gives what says which looks follow from our own changes.
        owed: called when looks have followed.
    """

    def __init__(
        self, store: Store, clock: Clock, route: Callable[[], Route], owed: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._clock = clock
        self._route = route
        self._owed = owed
        self._together: Together[End, EffectState] = Together(self._write_all, most=MOST)

    async def write(self, end: End) -> EffectState:
        """Write one end; durable when it returns.

        Raises:
            FlyballError: the ledger cannot be written now.
            Exception: this end cannot be written (a kind forgot something in its report).
        """
        return await self._together.do(end)

    async def _write_all(self, ends: Sequence[End]) -> Sequence[EffectState | Exception]:
        return await together_or_apart(self._write, ends)

    async def _write(self, ends: Sequence[End]) -> Sequence[EffectState]:
        work = partial(finish_all, ends=ends, now=self._clock.now(), route=self._route())
        finished = await self._store.write(work)
        if finished.looks:
            self._owed()
        return finished.states
