"""The connections to one site: kept ones for whatever may be repeated, a fresh one for each request that creates."""

from __future__ import annotations

import aiohttp

from flyball.clients.fenced import note_sent
from flyball.model.errors import Stopping


class Connections:
    """aiohttp's sessions, made on first use, for they need the running loop.

    Args:
        site: the configured name, for messages.
    """

    def __init__(self, site: str) -> None:
        self._site = site
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._closed = False

    def session(self, *, fresh: bool) -> aiohttp.ClientSession:
        """The session of kept or of fresh connections. Raises Stopping after `close`."""
        if self._closed:
            raise Stopping(f"{self._site}: the connections are closed")
        found = self._sessions.get(fresh)
        if found is None:
            found = self._sessions[fresh] = _session(fresh=fresh)
        return found

    async def close(self) -> None:
        """Closes them all; nothing can be sent afterwards."""
        self._closed = True
        for session in self._sessions.values():
            await session.close()


def _session(*, fresh: bool) -> aiohttp.ClientSession:
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(note_sent)
    session = aiohttp.ClientSession(
        # no limit of connections here: the pace is the only queue
        connector=aiohttp.TCPConnector(limit=0, force_close=fresh, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Content-Type",),
        trace_configs=[tracing] if fresh else None,  # costs time, and only creates need the certainty
    )
    # aiohttp would send GET, PUT and DELETE a second time on a dead kept-alive connection, unseen by us
    session._retry_connection = False  # noqa: SLF001 - the switch has no public name (aiohttp 3.14)
    return session
