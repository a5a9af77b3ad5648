"""What is read from the site's search index."""

from __future__ import annotations

from functools import partial

from flyball.clients.flywheel.reading import Reader, Row
from flyball.clients.flywheel.wire import search as wire
from flyball.model.errors import Refused


class SearchReader(Reader):
    """The part of `FlywheelClient` that asks the search index."""

    async def search(self, query: str, returns: str, *, size: int = wire.MOST_HITS) -> list[Row]:
        """The hits of a structured query, each with `_id`, or for files `name` and `parent`; `size` at the most.

        An administrator's key searches everything; where the site refuses that, what the key has permissions for.

        Raises:
            Permanent: the query is wrong.
            Transient: the index is away.
        """
        decode = partial(wire.hits, returns=returns)
        if self.dialect.admin:
            try:
                return await self._decoded(wire.search(query, returns, size=size, all_data=True), decode)
            except Refused as error:
                if error.status != 403:
                    raise
        return await self._decoded(wire.search(query, returns, size=size), decode)

    async def search_status(self) -> str:
        """How the index is: `up-to-date`, `indexing`, `reindex` or `error`."""
        return str((await self._document(wire.search_status())).get("status") or "")

    async def parse_query(self, query: str) -> list[str]:
        """What is wrong with a structured query, as the site says it; nothing: it is right."""
        answer = await self._document(wire.parse_query(query))
        if answer.get("valid"):
            return []
        errors = answer.get("errors")
        told = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
        return [f"{one.get('message')} (column {one.get('pos')})" for one in told] or ["the site does not take it"]
