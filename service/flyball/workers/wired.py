"""`effects.wire.Wire` over a site's transport."""

from __future__ import annotations

from flyball.clients.exchange import Request, Response
from flyball.clients.flywheel.errors import error_of
from flyball.clients.transport import Transport


class SiteWire:
    """Sends requests of effects on the same connections, under the same key and at the same pace as all others."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        """Send it; any answer outside 2xx is an error, named by what to do next."""
        response = await self._transport.send(request)
        if not response.ok:
            raise error_of(request, response, site=self._transport.site, now=self._transport.now())
        return response
