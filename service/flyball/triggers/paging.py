"""Paging by id, past objects that are too large to be listed with their info."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import structlog

from flyball.clients.exchange import BodyTooLarge
from flyball.clients.flywheel.client import FlywheelClient, Parent
from flyball.clients.flywheel.filters import Filter

log = structlog.get_logger()
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Attributes:
        limit: how many rows were asked for; so many mean that there may be more. 0 where that does not matter.
        with_info: it was asked for with info.
    """

    rows: list[Row]
    limit: int = 0
    with_info: bool = True


async def pages_by_id(
    client: FlywheelClient,
    level: str,
    chosen: Filter,
    *,
    after: str | None = None,
    parent: Parent | None = None,
) -> AsyncGenerator[Page]:
    """All rows of a list, by id, in pages; the last one may be empty.

    An object whose info alone is more than the client takes is read without it, and stays unknown in that; the others
    are read as always.
    """
    while True:
        try:
            async for rows in client.iterate(level, filter=chosen, after_id=after, parent=parent):
                yield Page(rows)
                after = max((row["id"] for row in rows if isinstance(row.get("id"), str)), default=after)
        except BodyTooLarge as error:
            rows = await client.page(
                level, filter=chosen, limit=1, after_id=after, parent=parent, include_all_info=False
            )
            log.warning("read.too_large", site=client.site, of=level, error=str(error))
            if not rows or rows[0].get("id") is None or rows[0]["id"] == after:
                raise
            yield Page(rows, with_info=False)
            after = str(rows[0]["id"])
        else:
            return
