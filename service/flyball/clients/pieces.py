"""Bytes to be sent that lie in a file: read in a thread, a little at a time, while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Final

from flyball.clients.exchange import Slice

READ_AT_ONCE: Final = 256 * 1024


async def ended(sending: AsyncGenerator[bytes, None]) -> None:
    """An answer may come before all was sent: nothing is read any more."""
    with suppress(RuntimeError):  # it is being closed already
        await sending.aclose()


async def sent(pieces: tuple[bytes | Slice, ...]) -> AsyncGenerator[bytes, None]:
    """The bytes of all pieces.

    Raises:
        OSError: a file cannot be read, or became shorter meanwhile.
    """
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        done = 0
        while done < piece.length:
            wanted = min(piece.length - done, READ_AT_ONCE)
            some = await asyncio.to_thread(_stretch, piece.path, piece.offset + done, wanted)
            if not some:
                raise OSError(f"{piece.path} became shorter while it was read")
            done += len(some)
            yield some


def _stretch(path: str, offset: int, length: int) -> bytes:
    """Opened and closed for each stretch, so that nothing stays open should nobody want the rest."""
    with Path(path).open("rb") as file:
        file.seek(offset)
        return file.read(length)
