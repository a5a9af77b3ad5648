"""Messages on every store: put off, bundled, kept quiet and told, by the same moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from flyball.adapters.store.postgres.store import PostgresStore
from flyball.adapters.store.sqlite import LEDGER_NAME, SqliteStore
from flyball.ledger.acting import take
from flyball.ledger.alerting import is_repeat_due, repeat_due
from flyball.ledger.book import store_book
from flyball.ledger.deciding import see_rules
from flyball.ledger.finishing import End, finish_all
from flyball.ledger.planning import add_effect
from flyball.ledger.silencing import kept_back, lift, silence, silences_at
from flyball.ledger.tables import alerts, effects, posts, told
from flyball.model.effect import Effect, EffectState, Outcome, Report
from flyball.model.levels import Level
from flyball.model.node import Target
from flyball.model.ports import Store
from flyball.rules.claims import Book, Claim, Planned
from flyball.rules.posting import Digest, Route
from support.server import Server

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MORNING = NOON + timedelta(hours=19, minutes=30)
ROUTES = {"lab": Route(digest=Digest(time(7, 30)))}


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A new ledger, embedded or shared."""
    opened: Store
    if request.param == "sqlite":
        opened = await SqliteStore.open(tmp_path / LEDGER_NAME)
    else:
        opened = await PostgresStore.open(Server.shared().new_database())
    yield opened
    await opened.close()


def ask_for(*targets: str) -> Callable[[Connection], None]:
    """A rule wants an alert for each of the targets."""

    def work(connection: Connection) -> None:
        see_rules(connection, {"r": "1"}, NOON)
        book = Book()
        for ident in targets:
            params: dict[str, Any] = {"channel": "lab", "title": ident, "body": "", "severity": "info", "repeat": 60.0}
            target = Target("main", Level.SESSION, ident, f"g/p/s/{ident}")
            claim = Claim("r", target, "0.alert", "alert", f"fb-{ident}", params, "resolve")
            book.add_claim(claim)
            planned = Planned("r", target, "alert", claim.once_key, claim.slot, "", {**params, "status": "open"}, False)
            add_effect(connection, planned, version="1", state=EffectState.PLANNED, decision=None, now=NOON)
        store_book(connection, book, NOON)

    return work


async def taken(store: Store, now: datetime) -> list[Effect]:
    """What is begun now."""
    return await store.write(lambda connection: take(connection, now, 10, ["main"], {}, ROUTES))


async def test_a_digest(store: Store) -> None:
    """Put off until its time, then sent as one; each alert is told, and said again when it is time."""
    await store.write(ask_for("a", "b"))
    assert await taken(store, NOON) == []
    assert await store.read(kept_back) == {"silence": 0, "digest": 2, "group": 0}
    (one,) = await taken(store, MORNING)
    assert [item["title"] for item in one.params["items"]] == ["a", "b"]
    ends = [End(one, Report(Outcome.DONE, {"channel": "lab"}))]
    await store.write(lambda connection: finish_all(connection, ends, MORNING, route=lambda _change: []))
    states = await store.read(lambda connection: connection.execute(select(effects.c.state)).scalars().all())
    assert states == ["done", "done"]
    counted = await store.read(lambda connection: connection.execute(select(alerts.c.status, alerts.c.count)).all())
    assert [tuple(row) for row in counted] == [("open", 1), ("open", 1)]
    assert await store.read(lambda connection: connection.execute(select(posts.c.effect)).all()) == []
    assert len(await store.read(lambda connection: connection.execute(select(told.c.sent)).all())) == 2
    later = MORNING + timedelta(seconds=60)
    assert not await store.read(lambda connection: is_repeat_due(connection, MORNING))
    assert await store.read(lambda connection: is_repeat_due(connection, later))
    assert await store.write(lambda connection: repeat_due(connection, later)) == 2


async def test_a_silence(store: Store) -> None:
    """Kept until it is lifted."""
    until = MORNING + timedelta(days=9)
    await store.write(ask_for("a"))
    made = await store.write(lambda connection: silence(connection, "r", until, "why", NOON))
    assert await taken(store, MORNING) == []
    assert await store.read(lambda connection: silences_at(connection, MORNING)) == [made]
    assert (await store.read(kept_back))["silence"] == 1
    await store.write(lambda connection: lift(connection, str(made.id), MORNING))
    assert len(await taken(store, MORNING)) == 1
    assert await store.read(lambda connection: silences_at(connection, MORNING)) == []
