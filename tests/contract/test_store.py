"""What every store promises, run against each adapter: add one by adding a `Backing` to `BACKINGS`."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from flyball.adapters.store import migrations
from flyball.adapters.store.postgres.store import PostgresStore
from flyball.adapters.store.sqlite import LEDGER_NAME, SqliteStore
from flyball.ledger.tables import metadata
from flyball.model.errors import ConfigError, Stopping
from flyball.model.ports import Store
from support.server import Server

SERVICE = Path(__file__).parents[2] / "service"
WAIT_SECONDS = 30

own = MetaData()
things = Table(
    "contract_things",
    own,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("writer", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", String(40), unique=True),
)


class Backing(Protocol):
    """One kind of store, on a place of its own."""

    async def open(self) -> Store:
        """The store as the daemon opens it: brought up and ready."""
        ...

    def opening(self) -> tuple[str, str]:
        """An import line and an expression by which another process opens the same place."""
        ...


class Embedded:
    """SQLite in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "data" / LEDGER_NAME

    async def open(self) -> Store:
        return await SqliteStore.open(self.path)

    def opening(self) -> tuple[str, str]:
        imports = "from pathlib import Path; from flyball.adapters.store.sqlite import SqliteStore"
        return imports, f"SqliteStore.open(Path({str(self.path)!r}))"


class Shared:
    """PostgreSQL, in a database of its own."""

    def __init__(self, _folder: Path) -> None:
        self.address = Server.shared().new_database()

    async def open(self) -> Store:
        return await PostgresStore.open(self.address)

    def opening(self) -> tuple[str, str]:
        imports = "from flyball.adapters.store.postgres.store import PostgresStore"
        return imports, f"PostgresStore.open({self.address!r})"


BACKINGS: dict[str, Callable[[Path], Backing]] = {"sqlite": Embedded, "postgres": Shared}


@pytest.fixture(params=BACKINGS)
def backing(request: pytest.FixtureRequest, tmp_path: Path) -> Backing:
    return BACKINGS[request.param](tmp_path)


@pytest.fixture
async def store(backing: Backing) -> AsyncIterator[Store]:
    opened = await backing.open()
    await opened.write(own.create_all)
    yield opened
    await opened.close()


def put(number: int, *, writer: int = 0, name: str | None = None) -> Callable[[Connection], int]:
    """A work that adds one row and returns its number."""

    def work(connection: Connection) -> int:
        connection.execute(insert(things).values(writer=writer, number=number, name=name))
        return number

    return work


def put_and_fail(number: int) -> Callable[[Connection], int]:
    """A work that adds one row and then raises LookupError."""

    def work(connection: Connection) -> int:
        put(number)(connection)
        raise LookupError(str(number))

    return work


def numbers(connection: Connection) -> list[int]:
    return list(connection.scalars(select(things.c.number).order_by(things.c.id)))


def rows(connection: Connection) -> list[tuple[int, int]]:
    return [(writer, number) for writer, number in connection.execute(select(things.c.writer, things.c.number))]


@asynccontextmanager
async def busy(store: Store) -> AsyncIterator[asyncio.TaskGroup]:
    """Keeps the writer at work during the block; what the tasks of the group write waits, and can share a commit."""
    started, release = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        started.set()
        assert release.wait(WAIT_SECONDS)

    async with asyncio.TaskGroup() as group:
        group.create_task(store.write(hold))
        await asyncio.to_thread(started.wait, WAIT_SECONDS)
        try:
            yield group
            await asyncio.sleep(0)
        finally:
            release.set()


