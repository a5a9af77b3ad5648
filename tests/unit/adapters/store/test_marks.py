"""A server that crashes in a commit: whether it was kept is not to be told by the transaction's number alone."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from flyball.adapters.store.postgres.store import PostgresStore
from support.server import Server
from support.stepping import SIDES, Side, SteppedWire

OTHERS = 50


def put(connection: Connection) -> int:
    """A work that is seen if it is carried out twice, or not at all."""
    return connection.execute(text("INSERT INTO done VALUES (1)")).rowcount


def done(connection: Connection) -> list[int]:
    """What was carried out."""
    return list(connection.scalars(text("SELECT number FROM done")))


@pytest.mark.parametrize("side", SIDES)
async def test_the_number_went_to_another(side: Side) -> None:
    """After the crash others get the numbers of transactions that left no trace, and theirs are committed."""
    with Server.own() as server:
        address = server.new_database()
        with SteppedWire(address, number=1, side=side, fits=lambda step: step == "COMMIT of INSERT INTO done") as wire:

            def crash() -> None:
                wire.down = True
                server.stop("immediate")
                server.start()
                for _ in range(OTHERS):
                    server.query(address, "SELECT pg_current_xact_id()")
                wire.down = False

            wire.strike = crash
            async with await PostgresStore.open(wire.address, patience=60.0) as store:
                await store.write(lambda c: c.execute(text("CREATE TABLE done (number integer)")).rowcount)
                assert await store.write(put) == 1
                assert wire.struck.is_set()
                assert await store.read(done) == [1]
