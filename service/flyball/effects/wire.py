"""Requests of any kind to the effect's Flywheel site, for kinds that ask for what `effects.port.Site` does not have."""

from __future__ import annotations

from typing import Protocol

from flyball.clients.exchange import Request, Response


class Wire(Protocol):
    """The site's connection: its address, its key and its pace are seen to."""

    async def send(self, request: Request) -> Response:
        """Send one request below the site's `/api`, when the site's pace gives it its turn; the answer, always 2xx.

        What a repetition would do is the request's to say (`Request.does`): reading is repeated here for seconds,
        anything else is sent once.

        Raises:
            Transient: try again later: 429, or no usable answer to a request that may be repeated.
            UnknownOutcome: no usable answer to a request that may have been carried out: ask the site first.
            Gone: 404.
            Refused: 401, 402, 403.
            Permanent: any other answer outside of 2xx.
        """
        ...
