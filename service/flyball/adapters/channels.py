"""Message channels: the log, and generic signed webhooks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog

from flyball.clients.exchange import Does, Request
from flyball.clients.transport import Transport
from flyball.model.errors import Permanent, Refused, Transient, UnknownOutcome

log = structlog.get_logger()
LOG = "log"


class WebhookChannel:
    """Posts messages as JSON to one address of the lab's.

    `X-Flyball-Once-Key` is the same when one message is sent again, new for each repeat; `X-Hub-Signature-256` is
    `sha256=` and the hex HMAC of the body, when a secret is set.
    """

    def __init__(self, name: str, url: str, secret: str | None) -> None:
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secret = secret
        self._transport = Transport(f"{parts.scheme}://{parts.netloc}", site=f"channel {name}")

    async def send(self, message: Mapping[str, Any], key: str) -> None:
        """Deliver one message. Any 2xx is a delivery."""
        body = orjson.dumps(dict(message))
        headers = [("Content-Type", "application/json"), ("X-Flyball-Once-Key", key)]
        if self._secret:
            digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers.append(("X-Hub-Signature-256", f"sha256={digest}"))
        request = Request(
            "POST", self._target, headers=tuple(headers), body=body, does=Does.CREATE, template="/", timeout=30.0
        )
        response = await self._transport.send(request)
        if response.ok:
            return
        text = f"the channel answered {response.status}"
        if response.status in (401, 403):
            raise Refused(text, status=response.status)
        if response.status in (408, 425, 429) or response.status >= 500:
            # A message may be said twice, never lost: at least once is the promise.
            raise Transient(text, status=response.status)
        raise Permanent(text, status=response.status)

    async def close(self) -> None:
        """Release the connections."""
        await self._transport.close()


class ChannelBook:
    """All configured channels, by name; `log` is always there."""

    def __init__(self, webhooks: Mapping[str, WebhookChannel]) -> None:
        self._webhooks = dict(webhooks)

    async def send(self, channel: str, message: Mapping[str, Any], *, key: str) -> None:
        """Deliver one message to one channel."""
        webhook = self._webhooks.get(channel)
        if webhook is not None:
            try:
                await webhook.send(message, key)
            except UnknownOutcome as error:
                raise Transient(f"{error}; it is sent again with the same key") from error
            return
        say = log.info if message["status"] == "resolved" else log.warning
        facts = {name: message[name] for name in ("rule", "severity", "title", "body")}
        say(f"alert.{message['status']}", target=message["target"]["path"], key=key, **facts)

    async def close(self) -> None:
        """Release the connections."""
        for webhook in self._webhooks.values():
            await webhook.close()
