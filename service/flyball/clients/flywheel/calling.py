"""Sending a wire request as a client does: whatever is outside of 2xx, or of another shape, is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flyball.clients.exchange import Request, Response
from flyball.clients.flywheel.errors import error_of, unusable
from flyball.clients.flywheel.wire import answers
from flyball.clients.transport import Transport

T = TypeVar("T")


async def call(transport: Transport, request: Request) -> Response:
    """Sends; any answer outside 2xx is an error."""
    response = await transport.send(request)
    if not response.ok:
        raise error_of(request, response, site=transport.site, now=transport.now())
    return response


async def decoded(transport: Transport, request: Request, decode: Callable[[bytes], T]) -> T:
    """Sends, and reads what was answered."""
    response = await call(transport, request)
    try:
        return decode(response.body)
    except answers.Misshapen as error:
        raise unusable(request, response, str(error), site=transport.site) from error
