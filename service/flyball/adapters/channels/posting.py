"""Posting a message to one address of the lab's, and what each answer means for the message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from flyball.clients.exchange import Does, Request, Response, retry_after
from flyball.clients.transport import Transport
from flyball.model.errors import Permanent, Transient, UnknownOutcome

TIMEOUT: Final = 30.0  # seconds for the whole exchange
_OURS: Final = frozenset({400, 413, 415, 422})


class Poster:
    """Posts to one address, which is a secret and appears in no text. Redirects are not followed.

    Args:
        name: the channel's.
        url: where to.
    """

    def __init__(self, name: str, url: str) -> None:
        parts = urlsplit(url)
        self._name = name
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._transport = Transport(f"{parts.scheme}://{parts.netloc}", site=f"channel {name}", max_body=1024 * 1024)

    async def post(self, body: bytes, headers: Sequence[tuple[str, str]]) -> None:
        """Deliver a body. Any 2xx is a delivery.

        Raises:
            Transient: certainly not delivered, and worth another try, whatever is wrong with the channel.
            UnknownOutcome: it may have been delivered.
            Permanent: this message cannot be delivered.
        """
        request = Request(
            "POST", self._target, headers=tuple(headers), body=body, does=Does.CREATE, template="/", timeout=TIMEOUT
        )
        response = await self._transport.send(request)
        if not response.ok:
            raise self._said(response)

    def _said(self, response: Response) -> Transient | UnknownOutcome | Permanent:
        status, text = response.status, f"channel {self._name} answered {response.status}"
        if status in _OURS:
            return Permanent(f"{text}: it does not take this message", status=status)
        wait = retry_after(response.headers, datetime.now(UTC))
        if status == 408 or (status >= 500 and wait is None):
            return UnknownOutcome(text, status=status)  # it may have taken the message before it fell over
        if 300 <= status < 400:
            text += ": redirects are not followed; set the address that it points to"
        elif status in (401, 403, 404, 410):
            text += ": check the channel's address in the settings"
        return Transient(text, status=status, wait=wait)

    async def close(self) -> None:
        """Release the connections."""
        await self._transport.close()
