"""A column among many values, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select

from fakes.ledger import MemoryLedger
from flyball.ledger.among import Among
from flyball.ledger.bulk import insert_numbered
from flyball.ledger.tables import events

ODD = ["plain", "with 'quotes' and \"more\"", "a,b]", "\\", "é😀", "", "0", "null"]


@pytest.fixture(params=[False, True], ids=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest) -> Iterator[MemoryLedger]:
    """A ledger with an event on each of the odd nodes."""
    made = MemoryLedger(postgres=request.param)
    made.do(lambda connection: insert_numbered(connection, events, [_event(node) for node in ODD]))
    yield made
    asyncio.run(made.close())


def _event(node: str) -> dict[str, object]:
    text = {"site": "main", "kind": "new", "level": "file", "node": node, "path": "", "source": "poll"}
    return {**text, "seen": 1, "detail": b"{}", "dedupe": None}


def nodes(ledger: MemoryLedger, some: list[str]) -> list[str]:
    """The nodes among some, of the events."""

    def work(connection: Connection) -> list[str]:
        query = select(events.c.node).where(Among(events.c.node, "some")).order_by(events.c.id)
        return list(connection.scalars(query, {"some": some}))

    return ledger.do(work)


def test_texts(ledger: MemoryLedger) -> None:
    """Whatever characters there are, exactly the values given are found; none are found among none."""
    assert nodes(ledger, ODD) == ODD
    assert nodes(ledger, ["0", "nothing", "plain"]) == ["plain", "0"]
    assert nodes(ledger, []) == []
    for one in ODD:
        assert nodes(ledger, [one]) == [one]


def test_the_statement_is_the_same_for_any_number(ledger: MemoryLedger) -> None:
    """That is what it is for."""

    def texts(connection: Connection) -> set[str]:
        query = select(events.c.id).where(Among(events.c.id, "some"))
        return {str(connection.execute(query, {"some": range(most)}).context.statement) for most in (1, 7, 400)}

    assert len(ledger.do(texts)) == 1


def test_whole_numbers(ledger: MemoryLedger) -> None:
    """Numbers are compared as numbers; rows that were numbered together have theirs in order."""

    def work(connection: Connection) -> list[int]:
        query = select(events.c.id).where(Among(events.c.id, "some")).order_by(events.c.id)
        return list(connection.scalars(query, {"some": list(range(3, 6))}))

    assert ledger.do(work) == [3, 4, 5]


def test_numbers_go_on(ledger: MemoryLedger) -> None:
    """No number is given twice, also when rows were cleared away."""
    given = ledger.do(lambda connection: insert_numbered(connection, events, [_event("a"), _event("b")]))
    assert given == [len(ODD) + 1, len(ODD) + 2]
    ledger.do(lambda connection: connection.execute(events.delete()).close())
    assert ledger.do(lambda connection: insert_numbered(connection, events, [_event("c")])) == [len(ODD) + 3]
    assert ledger.do(lambda connection: insert_numbered(connection, events, [])) == []
    assert nodes(ledger, ["c"]) == ["c"]
