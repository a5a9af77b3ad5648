"""The board: the account's analyses and collections as one list each, shared by all who ask at about the same time.

However many analyses are waited for, one request a round tells how all of them are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from flyball.clients.neuroscout.client import NeuroscoutClient

Json = dict[str, Any]
K = TypeVar("K", str, int)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listed(Generic[K]):
    """A list that was read.

    Attributes:
        begun: when it was asked for: what was done before is in it.
        rows: id → row, in the server's order, which means nothing.
    """

    begun: datetime
    rows: Mapping[K, Json]


class _Shared(Generic[K]):
    """One list, read when somebody needs a newer one; those who come meanwhile wait for it."""

    def __init__(self, read: Callable[[bool], Awaitable[dict[K, Json]]], now: Callable[[], datetime]) -> None:
        self._read: Callable[[bool], Awaitable[dict[K, Json]]] = read
        self._now = now
        self._lock = asyncio.Lock()
        self.last: Listed[K] = Listed(_NEVER, {})

    async def get(self, since: datetime, *, fresh: bool) -> Listed[K]:
        async with self._lock:
            if self.last.begun < since:
                begun = self._now()
                self.last = Listed(begun, await self._read(fresh))
            return self.last


class Board:
    """The own analyses and collections.

    Args:
        client: of the server.
        now: the present, UTC.
    """

    def __init__(self, client: NeuroscoutClient, now: Callable[[], datetime]) -> None:
        async def analyses(fresh: bool) -> dict[str, Json]:  # noqa: FBT001 - the shape that `_Shared` calls
            rows = await client.own_analyses(fresh=fresh)
            return {row["hash_id"]: row for row in rows if isinstance(row.get("hash_id"), str)}

        async def collections(fresh: bool) -> dict[int, Json]:  # noqa: FBT001 - likewise
            rows = await client.own_collections(fresh=fresh)
            return {row["id"]: row for row in rows if isinstance(row.get("id"), int)}

        self._analyses: _Shared[str] = _Shared(analyses, now)
        self._collections: _Shared[int] = _Shared(collections, now)

    async def analyses(self, since: datetime, *, fresh: bool = False) -> Listed[str]:
        """The own analyses, from a list that was asked for at `since` or later; hash id → short form.

        `fresh`: should it have to be asked for, on a connection of its own.
        """
        return await self._analyses.get(since, fresh=fresh)

    async def collections(self, since: datetime, *, fresh: bool = False) -> Listed[int]:
        """The own collections likewise; id → collection."""
        return await self._collections.get(since, fresh=fresh)
