"""The supervisor: one task group for everything that runs, signals, a staged stop.

Stages of a stop: the gate closes (nothing new is taken, hooks answer 503), attempts under way get `GRACE` seconds to
finish, what is left is cancelled (its outcome is still written), then the rooms are closed in reverse order by the
root.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from flyball.model.errors import FlyballError

log = structlog.get_logger()
GRACE = 6.0  # seconds; with what cancelling and closing take, a stop stays below 10 s
RESTART_PAUSE = 5.0  # seconds before a service that failed by a fault of ours is started again
HEALED = 30.0  # seconds that it must then run before it is no longer shown as broken


class Supervisor:
    """Runs named tasks until it is told to stop."""

    def __init__(self, *, grace: float = GRACE) -> None:
        self._grace = grace
        self.stopping = asyncio.Event()
        self.broken: dict[str, str] = {}

    def stop(self, reason: str = "asked") -> None:
        """Begin the stop; harmless when it has begun."""
        if not self.stopping.is_set():
            log.info("stop.begins", reason=reason)
            self.stopping.set()

    def listen(self) -> None:
        """Stop on SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number.name)

    async def run(
        self, services: dict[str, Callable[[], Coroutine[Any, Any, None]]], *, drain: Callable[[], Awaitable[None]]
    ) -> None:
        """Run the services until `stop`; then let `drain` finish what is under way, and cancel the rest.

        A service that fails by a fault of ours is logged, shown as broken, and started again after a pause: one bad
        site or page must not take the others down. One that cannot go on just now is started again likewise, and is
        told of in one line.
        """
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._keep(name, service), name=name) for name, service in services.items()]
            await self.stopping.wait()
            try:
                async with asyncio.timeout(self._grace):
                    await drain()
            except TimeoutError:
                log.warning("stop.stragglers", grace=self._grace)
            for task in running:
                task.cancel()

    async def cut_off(self, work: asyncio.Task[Any]) -> None:
        """After a stop, give a piece of work `GRACE` seconds to end by itself, then cancel it."""
        await self.stopping.wait()
        await asyncio.wait([work], timeout=self._grace)
        if not work.done():
            log.warning("stop.stragglers", grace=self._grace)
            work.cancel()

    async def _keep(self, name: str, service: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            healed = loop.call_later(HEALED, self.broken.pop, name, None)
            try:
                await service()
            except FlyballError as error:  # no fault of ours: a database that is away for long, say
                self.broken[name] = str(error)
                log.warning("service.waits", service=name, reason=str(error))
                await asyncio.sleep(RESTART_PAUSE)
            except Exception as error:  # the one place where faults of our own end
                self.broken[name] = f"{type(error).__name__}: {error}"
                log.exception("service.failed", service=name)
                await asyncio.sleep(RESTART_PAUSE)
            else:
                return
            finally:
                healed.cancel()
