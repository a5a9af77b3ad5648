"""Hooks: deliveries are received, and what they ask for is looked at: on each site, and here where no site is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from flyball.events.dispatch import Dispatcher
from flyball.hooks.here import HERE, Here
from flyball.hooks.lane import Lane
from flyball.hooks.onsite import OnSite
from flyball.hooks.open import Open
from flyball.hooks.receiving import Reception
from flyball.ledger.intents import Intent, close_intents
from flyball.model.ports import Clock, Store
from flyball.triggers.watch import Watch

Json = Mapping[str, Any]


async def _nobody() -> None:
    """There is no other process."""


class Hooks:
    """The incoming webhooks, and the looks that they ask for.

    Args:
        secrets: hook → its secret.
        store: the ledger.
        clock: the time.
        watches: site → its watch.
        dispatcher: knows the rules.
        changed: called when something may have to be decided.
    """

    def __init__(
        self,
        secrets: Mapping[str, str],
        store: Store,
        clock: Clock,
        *,
        watches: Mapping[str, Watch],
        dispatcher: Dispatcher,
        changed: Callable[[], None],
    ) -> None:
        self._reception = Reception(secrets, store, clock)
        self._store = store
        self._clock = clock
        self._open = Open({HERE, *watches})
        here = Here(store, clock, dispatcher, changed=changed, ended=self._ended)
        self._lanes = [Lane(HERE, store, clock, concerns=here.concerns, look=here.look, ended=self._ended)]
        for name, watch in watches.items():
            site = OnSite(name, watch, store, clock, dispatcher, open_=self._open, ended=self._ended)
            self._lanes.append(Lane(name, store, clock, concerns=here.leaves_some, look=site.look, ended=self._ended))
        self.accepted: Callable[[], Awaitable[None]] = _nobody
        """Called when a delivery was stored: who carries it out may be another process."""

    def ring(self) -> None:
        """A delivery was stored, by this process or by another."""
        for lane in self._lanes:
            lane.ring()

    def knows(self, name: str) -> bool:
        """Whether a hook of this name is configured."""
        return self._reception.knows(name)

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """Check and store one delivery (see `Reception.receive`), and have it carried out."""
        status, said = await self._reception.receive(name, headers, body)
        if status == 202:
            self.ring()
            await self.accepted()
        return status, said

    async def run(self) -> None:
        """Carry out what deliveries ask for, until cancelled."""
        await self._all(Lane.run)

    async def step(self) -> int:
        """Look at all that is asked for; the number of deliveries that could not be looked at everywhere yet."""
        await self._all(Lane.step)
        return len(self._open)

    async def _all(self, work: Callable[[Lane], Coroutine[Any, Any, Any]]) -> None:
        self._open.clear()
        for lane in self._lanes:
            lane.start_over()
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self._lanes:
                    tasks.create_task(work(lane), name=f"hooks {lane.name}")
        except BaseExceptionGroup as group:
            raise _first_of(group) from None

    async def _ended(self, lane: str, intents: Sequence[Intent], answer: Json | None) -> None:
        """A lane has looked at what some deliveries name; those that no other lane has to look at are done with."""
        done = {intent.id: final for intent in intents if (final := self._open.note(intent, lane, answer)) is not None}
        if done:
            await self._store.write(partial(close_intents, answers=done, now=self._clock.now()))


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
