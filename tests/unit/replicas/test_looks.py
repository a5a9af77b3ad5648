"""Looks that were handed to a replica, and that it could not decide."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Connection, select, update

from fakes.bench import SITE, Bench, node
from flyball.adapters.store.errors import StoreError
from flyball.adapters.store.postgres.errors import Fenced
from flyball.ledger.looking import Look, LookKey, owe_all
from flyball.ledger.tables import looks
from flyball.model.levels import Level
from flyball.replicas import looks as module
from flyball.replicas.looks import Looks
from flyball.replicas.parts import Parts
from flyball.wake import Bell
from flyball.workers.lease import Lease

RULES = """
rules:
  - {id: qc, each: file, since: all, do: [{tag: {on: file, set: {LOW: file.info.snr < 1.0}}}]}
"""
KEYS = [LookKey("qc", SITE, "file", ident) for ident in ("f0", "f1")]


class Deciding:
    """A dispatcher that does as it is told: an error, or the number of looks that it decided."""

    def __init__(self, *said: Exception | int | None) -> None:
        self.said = list(said)

    async def step(self, keys: Sequence[LookKey]) -> int:
        assert keys == KEYS
        said = self.said.pop(0)
        if said is None:
            await asyncio.Event().wait()
        if isinstance(said, Exception):
            raise said
        return cast("int", said)


class Store:
    """Writes to the bench's ledger; the first times may fail."""

    def __init__(self, bench: Bench, *failures: Exception) -> None:
        self._bench = bench
        self._failures = list(failures)

    async def write(self, work: Any) -> Any:
        if self._failures:
            raise self._failures.pop(0)
        return self._bench.ledger.do(work)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A ledger in which both looks are handed out."""
    monkeypatch.setattr(module, "AGAIN", 0.01)
    with Bench(RULES) as made:
        made.lab(*(node("file", key.target, name=key.target, info={"snr": 0.5}) for key in KEYS))
        owed = [(Look("qc", SITE, Level.FILE, key.target, Level.FILE), None) for key in KEYS]
        made.ledger.do(lambda connection: owe_all(connection, owed, now=made.clock.now()))
        made.ledger.do(lambda connection: connection.execute(update(looks).values(handed=1)).close())
        yield made


def replica(bench: Bench, deciding: Deciding, *failures: Exception) -> tuple[Looks, Bell]:
    """The looks of a replica that decides like this."""
    nothing: Any = None
    made = Looks("postgresql://nowhere/nothing", "flyball test", nothing, Lease(3.0), bench.clock)
    act = Bell()
    parts = SimpleNamespace(dispatcher=deciding, act=act)
    made.attach(cast("Any", Store(bench, *failures)), cast("Parts", parts))
    return made, act


def handed(bench: Bench) -> int:
    """How many of the looks are with somebody."""

    def work(connection: Connection) -> int:
        return len(connection.execute(select(looks.c.target).where(looks.c.handed.is_not(None))).all())

    return bench.ledger.do(work)


class TestDeciding:
    """A look that is not decided is handed back, whatever the reason was: nobody else knows of it."""

    async def test_all_are_decided(self, bench: Bench) -> None:
        """Then nothing is handed back, and what follows is carried out at once."""
        mine, act = replica(bench, Deciding(2))
        await mine._decide(KEYS)
        assert handed(bench) == 2
        assert act.rung

    async def test_some_could_not_be_decided(self, bench: Bench) -> None:
        """Their site is just being read, or they were decided elsewhere."""
        mine, act = replica(bench, Deciding(0))
        await mine._decide(KEYS)
        assert handed(bench) == 0
        assert not act.rung

    @pytest.mark.parametrize("error", [StoreError("away"), Fenced("declared dead")])
    async def test_the_ledger_is_not_to_be_written(self, bench: Bench, error: Exception) -> None:
        """It is waited for: a database that restarts, or a replica that has to join again."""
        mine, act = replica(bench, Deciding(error, error, 2))
        await mine._decide(KEYS)
        assert handed(bench) == 2
        assert act.rung

    async def test_the_queue_breaks_off(self, bench: Bench) -> None:
        """What was in hand then is handed back with the next ones that are handed out, though not at once."""
        mine, _ = replica(bench, Deciding(None), StoreError("away"))
        deciding = asyncio.get_running_loop().create_task(mine._decide(KEYS))
        await asyncio.sleep(0)
        deciding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deciding
        with pytest.raises(StoreError):
            await mine._give_back()
        assert handed(bench) == 2
        await mine._give_back()
        assert handed(bench) == 0

    async def test_a_mistake(self, bench: Bench) -> None:
        """An error that nobody thought of fails the job, and not the looks."""
        mine, _ = replica(bench, Deciding(ValueError("odd")))
        with pytest.raises(ValueError, match="odd"):
            await mine._decide(KEYS)
        await mine._give_back()
        assert handed(bench) == 0
