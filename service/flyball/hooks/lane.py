"""A lane: the open deliveries, one after the other, looked at in one place; lanes wait for nobody.

The ledger is the queue. A lane keeps how far it has read, what is under way, and what has to be tried again: a site
that is ill fills its own lane only. Each target goes by itself, so that one which cannot be read holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final

import structlog

from flyball.hooks.open import Ended
from flyball.ledger.intents import Intent, open_among, open_intents
from flyball.model.errors import Permanent, Refused, SiteError
from flyball.model.ports import Clock, Store
from flyball.wake import Bell

log = structlog.get_logger()
Key = tuple[str | None, str]
MANY = 500  # deliveries that are read from the ledger at a time
UNDER_WAY: Final = 1000  # targets; how many of them a site is asked at once is for its pace to say
AGAIN: Final = 5.0  # seconds until a look that the site did not allow is tried again


class Lane:
    """One place where deliveries are looked at.

    Args:
        name: the site, or whatever tells it from the other lanes.
        store: the ledger.
        clock: the time.
        concerns: whether a delivery is for this lane at all.
        look: carries out the looks that deliveries of one target ask for, and says so. It may raise SiteError.
        ended: told of deliveries that cannot be looked at here, and of those that are not for this lane.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        clock: Clock,
        *,
        concerns: Callable[[Intent], bool],
        look: Callable[[Sequence[Intent]], Awaitable[None]],
        ended: Ended,
    ) -> None:
        self.name = name
        self._store = store
        self._clock = clock
        self._concerns = concerns
        self._look = look
        self._ended = ended
        self._bell = Bell()
        self._after = 0  # the delivery up to which the ledger was read
        self._under_way: dict[Key, list[Intent]] = {}  # target → deliveries whose look has not begun
        self._waiting: dict[int, None] = {}  # in the order in which they were tried
        self._again = 0.0

    def ring(self) -> None:
        """A delivery was stored."""
        self._bell.ring()

    def start_over(self) -> None:
        """Nothing was read yet: every open delivery is looked at."""
        self._after, self._again = 0, 0.0
        self._under_way.clear()
        self._waiting.clear()

    async def run(self) -> None:
        """Carry out what deliveries ask for, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._begin(tasks)
                await self._bell.wait(AGAIN if self._waiting else 60.0)

    async def step(self) -> int:
        """Carry out all that is asked for; the number of deliveries that could not be yet."""
        more = True
        while more:
            async with asyncio.TaskGroup() as tasks:
                more = await self._begin(tasks)
        return len(self._waiting)

    async def _begin(self, tasks: asyncio.TaskGroup) -> bool:
        """Begin what has not begun, as far as there is room; whether there may be more."""
        room = UNDER_WAY - len(self._under_way)
        if self._waiting and room >= UNDER_WAY // 2 and self._clock.monotonic() >= self._again:
            idents = list(islice(self._waiting, room))
            for ident in idents:
                del self._waiting[ident]
            await self._take(await self._store.read(partial(open_among, idents=idents)), tasks)
        while len(self._under_way) < UNDER_WAY:
            some = await self._store.read(partial(open_intents, after=self._after, limit=MANY))
            if some:
                self._after = some[-1].id
                await self._take(some, tasks)
            if len(some) < MANY:  # whoever stored more meanwhile has rung
                return False
        return True

    async def _take(self, some: Sequence[Intent], tasks: asyncio.TaskGroup) -> None:
        passed: list[Intent] = []
        for intent in some:
            if not self._concerns(intent):
                passed.append(intent)
                continue
            target, hook = intent.params["target"], intent.params["hook"]
            key = (target, hook if target is None else "")
            before = self._under_way.get(key)
            if before is not None:  # what is under way may have been read already: there is another look after it
                before.append(intent)
                continue
            self._under_way[key] = [intent]
            tasks.create_task(self._carry_out(key), name=f"hook {hook}")
        if passed:
            await self._ended(self.name, passed, None)

    async def _carry_out(self, key: Key) -> None:
        """Look at one target, and again as long as deliveries that name it came meanwhile."""
        while some := self._under_way[key]:
            self._under_way[key] = []
            try:
                await self._look(some)
            except SiteError as error:
                if _is_final(error):
                    await self._ended(self.name, some, {"error": str(error)})
                else:
                    self._wait(some, error)
        if len(self._under_way) in (UNDER_WAY, UNDER_WAY // 2):  # there is room again
            self._bell.ring()
        del self._under_way[key]

    def _wait(self, some: Sequence[Intent], error: SiteError) -> None:
        """They are tried again, those that were tried longest ago first. One line of log stands for all of a time."""
        self._waiting |= dict.fromkeys(intent.id for intent in some)
        now = self._clock.monotonic()
        if now >= self._again:
            self._again = now + AGAIN
            hook, waiting = some[-1].params["hook"], len(self._waiting)
            log.warning("hook.waits", hook=hook, site=self.name, waiting=waiting, error=str(error))
            self._bell.ring()  # the time to wake is another one now


def _is_final(error: SiteError) -> bool:
    """Whether asking again will not help: there is no such thing, or it is not for this key."""
    return isinstance(error, Permanent) or (isinstance(error, Refused) and error.status == 403)
