"""Makes containers on a Flywheel site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.clients.flywheel.calling import decoded
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.filters import equals, where
from flyball.clients.flywheel.wire import answers, making


class Making:
    """Finds containers by label and makes new ones (`effects.lending.Making`)."""

    def __init__(self, client: FlywheelClient) -> None:
        self._client = client

    async def children(self, level: str, parent: tuple[str, str], label: str, *, fresh: bool = False) -> list[str]:
        """Ids of the containers with exactly this label directly below another, the oldest first."""
        chosen = where(equals("label", label))
        rows = await self._client.page(level, filter=chosen, limit=100, parent=parent, fresh=fresh)
        found = [row for row in rows if row.get("label") == label]
        return [str(row["id"]) for row in sorted(found, key=lambda row: (str(row.get("created")), str(row["id"])))]

    async def make(self, level: str, body: Mapping[str, Any]) -> str:
        """A new container; its id. Sent once."""
        return await decoded(self._client.transport, making.make_container(level, body), answers.created_id)