async def together(store: Store, works: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    """Submits all works while the writer is busy; gives results or exceptions."""
    outcomes: list[Any] = [None] * len(works)

    async def caller(place: int, work: Callable[[Connection], Any]) -> None:
        try:
            outcomes[place] = await store.write(work)
        except Exception as error:  # noqa: BLE001 - the outcome under test
            outcomes[place] = error

    async with busy(store) as group:
        for place, work in enumerate(works):
            group.create_task(caller(place, work))
    return outcomes


class TestWrites:
    """One work, one transaction, whoever shares the commit."""

    async def test_result_and_row(self, store: Store) -> None:
        """A write returns what its work returned, and a read begun afterwards sees what it wrote."""
        assert await store.write(put(7)) == 7
        assert await store.read(numbers) == [7]

    async def test_failing_works_are_rolled_back_alone(self, store: Store) -> None:
        """Of works committed together, those that raise or are refused a row leave nothing, and all others stay."""
        await store.write(put(-1, name="taken"))
        outcomes = await together(store, [(put_and_fail(n), put(n, name="taken"), put(n))[n % 3] for n in range(60)])
        assert [type(outcome) for outcome in outcomes] == [LookupError, IntegrityError, int] * 20
        assert [str(outcome) for outcome in outcomes[::3]] == [str(number) for number in range(0, 60, 3)]
        assert sorted(await store.read(numbers)) == [-1, *range(2, 60, 3)]

    async def test_a_work_may_use_savepoints(self, store: Store) -> None:
        """A work can try something in a nested transaction, see it refused, and go on."""

        def work(connection: Connection) -> None:
            put(1, name="a")(connection)
            with pytest.raises(IntegrityError), connection.begin_nested():
                put(2, name="a")(connection)
            put(3, name="b")(connection)

        await store.write(work)
        assert await store.read(numbers) == [1, 3]

    async def test_order_of_one_caller(self, store: Store) -> None:
        """What one caller writes one after another stands in that order, while others write too."""

        async def caller(writer: int) -> None:
            for number in range(50):
                await store.write(put(number, writer=writer))

        async with asyncio.TaskGroup() as group:
            for writer in range(8):
                group.create_task(caller(writer))

        def by_writer(connection: Connection) -> dict[int, list[int]]:
            found: dict[int, list[int]] = defaultdict(list)
            for writer, number in connection.execute(select(things.c.writer, things.c.number).order_by(things.c.id)):
                found[writer].append(number)
            return found

        assert await store.read(by_writer) == {writer: list(range(50)) for writer in range(8)}

    async def test_ten_thousand_at_once(self, store: Store) -> None:
        """Ten thousand small writes that are all waiting at once are all written, once each."""
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(10_000):
                group.create_task(store.write(put(number)))
        took = time.perf_counter() - begun
        print(f"10,000 concurrent writes: {10_000 / took:,.0f}/s")
        assert sorted(await store.read(numbers)) == list(range(10_000))

    async def test_cancelled_caller(self, store: Store) -> None:
        """A caller that is cancelled while waiting is let go at once; its accepted work is committed all the same."""
        async with busy(store) as group:
            waiting = group.create_task(store.write(put(1)))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await store.write(put(2))
        assert await store.read(numbers) == [1, 2]


class TestReads:
    """A read sees one state and cannot change it."""

    async def test_snapshot_is_stable(self, store: Store) -> None:
        """A read that has begun does not see what is committed meanwhile; the next one does."""
        await store.write(put(1))
        looked, written = threading.Event(), threading.Event()

        def twice(connection: Connection) -> tuple[list[int], list[int]]:
            first = numbers(connection)
            looked.set()
            assert written.wait(WAIT_SECONDS)
            return first, numbers(connection)

        async with asyncio.TaskGroup() as group:
            reading = group.create_task(store.read(twice))
            await asyncio.to_thread(looked.wait, WAIT_SECONDS)
            await store.write(put(2))
            written.set()
        assert reading.result() == ([1], [1])
        assert await store.read(numbers) == [1, 2]

    async def test_reading_cannot_write(self, store: Store) -> None:
        """A work given to `read` by mistake fails, and nothing is written."""
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            await store.read(put(1))
        assert await store.read(numbers) == []

    async def test_leftovers_keep_no_old_state(self, store: Store) -> None:
        """Reads that raise half-way through their rows, and whose exceptions are kept, do not make later reads stale."""
        for number in range(10):
            await store.write(put(number))
        kept = []

        def half_way(connection: Connection) -> None:
            result = connection.execute(select(things))
            result.fetchone()
            raise LookupError("half-way")

        for _ in range(20):
            with pytest.raises(LookupError, match="half-way") as caught:
                await store.read(half_way)
            kept.append(caught.value)
        await store.write(put(10))
        assert [await store.read(numbers) for _ in kept] == [list(range(11))] * 20


class TestClosing:
    """Nothing that was accepted is dropped."""

    async def test_accepted_works_are_finished(self, backing: Backing) -> None:
        """Works that wait when `close` is called are carried out and answered; later calls hear `Stopping`."""
        store = await backing.open()
        await store.write(own.create_all)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(store.write(put(number))) for number in range(500)]
            await asyncio.sleep(0)
            await store.close()
            assert [task.result() for task in waiting] == list(range(500))
        with pytest.raises(Stopping):
            await store.write(put(1))
        with pytest.raises(Stopping):
            await store.read(numbers)
        await store.close()

        store = await backing.open()
        assert await store.read(numbers) == list(range(500))
        await store.close()


