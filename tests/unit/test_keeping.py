"""The keeper on a real file: what goes, what never goes, room given back, a ledger that is too large."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from fakes.clock import FakeClock
from flyball.adapters.store import room
from flyball.adapters.store.opening import Ledger, open_ledger
from flyball.keeping import Keeper
from flyball.ledger.codec import micros
from flyball.ledger.retention import Ages
from flyball.ledger.tables import attempts, decisions, effects, events, intents
from flyball.model.effect import TERMINAL, EffectState
from support.server import Server

AGES = Ages(timedelta(days=30), timedelta(days=30), timedelta(days=30), timedelta(days=30))
FILLER = b'"' + b"x" * 2000 + b'"'


@pytest.fixture
def clock() -> FakeClock:
    """A clock of the test's own."""
    return FakeClock()


@pytest.fixture(params=["sqlite", "postgresql"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger of either kind."""
    address = "embedded" if request.param == "sqlite" else Server.shared().new_database()
    opened = await open_ledger(address, tmp_path)
    try:
        yield opened
    finally:
        await opened.close()


async def fill(ledger: Ledger, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Put rows in, with something in every column that must have it."""

    def whole(row: dict[str, Any]) -> dict[str, Any]:
        needed = [one for one in table.columns if not one.nullable and not one.primary_key]
        types = {one.name: one.type.python_type for one in needed}
        blank = {bytes: b"{}", str: "x", int: 0, bool: False}
        return {name: blank[kind] for name, kind in types.items()} | row

    await ledger.write(lambda connection: connection.execute(insert(table), [whole(row) for row in rows]))


async def ids(ledger: Ledger, table: Table) -> list[int]:
    """The numbers of the rows that are left."""
    return list(await ledger.read(lambda connection: connection.scalars(select(table.c.id).order_by(table.c.id)).all()))


def ago(clock: FakeClock, days: float) -> int:
    """A time so many days ago."""
    return micros(clock.now() - timedelta(days=days))


async def test_old_history_goes_and_nothing_else(ledger: Ledger, clock: FakeClock) -> None:
    """Replaced decisions, attempts of what has ended, events, what was asked for and done."""
    await fill(ledger, events, [{"id": 1, "seen": ago(clock, 31)}, {"id": 2, "seen": ago(clock, 29)}])
    old = {"confirmed": ago(clock, 31), "decided": ago(clock, 31)}
    await fill(
        ledger,
        decisions,
        [
            {"id": 1, "current": False, **old},
            {"id": 2, "current": True, **old},
            {"id": 3, "current": False, **old},
            {"id": 4, "current": False, "confirmed": ago(clock, 1), "decided": ago(clock, 31)},
        ],
    )
    await fill(
        ledger, effects, [{"id": 1, "state": "done", "decision": None}, {"id": 2, "state": "held", "decision": 3}]
    )
    await fill(
        ledger,
        attempts,
        [
            {"id": 1, "effect": 1, "number": 1, "ended": ago(clock, 31)},
            {"id": 2, "effect": 1, "number": 2, "ended": ago(clock, 29)},
            {"id": 3, "effect": 2, "number": 1, "ended": ago(clock, 31)},
            {"id": 4, "effect": 2, "number": 2, "ended": None},
        ],
    )
    await fill(ledger, intents, [{"id": 1, "asked": ago(clock, 40), "done": ago(clock, 31)}])
    assert await Keeper(ledger, clock, AGES, 0).step() == 4
    assert [await ids(ledger, table) for table in (events, decisions, effects, attempts, intents)] == [
        [2],
        [2, 3, 4],
        [1, 2],
        [2, 3, 4],
        [],
    ]


async def test_what_is_still_asked_about_stays(ledger: Ledger, clock: FakeClock) -> None:
    """An intent that is not done keeps the events since it was asked, however old."""
    await fill(ledger, intents, [{"id": 1, "asked": ago(clock, 50), "done": None}])
    await fill(ledger, events, [{"id": 1, "seen": ago(clock, 60)}, {"id": 2, "seen": ago(clock, 49)}])
    await Keeper(ledger, clock, AGES, 0).step()
    assert await ids(ledger, events) == [2]
    assert await ids(ledger, intents) == [1]


async def test_a_number_is_not_given_twice(ledger: Ledger, clock: FakeClock) -> None:
    """Also after the newest row was cleared away."""
    await fill(ledger, events, [{"seen": ago(clock, 31)} for _ in range(3)])
    await Keeper(ledger, clock, AGES, 0).step()
    await fill(ledger, events, [{"seen": ago(clock, 0)}])
    assert await ids(ledger, events) == [4]


async def test_many_rows_go_in_portions_and_the_room_is_given_back(tmp_path: Path, clock: FakeClock) -> None:
    """Works stay short; afterwards the file is small."""
    store = await open_ledger("embedded", tmp_path)
    try:
        await fill(store, events, [{"seen": ago(clock, 31), "detail": FILLER} for _ in range(5000)])
        before = await store.read(room.size)
        assert before > 10_000_000
        assert await Keeper(store, clock, AGES, 0).step() == 5000
        assert await store.read(room.size) < before / 10
    finally:
        await store.close()


async def test_a_ledger_that_is_too_large_keeps_a_day(tmp_path: Path, clock: FakeClock) -> None:
    """History goes early; where that is not enough, the trouble is said with its remedy, and it goes away again."""
    store = await open_ledger("embedded", tmp_path)
    try:
        keeper = Keeper(store, clock, AGES, 3)
        await fill(store, events, [{"seen": ago(clock, 5), "detail": FILLER} for _ in range(2000)])
        assert await keeper.step() == 2000
        assert keeper.trouble is None
        await fill(store, events, [{"seen": ago(clock, 0.5), "detail": FILLER} for _ in range(2000)])
        assert await keeper.step() == 0
        assert "keep.max_mb" in str(keeper.trouble)
        clock.advance(86400)
        assert await keeper.step() == 2000
        assert keeper.trouble is None
    finally:
        await store.close()


def test_every_end_is_known() -> None:
    """What counts as ended: nothing that may still be carried out."""
    assert not TERMINAL & {EffectState.PLANNED, EffectState.WAITING, EffectState.RUNNING, EffectState.HELD}
