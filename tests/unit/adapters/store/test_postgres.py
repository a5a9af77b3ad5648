"""The store in PostgreSQL, where it differs from SQLite's: broken connections, several processes, refusals."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, select, text

from fakes.clock import START
from flyball.adapters.store import migrations
from flyball.adapters.store.errors import NoLedger, StoreError
from flyball.adapters.store.postgres import schema
from flyball.adapters.store.postgres.connect import plainly
from flyball.adapters.store.postgres.copying import copy_database
from flyball.adapters.store.postgres.errors import Fenced, StoreUnreachable
from flyball.adapters.store.postgres.store import PostgresStore
from flyball.adapters.store.sqlite import SqliteStore
from flyball.ledger.noticing import load_fact, save_fact
from flyball.ledger.tables import facts
from flyball.model.errors import ConfigError
from support.cutting import Cut, Wire
from support.server import Server

SEED = 20261120


@pytest.fixture
def address() -> str:
    """An empty database."""
    return Server.shared().new_database()


@pytest.fixture
def wire(address: str) -> Iterator[Wire]:
    """A wire to it that can be cut."""
    with Wire(address) as made:
        yield made


@pytest.fixture
async def store(wire: Wire) -> AsyncIterator[PostgresStore]:
    """A store at the end of the wire, with a table to count in."""
    async with await PostgresStore.open(wire.address, patience=60.0) as opened:
        await opened.write(lambda c: c.execute(text("CREATE TABLE done (number integer)")).rowcount)
        yield opened


def put(number: int) -> Callable[[Connection], int]:
    """A work that is seen if it is carried out twice."""

    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO done VALUES (:n)"), {"n": number})
        return number

    return work


def many(connection: Connection) -> None:
    for number in range(2500):
        save_fact(connection, f"fact {number}", {"n": number}, START)


def done(connection: Connection) -> list[int]:
    return sorted(connection.scalars(text("SELECT number FROM done")))


class TestBrokenConnections:
    """A work is carried out once, wherever the connection breaks."""

    @pytest.mark.parametrize("cut", ["before", "after"])
    async def test_commit_without_answer(self, cut: Cut, wire: Wire, store: PostgresStore) -> None:
        """Whether or not the server had committed when the connection broke, the work is done once."""
        wire.plan = [cut]
        assert await store.write(put(1)) == 1
        assert wire.cuts == 1
        assert await store.read(done) == [1]

    async def test_many_cuts(self, wire: Wire, store: PostgresStore) -> None:
        """Hundreds of works with connections that break at every third commit: each is done once."""
        dice = random.Random(SEED)  # noqa: S311 - moments, repeatable
        choices: list[Cut | None] = ["before", "after", None, None, None, None]
        wire.plan = [dice.choice(choices) for _ in range(10_000)]

        async def one(numbers: Iterator[int]) -> None:
            while (number := next(numbers)) < 200 or wire.cuts < 10:  # works that wait together share a commit
                await store.write(put(number))
                written.append(number)

        written: list[int] = []
        numbers = itertools.count()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(one(numbers))
        wire.plan = []
        assert len(written) >= 200
        assert await store.read(done) == sorted(written)

    async def test_connections_that_died_meanwhile(self, wire: Wire, store: PostgresStore) -> None:
        """Reads and writes go on over new connections after all were cut."""
        await store.write(put(1))
        await store.read(done)
        wire.cut_all()
        await store.write(put(2))
        wire.cut_all()
        assert await store.read(done) == [1, 2]

    async def test_a_database_that_is_away_for_long(self, wire: Wire) -> None:
        """After a while callers hear that nothing of their works was kept; then it works again by itself."""
        async with await PostgresStore.open(wire.address, patience=0.5) as store:
            await store.write(lambda c: c.execute(text("CREATE TABLE done (number integer)")).rowcount)
            wire.down = True
            wire.cut_all()
            begun = time.monotonic()
            with pytest.raises(StoreUnreachable, match="cannot be reached"):
                await store.write(put(1))
            with pytest.raises(StoreError):
                await store.read(done)
            assert time.monotonic() - begun < 60
            assert store.trouble is not None
            wire.down = False
            await store.write(put(2))
            assert await store.read(done) == [2]
            assert store.trouble is None

    async def test_a_silent_transaction_loses_its_lock(self, address: str, store: PostgresStore) -> None:
        """What a stopped process holds is taken from it by the server: others write a few seconds later."""
        async with await PostgresStore.open(address) as other:
            await other.write(put(1))
            assert other._writer is not None
            with other._writer.engine.connect() as connection:
                begun = time.monotonic()
                connection.begin()  # as a process that is stopped in the middle of its transaction
                await store.write(put(2))
                assert 2 < time.monotonic() - begun < 60
                connection.invalidate()
            assert await store.read(done) == [1, 2]

    async def test_declared_dead_meanwhile(self, address: str) -> None:
        """Whose connection broke, and who may not write any more when it comes back, hears the latter."""
        fenced = False

        def begin(driver: psycopg.Connection[Any]) -> None:
            if fenced:
                raise Fenced("others have its work")
            plainly(driver)

        def break_off(connection: Connection) -> None:
            nonlocal fenced
            fenced = True
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        async with await PostgresStore.open(address, begin=begin) as store:
            with pytest.raises(Fenced):
                await store.write(break_off)


class TestTogether:
    """Several processes on one ledger."""

    async def test_all_start_at_once(self, address: str) -> None:
        """Eight stores are opened on an empty database at once: one makes the tables, all work."""
        async with asyncio.TaskGroup() as tasks:
            opening = [tasks.create_task(PostgresStore.open(address)) for _ in range(8)]
        stores = [task.result() for task in opening]
        assert [await store.read(migrations.current) for store in stores] == [migrations.HEAD] * 8
        for store in stores:
            await store.close()

    async def test_works_follow_one_another(self, address: str) -> None:
        """What a work has read is still so when it writes, whoever writes beside it."""

        def add(connection: Connection) -> None:
            found = load_fact(connection, "count") or 0
            save_fact(connection, "count", found + 1, START)

        async def some(store: PostgresStore) -> None:
            for _ in range(40):
                await store.write(add)

        stores = [await PostgresStore.open(address) for _ in range(3)]
        async with asyncio.TaskGroup() as tasks:
            for store in stores:
                tasks.create_task(some(store))
        assert await stores[0].read(lambda connection: load_fact(connection, "count")) == 120
        for store in stores:
            await store.close()


class TestTexts:
    """Whatever a site may hold can be kept."""

    async def test_odd_characters(self, address: str) -> None:
        """NUL, a half of a character and a very long name do not stop the ledger."""
        name = "a\0b\ud800c" + "x" * 500
        async with await PostgresStore.open(address) as store:
            await store.write(lambda c: save_fact(c, name, 1, START))
            found = await store.read(lambda c: list(c.scalars(select(facts.c.name))))
        assert found == ["a\ufffdb?c" + "x" * 500]


class TestRefusals:
    """What a person must mend is said at the start, without the password."""

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (("/t", "/no_such_t"), "there is no such database"),
            (("postgres:@", "nobody:hunter2@"), "role|user"),
            (("host=", "host=/nowhere"), "cannot be opened"),
        ],
        ids=["database", "user", "host"],
    )
    async def test_cannot_be_opened(self, change: tuple[str, str], said: str, address: str) -> None:
        """A wrong database, user or host is named."""
        with pytest.raises(ConfigError, match=said) as caught:
            await PostgresStore.open(address.replace(*change, 1))
        assert "hunter2" not in str(caught.value)

    async def test_wrong_password(self, address: str) -> None:
        """A wrong password is called so, and not repeated."""
        guarded = Server.shared().guarded(address, "right")
        async with await PostgresStore.open(guarded.replace("WORD", "right")) as store:
            assert await store.read(migrations.current) == migrations.HEAD
        with pytest.raises(ConfigError, match="the user or the password is wrong") as caught:
            await PostgresStore.open(guarded.replace("WORD", "hunter2"))
        assert "hunter2" not in str(caught.value)

    async def test_old_server(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A server that is too old is refused with both versions."""
        monkeypatch.setattr(schema, "OLDEST", 990_000)
        with pytest.raises(ConfigError, match=r"is PostgreSQL 1\d; Flyball needs 99 or newer"):
            await PostgresStore.open(address)

    async def test_nothing_to_read(self, address: str) -> None:
        """A reader makes nothing."""
        with pytest.raises(NoLedger, match="there is no ledger"):
            await PostgresStore.open(address, read_only=True)
        assert Server.shared().query(address, "SELECT 1 FROM pg_tables WHERE tablename = 'facts'") == []

    async def test_tables_of_others(self, address: str) -> None:
        """Tables named like ours are not touched; others beside ours do not matter."""
        Server.shared().query(address, "CREATE TABLE effects (id integer)")
        with pytest.raises(ConfigError, match="tables named like a ledger's"):
            await PostgresStore.open(address)
        Server.shared().query(address, "ALTER TABLE effects RENAME TO sound_effects")
        await (await PostgresStore.open(address)).close()