class TestSchema:
    """The daemon brings its own tables up."""

    async def test_from_nothing_and_again(self, backing: Backing) -> None:
        """A new place gets exactly the tables that the ledger describes, but for what the store keeps for itself; opening
        it again changes nothing.
        """

        def is_the_ledgers(_: Any, name: str | None, *__: Any) -> bool:
            return not str(name).startswith("flyball_")

        def differences(connection: Connection) -> list[Any]:
            opts = {"compare_type": True, "include_object": is_the_ledgers}
            return list(compare_metadata(MigrationContext.configure(connection, opts=opts), metadata))

        facts = metadata.tables["facts"]
        store = await backing.open()
        assert await store.read(differences) == []
        assert await store.read(migrations.current) == migrations.HEAD
        await store.write(lambda c: c.execute(insert(facts).values(name="kept", value=b"1", updated=1)).rowcount)
        await store.close()

        again = await backing.open()
        assert await again.read(differences) == []
        assert await again.read(lambda c: c.scalar(select(func.count()).select_from(facts))) == 1
        await again.close()

    async def test_newer_schema_is_refused(self, backing: Backing) -> None:
        """A ledger that a later program has changed is refused with both revisions named, and left alone."""
        store = await backing.open()
        await store.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")).rowcount)
        await store.close()
        with pytest.raises(ConfigError, match=f"newer Flyball .*9999.*{migrations.HEAD}"):
            await backing.open()

    async def test_a_failing_work_keeps_no_tables(self, store: Store) -> None:
        """Data definition belongs to the transaction too: a work that makes a table and raises leaves none."""

        def work(connection: Connection) -> None:
            connection.execute(text("CREATE TABLE passing (id INTEGER)"))
            raise LookupError

        with pytest.raises(LookupError):
            await store.write(work)
        assert not await store.read(lambda c: inspect(c).has_table("passing"))


WRITERS = 12
KILLS = 5

# Prints `writer number` once the store says that the row is durable; ends only by being killed.
PROGRAM = """
import asyncio, os
from sqlalchemy import text
{imports}

async def caller(store, writer, begin):
    for number in range(begin, begin + 1_000_000):
        await store.write(lambda c: c.execute(
            text("INSERT INTO contract_things (writer, number) VALUES (:w, :n)"), dict(w=writer, n=number)).rowcount)
        os.write(1, f"{{writer}} {{number}}\\n".encode())

async def main():
    store = await {expression}
    async with asyncio.TaskGroup() as group:
        for writer in range({writers}):
            group.create_task(caller(store, writer, {begin}))

asyncio.run(main())
"""


class TestKills:
    """What was said to be durable is there after kill -9."""

    async def test_every_acknowledged_write_survives(self, backing: Backing) -> None:
        """Five times a writing process is killed at a random moment: no acknowledged row is missing, none is doubled."""
        store = await backing.open()
        await store.write(own.create_all)
        await store.close()
        imports, expression = backing.opening()
        dice = random.Random(20)  # noqa: S311 - moments, not secrets
        told = 0
        for kill in range(KILLS):
            begin = kill * 1_000_000
            program = PROGRAM.format(imports=imports, expression=expression, writers=WRITERS, begin=begin)
            said = _killed_after(program, dice.randint(1, 3000))
            told += len(said)

            store = await backing.open()
            there = await store.read(rows)
            await store.close()
            assert len(set(there)) == len(there)
            assert said <= set(there)
            for writer in range(WRITERS):
                mine = sorted(number for who, number in there if who == writer and number >= begin)
                assert mine == list(range(begin, begin + len(mine)))
        print(f"{KILLS} kills, {told:,} acknowledged writes, 0 lost")


def _killed_after(program: str, lines: int) -> set[tuple[int, int]]:
    """Runs `program`, kills it with SIGKILL after it has printed `lines` lines, and gives all that it printed."""
    environment = {**os.environ, "PYTHONPATH": str(SERVICE)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if len(said) == lines:
                process.kill()
        trouble = process.stderr.read()
    assert process.returncode == -signal.SIGKILL, trouble.decode()
    return {(int(writer), int(number)) for writer, number in (line.split() for line in said if line.endswith(b"\n"))}
