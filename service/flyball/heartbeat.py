"""A sign of life to a dead man's switch: an address that raises the alarm when it hears nothing for too long.

It is sent only while the daemon is well: its parts run, the ledger can be written, and every site was read lately. So
the switch notices a daemon that is dead, stuck or blind, which is what the daemon itself cannot tell anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import structlog

from flyball.clients.exchange import Does, Request
from flyball.clients.transport import Transport
from flyball.ledger.noticing import save_fact
from flyball.model.errors import FlyballError
from flyball.model.ports import Store

log = structlog.get_logger()
TIMEOUT: Final = 20.0  # seconds
BLIND_AFTER: Final = timedelta(minutes=15)
"""A site that was not read for so long, or for ten of its rounds if that is longer, makes the daemon unwell."""


def blind(last: datetime | None, started: datetime, every: timedelta, now: datetime) -> bool:
    """Whether a site was not read for too long.

    Args:
        last: when a round went through; None: none has.
        started: when the daemon was started, which counts until then.
        every: the site's poll interval.
        now: the present, UTC.
    """
    return now - (last or started) > max(BLIND_AFTER, 10 * every)


async def trouble_of(
    store: Store,
    broken: Collection[str],
    rounds: Mapping[str, tuple[datetime | None, timedelta]],
    started: datetime,
    now: datetime,
) -> str | None:
    """What keeps a daemon from doing its work; None: it is well.

    Args:
        store: the ledger; it is written to, to see that it can be.
        broken: services that are out of order.
        rounds: site → when a round went through last, and its poll interval.
        started: when the daemon was started.
        now: the present, UTC.
    """
    try:
        await store.write(partial(save_fact, name="heartbeat", value=now.isoformat(), now=now))
    except FlyballError as error:
        return f"the ledger cannot be written: {error}"
    if broken:
        return f"out of order: {', '.join(sorted(broken))}"
    unread = [name for name, (last, every) in sorted(rounds.items()) if blind(last, started, every, now)]
    return f"not read for long: {', '.join(unread)}" if unread else None


class Heartbeat:
    """Sends the sign of life.

    Args:
        url: fetched with GET; a secret. Redirects are not followed.
        every: seconds between two signs.
        trouble: what is wrong with the daemon now; None: it is well.
        stopping: set when the stop begins.

    Attributes:
        sent: when the last sign was accepted; None: none was.
        error: why the last one was not sent or not accepted; None: it was.
    """

    def __init__(
        self, url: str, every: float, trouble: Callable[[], Awaitable[str | None]], stopping: asyncio.Event
    ) -> None:
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._transport = Transport(f"{parts.scheme}://{parts.netloc}", site="heartbeat", max_body=1024 * 1024)
        self._every = every
        self._trouble = trouble
        self._stopping = stopping
        self.sent: datetime | None = None
        self.error: str | None = None

    async def run(self) -> None:
        """Send a sign now and then, until the stop."""
        while not self._stopping.is_set():
            await self.beat()
            await asyncio.sleep(self._every)

    async def beat(self) -> None:
        """Send one sign, if the daemon is well."""
        before = self.error
        trouble = await self._trouble()
        self.error = f"not sent: {trouble}" if trouble else await self._send()
        if self.error is None:
            self.sent = datetime.now(UTC)
        elif self.error != before:
            log.warning("heartbeat.missed", reason=self.error)

    async def _send(self) -> str | None:
        request = Request("GET", self._target, does=Does.READ, template="/", timeout=TIMEOUT, fresh=True)
        try:
            response = await self._transport.send(request)
        except FlyballError as error:
            return str(error)
        return None if response.ok else f"the address answered {response.status}"

    def as_json(self) -> dict[str, str | None]:
        """The shape in `/status`."""
        return {"sent": None if self.sent is None else self.sent.isoformat(), "error": self.error}

    async def close(self) -> None:
        """Release the connections."""
        await self._transport.close()
