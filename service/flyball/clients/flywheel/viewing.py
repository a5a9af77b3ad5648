"""Data views of a Flywheel site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flyball.clients.flywheel.calling import call, decoded
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.errors import error_of
from flyball.clients.flywheel.wire import answers, views
from flyball.model.errors import Gone, Permanent

NO_QUEUE = frozenset({404, 405, 501})
Json = Mapping[str, Any]


class Sink(Protocol):
    """Takes a table as it comes."""

    async def restart(self) -> None:
        """Forget what came."""
        ...

    async def write(self, piece: bytes) -> None:
        """Take some more."""
        ...


class Viewing:
    """Runs data views (`effects.lending.Views`)."""

    def __init__(self, client: FlywheelClient) -> None:
        self._client = client

    async def queue(self, view: Json, container: str) -> str | None:
        """Begin to run a view on a container; the execution's id. None: this site runs them only while one waits."""
        try:
            return await decoded(self._client.transport, views.queue_view(view, container), answers.created_id)
        except (Gone, Permanent) as error:
            if error.status not in NO_QUEUE:
                raise
            return None

    async def state(self, execution: str) -> str:
        """`queued`, `processing`, `completed`, `failed`."""
        found = await decoded(self._client.transport, views.execution(execution), answers.document)
        return str(found.get("state"))

    async def data(self, execution: str, form: str, sink: Sink) -> None:
        """What it gave, into `sink`."""
        request = views.execution_data(execution, form)
        response = await self._client.transport.fetch(request, _Into(sink))
        if not response.ok:
            raise error_of(request, response, site=self._client.site, now=self._client.transport.now())

    async def run(self, view: Json, container: str, form: str, sink: Sink) -> None:
        """Run a view and wait for what it gives."""
        response = await call(self._client.transport, views.run_view(view, container, form))
        await sink.write(response.body)


class _Into:
    """Hands an answer to a sink, from its beginning."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:  # noqa: ARG002 - the receiver's signature
        """A good answer begins."""
        await self._sink.restart()

    async def write(self, piece: bytes) -> None:
        """Some more of it."""
        await self._sink.write(piece)
