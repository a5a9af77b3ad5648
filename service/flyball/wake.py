"""A bell: wakes one waiting loop, early or when its time has come. And what a loop that stops listening still owes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


class Bell:
    """Rung by whoever has work for the loop; the loop waits for it, at most so many seconds."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """There is something to do."""
        self._event.set()

    @property
    def rung(self) -> bool:
        """It was rung since the last time that somebody waited, or heard it."""
        return self._event.is_set()

    def hear(self) -> None:
        """Whatever it was rung for is about to be done."""
        self._event.clear()

    async def wait(self, seconds: float) -> None:
        """Until rung, or so many seconds."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


async def stop_accepting(servers: Iterable[Any]) -> None:
    """Let servers take no more connections, and wait until they know of those that they have taken.

    asyncio tells a server of a connection two turns of the loop after it was accepted. If the server is closed in
    between, the connection stays open and is nobody's (Python 3.11): its client waits for an answer that never comes.

    Args:
        servers: as `asyncio` makes them; they are to be closed afterwards.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
    for _ in range(3):
        await asyncio.sleep(0)
