"""All configured channels by name; `log` is always there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
import structlog

from flyball.adapters.channels.mail import mail_of
from flyball.adapters.channels.posting import Poster
from flyball.adapters.channels.smtp import Mailer, MailServer
from flyball.adapters.channels.texts import Message
from flyball.adapters.channels.webhook import KEY, webhook_request
from flyball.model.errors import Permanent

log = structlog.get_logger()
LOG = "log"


class Channel(Protocol):
    """One way to people. Errors are `SiteError`s, named by what to do next."""

    async def send(self, message: Message, key: str) -> None:
        """Deliver one message."""
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...


class WebhookChannel:
    """Posts messages as JSON."""

    def __init__(self, name: str, url: str, secret: str | None) -> None:
        self._poster = Poster(name, url)
        self._secret = secret

    async def send(self, message: Message, key: str) -> None:
        """Deliver one message."""
        await self._poster.post(*webhook_request(message, key, self._secret))

    async def close(self) -> None:
        """Release the connections."""
        await self._poster.close()


class ChatChannel:
    """Posts messages in the form of a chat service."""

    def __init__(self, name: str, url: str, payload: Callable[[Message], Mapping[str, Any]]) -> None:
        self._poster = Poster(name, url)
        self._payload = payload

    async def send(self, message: Message, key: str) -> None:
        """Deliver one message."""
        headers = [("Content-Type", "application/json"), (KEY, key)]
        await self._poster.post(orjson.dumps(self._payload(message)), headers)

    async def close(self) -> None:
        """Release the connections."""
        await self._poster.close()


class MailChannel:
    """Sends messages by mail."""

    def __init__(
        self,
        name: str,
        server: MailServer,
        to: Sequence[str],
        sender: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._mailer = Mailer(name, server)
        self._to = tuple(to)
        self._sender = sender or f"flyball@{self._to[0].rpartition('@')[2]}"
        self._now = now

    async def send(self, message: Message, key: str) -> None:
        """Deliver one message."""
        mail = mail_of(message, key, sender=self._sender, to=self._to, date=self._now())
        await self._mailer.send(mail, self._sender, self._to)

    async def close(self) -> None:
        """Nothing is kept open."""


class LogChannel:
    """Writes messages to the daemon's own log."""

    async def send(self, message: Message, key: str) -> None:
        """Write one message."""
        say = log.info if message["status"] == "resolved" else log.warning
        facts = {name: message[name] for name in ("rule", "severity", "title", "body", "count") if name in message}
        say(f"alert.{message['status']}", target=message["target"]["path"], key=key, **facts)

    async def close(self) -> None:
        """Nothing is kept open."""


class ChannelBook:
    """`effects.port.Channels`."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels: dict[str, Channel] = {LOG: LogChannel(), **channels}

    @property
    def names(self) -> tuple[str, ...]:
        """The names, `log` included."""
        return tuple(self._channels)

    async def send(self, channel: str, message: Message, *, key: str) -> None:
        """Deliver one message to one channel."""
        found = self._channels.get(channel)
        if found is None:
            raise Permanent(
                f"there is no channel {channel!r} in the settings any more; `flyball retry` once it is back"
            )
        await found.send(message, key)

    async def close(self) -> None:
        """Release the connections."""
        for channel in self._channels.values():
            await channel.close()
