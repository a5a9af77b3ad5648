"""Ends: the outcomes of attempts on their way into the ledger, those that come together in one work.

Nobody waits for company: an end that comes alone is written alone, and the next ones gather meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from flyball.ledger.finishing import End, finish_all
from flyball.ledger.noticing import Route
from flyball.model.effect import EffectState
from flyball.model.ports import Clock, Store
from flyball.workers.attempt import together_or_apart

MOST = 256  # ends in one work


@dataclass(slots=True, eq=False)
class _Waiting:
    """One end that is to be written.

    Attributes:
        end: itself.
        turn: of its caller, True: to write what has gathered; False: it is written, `result` says how.
        result: what came of it.
    """

    end: End
    turn: asyncio.Future[bool]
    result: EffectState | Exception | None = None


class Ends:
    """Writes ends.

    Args:
        store: the ledger.
        clock: the time.
        route: gives what says which looks follow from our own changes.
    """

    def __init__(self, store: Store, clock: Clock, route: Callable[[], Route]) -> None:
        self._store = store
        self._clock = clock
        self._route = route
        self._waiting: list[_Waiting] = []
        self._somebody_writes = False

    async def write(self, end: End) -> EffectState:
        """Write one end; durable when it returns.

        Raises:
            FlyballError: the ledger cannot be written now.
            Exception: this end cannot be written (a kind forgot something in its report).
        """
        mine = _Waiting(end, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if not self._somebody_writes:
            self._pass_on()
        try:
            await mine.turn
            while mine.result is None:
                some, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._write(some)
        finally:
            if not mine.turn.cancelled() and mine.turn.result():
                self._pass_on()
        if isinstance(mine.result, Exception):
            raise mine.result
        return mine.result

    def _pass_on(self) -> None:
        """The first of those who still wait writes now, if there is one."""
        following = next((one for one in self._waiting if not one.turn.done()), None)
        self._somebody_writes = following is not None
        if following is not None:
            following.turn.set_result(True)

    async def _write(self, some: list[_Waiting]) -> None:
        async def write(ends: Sequence[End]) -> Sequence[EffectState]:
            work = partial(finish_all, ends=ends, now=self._clock.now(), route=self._route())
            return await self._store.write(work)

        try:
            results = await together_or_apart(write, [one.end for one in some])
        except asyncio.CancelledError:
            self._waiting[:0] = some  # the next one writes them; what is written already stays as it is
            raise
        for one, result in zip(some, results, strict=True):
            one.result = result
            if not one.turn.done():
                one.turn.set_result(False)
