"""A bell: wakes one waiting loop, early or when its time has come."""

from __future__ import annotations

import asyncio


class Bell:
    """Rung by whoever has work for the loop; the loop waits for it, at most so many seconds."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """There is something to do."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until rung, or so many seconds."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()
