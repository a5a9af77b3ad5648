"""The bytes of a small file on a Flywheel site, whole in memory: events files, tables.

The site may send the client on to a signed address of its storage. That is followed by hand, once, and without any of
our headers: the key is for the site alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from flyball.clients.exchange import Request, Response, segment
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.errors import error_of
from flyball.clients.flywheel.wire.levels import address
from flyball.clients.transport import Transport
from flyball.model.errors import Permanent, Transient

OCTETS = (("Accept", "application/octet-stream"),)


def read_file(level: str, id_: str, name: str, version: int | None = None) -> Request:
    """A file of a container or analysis, by name; a version where it is known."""
    path, template = address(level, id_, "files")
    query = () if version is None else (("version", str(version)),)
    return Request("GET", f"{path}/{segment(name)}", query, OCTETS, template=f"{template}/{{name}}")


class SmallFiles:
    """`effects.scout.port.SmallFiles` over a Flywheel client."""

    def __init__(self, client: FlywheelClient) -> None:
        self._client = client

    async def content(self, reference: Mapping[str, Any], *, most: int) -> bytes:
        """The file behind `{"type", "id", "name", "version"}` (container and name), whole."""
        name = str(reference["name"])
        version = reference.get("version")  # sites of 2019 have none, and something else stands in its place
        request = read_file(
            str(reference["type"]), str(reference["id"]), name, version if isinstance(version, int) else None
        )
        response = await self._client.transport.send(request)
        if 300 <= response.status < 400:
            response = await self._elsewhere(response, name)
        elif not response.ok:
            raise error_of(request, response, site=self._client.site, now=self._client.transport.now())
        if len(response.body) > most:
            raise Permanent(f"{self._client.site}: {name} is larger than {most} bytes", site=self._client.site)
        return response.body

    async def _elsewhere(self, response: Response, name: str) -> Response:
        """What the signed address gives."""
        base = self._client.transport.base_url
        place = urlsplit(urljoin(f"{base}/", response.headers.get("location", "")))
        if place.scheme not in ("http", "https") or not place.netloc:
            raise Permanent(f"{self._client.site}: {name}: the site sends us to no usable address")
        target = place.path + (f"?{place.query}" if place.query else "")
        async with Transport(f"{place.scheme}://{place.netloc}", site=self._client.site) as storage:
            found = await storage.send(Request("GET", target, template="{storage}"))
        if not found.ok:
            message = f"{self._client.site}: the storage answered {found.status} for {name}"
            raise Transient(message, status=found.status, site=self._client.site)
        return found
