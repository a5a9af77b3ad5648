"""Nothing that changes something leaves a process that may not act, wherever on its way the request is."""

from __future__ import annotations

from itertools import count

import pytest

from fakes.scripted import ADD, CREATE, GET, SET, Server
from flyball.clients.exchange import Request
from flyball.clients.transport import Transport
from flyball.model.errors import Stopping

EMPTY = Request("POST", "/jobs/1/retry", does=CREATE.does, template="/jobs/{id}/retry")
PURGE = Request("DELETE", "/sessions/1/tags", does=SET.does, template="/sessions/{id}/tags")


class Lapse:
    """A lease that runs out after it was asked so many times."""

    def __init__(self, after: int) -> None:
        self._asked = count()
        self._after = after

    def __call__(self) -> bool:
        return next(self._asked) < self._after


@pytest.mark.parametrize("after", [0, 1, 2], ids=["before", "connected", "about to write"])
async def test_a_create_is_not_sent(after: int) -> None:
    """The lease runs out before the connection, after it, or when the body is to be written: not a byte arrives."""
    async with Server() as server, Transport(server.url, may_act=Lapse(after)) as transport:
        with pytest.raises(Stopping, match="nothing was sent"):
            await transport.send(CREATE)
        assert server.heads == []


@pytest.mark.parametrize(
    ("request_", "after"),
    [(EMPTY, 0), (EMPTY, 1), (ADD, 0), (ADD, 1), (SET, 0), (SET, 1), (PURGE, 0)],
    ids=["retry 0", "retry 1", "add 0", "add 1", "set 0", "set 1", "purge 0"],
)
async def test_other_changes(request_: Request, after: int) -> None:
    """Likewise for what has no body, and for what goes over kept connections."""
    async with Server() as server, Transport(server.url, may_act=Lapse(after)) as transport:
        with pytest.raises(Stopping, match="nothing was sent"):
            await transport.send(request_)
        assert server.heads == []
        assert (await transport.send(GET)).status == 200


async def test_while_the_lease_holds() -> None:
    """Everything is sent as ever, and reading never asks."""
    lapse = Lapse(100)
    async with Server() as server, Transport(server.url, may_act=lapse) as transport:
        for one in (GET, SET, ADD, CREATE, EMPTY, PURGE):
            assert (await transport.send(one)).status == 200
        assert len(server.heads) == 6
    async with Server() as server, Transport(server.url, may_act=lambda: False) as transport:
        assert (await transport.send(GET)).status == 200
