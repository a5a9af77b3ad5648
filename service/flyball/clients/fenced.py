"""A body that is written only while this process may act: the last look before a request leaves.

Between taking an effect and sending its request lie a turn of the pace, a connection and some turns of the loop, and a
process can be stopped in each. aiohttp holds the head of a request back until the first bytes of its body, so a look in
here comes before anything was written; between it and the socket lie some ten microseconds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

from aiohttp import ClientSession
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload

May = Callable[[], bool]


class NotAllowedError(Exception):
    """Nothing was sent: this process may not act now."""


class FencedBody(BytesPayload):
    """Bytes to send.

    Args:
        body: the bytes.
        may: whether they may be sent now.
    """

    def __init__(self, body: bytes, may: May) -> None:
        super().__init__(body)
        self._may = may

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Writes them, or raises NotAllowedError before anything is written."""
        if not self._may():
            raise NotAllowedError
        await super().write_with_length(writer, content_length)


async def while_allowed(pieces: AsyncGenerator[bytes, None], may: May) -> AsyncGenerator[bytes, None]:
    """The pieces of a large body, each only while this process may act.

    Raises:
        NotAllowedError: it may not any more; the rest is not sent.
    """
    try:
        async for piece in pieces:
            if not may():
                raise NotAllowedError
            yield piece
    finally:
        await pieces.aclose()


async def note_sent(_session: ClientSession, context: Any, _params: Any) -> None:
    """The request line and headers were handed to the socket: from here on the site may have acted."""
    may = context.trace_request_ctx.may
    if may is not None and not may():
        raise NotAllowedError
    context.trace_request_ctx.sent = True


class Watched:
    """Whether this process may act, and whether the answer was ever no."""

    def __init__(self, may: May) -> None:
        self._may = may
        self.refused = False

    def __call__(self) -> bool:
        self.refused = self.refused or not self._may()
        return not self.refused
