"""Posts to addresses of the lab's: one connection pool for each host, redirects not followed."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from flyball.clients.exchange import Does, Request
from flyball.clients.transport import Transport
from flyball.model.errors import Permanent, Refused, Transient, UnknownOutcome

SILENCE = 30.0  # seconds for one message


class Posting:
    """Sends (`effects.lending.Poster`)."""

    def __init__(self) -> None:
        self._transports: dict[str, Transport] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send; the status of a good answer. What may have arrived is sent again, with the same key."""
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        transport = self._transports.get(base)
        if transport is None:
            transport = self._transports[base] = Transport(base, site=str(parts.hostname))
        request = Request(
            "POST", target, headers=tuple(headers.items()), body=body, does=Does.CREATE, template="/", timeout=SILENCE
        )
        try:
            response = await transport.send(request)
        except UnknownOutcome as error:
            raise Transient(f"{error}; it is sent again with the same key") from error
        if response.ok:
            return response.status
        text = f"{parts.hostname} answered {response.status}"
        if response.status in (401, 403):
            raise Refused(text, status=403)
        if response.status in (408, 425, 429) or response.status >= 500:
            raise Transient(text, status=response.status)
        raise Permanent(text, status=response.status)

    async def close(self) -> None:
        """Release the connections."""
        for transport in self._transports.values():
            await transport.close()
