"""A single run (`run --until-idle`): the sites are read side by side, what is due is done, and then it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from flyball.supervisor import Supervisor
from flyball.triggers.watching import Watching

PATIENCE = 10.0  # seconds that the sites get to be read, before the work of the first ones begins
BREATH = 0.1  # seconds between looks at what is due


@dataclass(frozen=True, slots=True)
class SingleRun:
    """One run from its beginning to its end.

    Attributes:
        supervisor: knows of a stop.
        begin: once the sites were read: schedules that are due, deliveries that wait.
        more: again while a site is still being read: schedules of those that could be read only now.
        work: decides or begins what is due; whether there was any.
        busy: whether something is under way, or due so soon that it is waited for.
        rest: sleeps so many seconds, or until something rings.
    """

    supervisor: Supervisor
    begin: Callable[[], Awaitable[None]]
    more: Callable[[], Awaitable[None]]
    work: Callable[[asyncio.TaskGroup], Awaitable[bool]]
    busy: Callable[[], Awaitable[bool]]
    rest: Callable[[float], Awaitable[object]]

    async def go(self, watches: Mapping[str, Watching], *, asks: bool) -> bool:
        """Do all that is due now, and what follows from it; whether every site could be read.

        A stop meanwhile lets attempts under way finish for as long as the daemon would, then cuts them off.

        Args:
            watches: over the sites.
            asks: ask the sites, unless another replica does.
        """
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self._until_idle(watches if asks else {}, asks=asks), name="until idle")
            ending = tasks.create_task(self.supervisor.cut_off(running), name="stop")
            await asyncio.wait([running])
            ending.cancel()
        return not running.cancelled() and running.result()

    async def _until_idle(self, watches: Mapping[str, Watching], *, asks: bool) -> bool:
        """A site that does not answer holds up no other's work."""
        async with asyncio.TaskGroup() as tasks:
            looks = [tasks.create_task(_read(watch), name=f"look {name}") for name, watch in watches.items()]
            await self._first(looks)
            if asks:
                await self.begin()
            while not self.supervisor.stopping.is_set():
                if await self.work(tasks):
                    continue
                if await self.busy():
                    await self.rest(BREATH)
                elif any(not look.done() for look in looks):
                    await self.rest(BREATH)
                    await self.more()
                else:
                    break
            for look in looks:
                look.cancel()
        return all(not look.cancelled() and look.result() for look in looks)

    async def _first(self, looks: list[asyncio.Task[bool]]) -> None:
        """Wait until all sites are read, or one takes much longer than the others, or a stop."""
        left = PATIENCE
        waiting = set(looks)
        while waiting and left > 0 and not self.supervisor.stopping.is_set():
            _, waiting = await asyncio.wait(waiting, timeout=BREATH)
            left -= BREATH


async def _read(watch: Watching) -> bool:
    fine = await watch.once()
    await watch.sweep_if_due()
    return fine
