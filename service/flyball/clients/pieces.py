"""Bytes to be sent that lie in a file: read in a thread, a little at a time, while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from flyball.clients.exchange import Slice

READ_AT_ONCE: Final = 256 * 1024


async def ended(sending: AsyncGenerator[bytes, None]) -> None:
    """An answer may come before all was sent: the file that is being read is closed."""
    with suppress(RuntimeError):  # it is being closed already
        await sending.aclose()


async def sent(pieces: tuple[bytes | Slice, ...]) -> AsyncGenerator[bytes, None]:
    """The bytes of all pieces; files are read in a thread, a little at a time."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        file = await asyncio.to_thread(open, piece.path, "rb")
        try:
            await asyncio.to_thread(file.seek, piece.offset)
            left = piece.length
            while left:
                some = await asyncio.to_thread(file.read, min(left, READ_AT_ONCE))
                if not some:
                    raise OSError(f"{piece.path} became shorter while it was read")
                left -= len(some)
                yield some
        finally:
            await asyncio.to_thread(file.close)