class TestSteps:
    """The schema's history on PostgreSQL."""

    async def test_steps_make_what_the_tables_describe(self, address: str) -> None:
        """All steps together make the columns and indexes that the ledger's description makes."""
        other = Server.shared().new_database()
        shape = (
            "SELECT table_name, column_name, data_type, collation_name, is_nullable, character_maximum_length"
            " FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
            " ORDER BY 1, 2"
        )
        indexes = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
        async with await PostgresStore.open(address) as store, await PostgresStore.open(other) as stepped:
            for table in [*facts.metadata.tables, "alembic_version"]:
                Server.shared().query(other, f"DROP TABLE {table}")
            await stepped.write(migrations.upgrade)
            assert await stepped.read(migrations.current) == await store.read(migrations.current)
        for question in (shape, indexes):
            assert Server.shared().query(address, question) == Server.shared().query(other, question)


class TestCopies:
    """`plan` and `why` work on a copy in a file."""

    async def test_copy(self, address: str, tmp_path: Path) -> None:
        """The rows are there as they were; without a ledger there is no copy."""
        assert copy_database(address, tmp_path / "none.sqlite") is False
        async with await PostgresStore.open(address) as store:
            await store.write(many)
        target = tmp_path / "data" / "copy.sqlite"
        target.parent.mkdir()
        assert copy_database(address, target)
        async with await SqliteStore.open(target) as copy:
            assert await copy.read(lambda c: load_fact(c, "fact 2499")) == {"n": 2499}
