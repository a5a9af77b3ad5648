"""Collections of a Flywheel site."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.clients.flywheel.calling import call, decoded
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.filters import equals, where
from flyball.clients.flywheel.wire import answers, collections


class Collecting:
    """Finds, makes and changes collections (`effects.lending.Collections`)."""

    def __init__(self, client: FlywheelClient) -> None:
        self._client = client

    async def find(self, label: str, *, fresh: bool = False) -> list[str]:
        """Ids of the collections with exactly this label, the oldest first."""
        rows = await self._client.page("collection", filter=where(equals("label", label)), limit=100, fresh=fresh)
        found = [row for row in rows if row.get("label") == label]
        return [str(row["id"]) for row in sorted(found, key=lambda row: (str(row.get("created")), str(row["id"])))]

    async def create(self, label: str) -> str:
        """A new, empty collection; its id. Sent once."""
        return await decoded(self._client.transport, collections.make_collection(label), answers.created_id)

    async def members(self, ident: str) -> list[str]:
        """Ids of the acquisitions in it."""
        found: list[str] = []
        async for rows in self._client.iterate("acquisition", parent=("collection", ident), include_all_info=False):
            found += [str(row["id"]) for row in rows]
        return list(dict.fromkeys(found))

    async def change(self, ident: str, operation: str, acquisitions: Sequence[str]) -> None:
        """`add` or `remove` acquisitions, in one request."""
        await call(self._client.transport, collections.change_members(ident, operation, acquisitions))
