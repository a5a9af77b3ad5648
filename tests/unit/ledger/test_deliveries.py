"""Deliveries of webhooks: stored together, each once, with the looks that they ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, select

from fakes.clock import START
from flyball.ledger.codec import unpack
from flyball.ledger.intents import Arrived, close_intents, open_among, open_intents, store_deliveries
from flyball.ledger.tables import events, intents, metadata


@pytest.fixture
def connection() -> Iterator[Connection]:
    """An empty ledger."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as made:
        yield made
    engine.dispose()


def arrived(ident: str | None, target: str | None = "acquisition:a1", hook: str = "lab") -> Arrived:
    """One delivery."""
    return Arrived(hook, ident, target)


def asked(connection: Connection) -> list[tuple[Any, ...]]:
    """(hook, target, event) of what is open."""
    found = [intent.params for intent in open_intents(connection, limit=1000)]
    return [(params["hook"], params["target"], params["event"]) for params in found]


def test_each_is_stored_once_however_often_it_comes(connection: Connection) -> None:
    """A repetition has the number of the first one, whether that came before or at the same time."""
    (first,) = store_deliveries(connection, [arrived("1")], START)
    again = [arrived("2", "a"), arrived("1"), arrived("2", "a"), arrived("1", hook="other"), arrived("3", "c")]
    told = store_deliveries(connection, again, START)
    numbers = [number for number, _ in told]
    assert [new for _, new in (first, *told)] == [True, True, False, False, True, True]
    assert (numbers[1], numbers[0]) == (first[0], numbers[2])
    assert len(set(numbers)) == 4
    assert [row.dedupe for row in connection.execute(select(events).order_by(events.c.id))] == [
        "hook/lab/1",
        "hook/lab/2",
        "hook/other/1",
        "hook/lab/3",
    ]
    assert [(hook, target) for hook, target, _ in asked(connection)] == [
        ("lab", "acquisition:a1"),
        ("lab", "a"),
        ("other", "acquisition:a1"),
        ("lab", "c"),
    ]


def test_without_an_id_each_is_new(connection: Connection) -> None:
    """Nothing tells them apart, and each has an event and a look of its own, in the order in which they came."""
    told = store_deliveries(connection, [arrived(None, "a"), arrived(None, "b"), arrived(None, "a")], START)
    assert all(new for _, new in told)
    open_ones = asked(connection)
    assert [target for _, target, _ in open_ones] == ["a", "b", "a"]
    assert [number for _, _, number in open_ones] == [number for number, _ in told]
    paths = {row.id: row.path for row in connection.execute(select(events))}
    assert [paths[number] for number, _ in told] == ["a", "b", "a"]


def test_a_hundred_cost_no_more_statements_than_one(connection: Connection) -> None:
    """What deliveries are stored and done with does not grow with their number."""
    statements: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2]))

    def cost(count: int) -> int:
        statements.clear()
        store_deliveries(connection, [arrived(f"{count}/{number}", f"a{number}") for number in range(count)], START)
        some = open_intents(connection, limit=1000)
        close_intents(connection, {intent.id: {"number": intent.id} for intent in some}, START)
        return len(statements)

    assert cost(1) == cost(100) <= 5
    answers = [unpack(row.answer)["number"] == row.id for row in connection.execute(select(intents))]
    assert answers == [True] * 101


def test_what_is_open_is_read_in_parts(connection: Connection) -> None:
    """After a number, so many at a time; or those that are named, as far as they are open."""
    store_deliveries(connection, [arrived(str(number)) for number in range(5)], START)
    first, second, *rest = [intent.id for intent in open_intents(connection)]
    assert [intent.id for intent in open_intents(connection, after=first, limit=1)] == [second]
    close_intents(connection, {second: {}}, START)
    assert [intent.id for intent in open_among(connection, [rest[1], second, first])] == [first, rest[1]]
    assert [intent.id for intent in open_intents(connection)] == [first, *rest]
