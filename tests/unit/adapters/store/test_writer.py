"""The writer's groups, and the disk below them."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from flyball.adapters.store import connect, writer
from flyball.adapters.store.errors import StoreError, StoreFull
from flyball.adapters.store.sqlite import LEDGER_NAME, SqliteStore
from flyball.ledger.tables import facts

SERVICE = Path(__file__).parents[4] / "service"
WAIT_SECONDS = 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / LEDGER_NAME


@pytest.fixture(autouse=True)
def _unhurried_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group takes in all that has arrived, however slow this machine is just now."""
    monkeypatch.setattr(writer, "GROUP_SECONDS", 60.0)


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(path) as opened:
        yield opened


def put(name: str, size: int = 1) -> Callable[[Connection], None]:
    """A work that adds one fact of `size` bytes."""

    def work(connection: Connection) -> None:
        connection.execute(insert(facts).values(name=name, value=b"x" * size, updated=0))

    return work


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(facts.c.name).order_by(facts.c.name)))


async def together(store: SqliteStore, works: list[Callable[[Connection], Any]]) -> list[Any]:
    """Submits all works while the writer is busy, so that they share a group; gives results or exceptions.

    The work that keeps the writer busy belongs to that group, and may be lost with it.
    """
    outcomes: list[Any] = [None] * (len(works) + 1)
    started, release = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        started.set()
        assert release.wait(WAIT_SECONDS)

    async def caller(index: int, work: Callable[[Connection], Any]) -> None:
        try:
            outcomes[index] = await store.write(work)
        except Exception as error:  # noqa: BLE001 - the outcome under test
            outcomes[index] = error

    async with asyncio.TaskGroup() as group:
        group.create_task(caller(-1, hold))
        await asyncio.to_thread(started.wait, WAIT_SECONDS)
        for index, work in enumerate(works):
            group.create_task(caller(index, work))
        await asyncio.sleep(0)
        release.set()
    return outcomes[:-1]


async def _error_of(call: Coroutine[Any, Any, None]) -> Exception | None:
    try:
        await call
    except StoreError as error:
        return error
    return None


class TestGroups:
    """Many works, one commit."""

    async def test_waiting_works_share_commits(self, store: SqliteStore) -> None:
        """Works that wait while another runs are committed by fewer commits than works, in the order they came."""
        works, commits = store.works, store.commits
        seen: list[int] = []

        def note(number: int) -> Callable[[Connection], None]:
            return lambda _: seen.append(number)

        await together(store, [note(number) for number in range(200)])
        assert store.works - works == 201
        assert store.commits - commits < 40
        assert seen == list(range(200))

    async def test_a_work_must_not_commit(self, store: SqliteStore) -> None:
        """A work that commits is stopped with the reason; what had run in its group is undone and told so."""

        def commits(connection: Connection) -> None:
            put("bad")(connection)
            connection.commit()

        outcomes = await together(store, [put("before"), commits, put("after")])
        assert isinstance(outcomes[0], StoreError)
        assert "must not commit" in str(outcomes[1])
        assert outcomes[2] is None
        assert await store.read(names) == ["after"]

    @pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
    async def test_ending_the_transaction_by_hand(self, store: SqliteStore, statement: str) -> None:
        """A work that ends the transaction in SQL is answered with an error, and the next ones are carried out."""
        outcomes = await together(store, [lambda c: c.execute(text(statement)).rowcount, put("after")])
        assert isinstance(outcomes[0], StoreError)
        assert await store.read(names) == ["after"]

    async def test_a_work_that_closes_the_connection(self, store: SqliteStore) -> None:
        """A work that closes what it was lent is answered with an error, and the next ones are carried out."""
        outcomes = await together(store, [lambda c: c.close(), put("after")])
        assert isinstance(outcomes[0], StoreError)
        assert await store.read(names) == ["after"]

    async def test_ledger_held_by_another_process(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """While another process holds the write lock for too long, all who wait are told after one wait; then it works."""
        monkeypatch.setattr(connect, "BUSY_SECONDS", 0.05)
        async with await SqliteStore.open(path) as store:
            await store.write(put("kept"))
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                async with asyncio.TaskGroup() as group:
                    waiting = [group.create_task(_error_of(store.write(put(f"{n}")))) for n in range(50)]
                assert {type(task.result()) for task in waiting} == {StoreError}
                assert "held the ledger for too long" in str(waiting[0].result())
                assert "held the ledger for too long" in str(store.trouble)
                assert await store.read(names) == ["kept"]
                other.execute("ROLLBACK")
            await store.write(put("later"))
            assert await store.read(names) == ["kept", "later"]
            assert store.trouble is None

    async def test_result_sets_end_with_the_transaction(self, store: SqliteStore) -> None:
        """A result set that a work lets out can be read by nobody, rather than keep the ledger's past alive."""
        await store.write(put("a"))
        for call in (store.write, store.read):
            escaped = await call(lambda c: c.execute(select(facts)))
            with pytest.raises(ProgrammingError, match="closed cursor"):
                escaped.fetchall()

    async def test_exceptions_that_futures_refuse(self, store: SqliteStore) -> None:
        """StopIteration, from a `next()` in a work, arrives as RuntimeError instead of never."""
        for call in (store.write, store.read):
            with pytest.raises(RuntimeError, match="StopIteration"):
                await call(lambda _: next(iter(())))

    async def test_error_texts_hide_values(self, store: SqliteStore) -> None:
        """SQLAlchemy's errors do not carry the values that were to be written."""
        with pytest.raises(OperationalError) as caught:
            await store.write(lambda c: c.execute(text("INSERT INTO none VALUES (:a)"), {"a": "Doe^Jane"}).rowcount)
        assert "Doe" not in str(caught.value)

    async def test_loop_that_ends_first(self, path: Path) -> None:
        """A loop that is closed without closing the store does not hang the process; what was accepted is written."""
        program = (
            "import asyncio, sys; from pathlib import Path; from sqlalchemy import text\n"
            "from flyball.adapters.store.sqlite import SqliteStore\n"
            "async def main():\n"
            "    store = await SqliteStore.open(Path(sys.argv[1]))\n"
            "    await store.write(lambda c: c.execute(text(\"INSERT INTO facts VALUES ('a', x'', 0)\")).rowcount)\n"
            "asyncio.run(main())\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(SERVICE)}
        subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=True, timeout=WAIT_SECONDS)
        async with await SqliteStore.open(path) as store:
            assert await store.read(names) == ["a"]


class TestFullDisk:
    """A disk without room: clear errors, nothing lost, and life afterwards."""

    async def test_full_and_free_again(self, store: SqliteStore) -> None:
        """When the file cannot grow, all who shared the group are told; earlier rows stay; with room it works again."""

        def bound(pages: int) -> Callable[[Connection], Any]:
            return lambda c: c.scalar(text(f"PRAGMA max_page_count={pages}"))

        await store.write(put("kept"))
        pages = await store.write(lambda c: c.scalar(text("PRAGMA page_count")))
        await store.write(bound(pages + 2))
        outcomes = await together(store, [put("small"), put("large", 1 << 20)])
        assert [type(outcome) for outcome in outcomes] == [StoreFull, StoreFull]
        assert all("disk is full" in str(outcome) for outcome in outcomes)
        assert outcomes[0] is not outcomes[1]
        assert "disk is full" in str(store.trouble)
        assert await store.read(names) == ["kept"]

        await store.write(bound(1 << 30))
        await store.write(put("large", 1 << 20))
        assert await store.read(names) == ["kept", "large"]
        assert store.trouble is None

    async def test_truly_full_disk(self, tmp_path: Path) -> None:
        """On a file system that has run full: refused writes, all acknowledged rows there, and work again after."""
        if shutil.which("unshare") is None:
            pytest.skip("this system cannot give a process a mount of its own")
        run = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", FULL_DISK, str(tmp_path)]
        done = subprocess.run(
            run, env={**os.environ, "PYTHONPATH": str(SERVICE)}, capture_output=True, timeout=60, check=False
        )
        if b"unshare" in done.stderr or b"no mount" in done.stdout:
            pytest.skip("this system lets nobody mount a small file system")
        assert done.returncode == 0, done.stderr.decode()
        assert b"kept" in done.stdout


# Fills a file system of 4 MiB with rows until it is full, then frees some room and goes on; starts again in between.
# More than half of it is freed: the write-ahead log may hold nearly all there is, and is copied before it is dropped.
FULL_DISK = """
import asyncio, subprocess, sys
from pathlib import Path
from sqlalchemy import insert, select
from flyball.adapters.store.errors import StoreFull
from flyball.adapters.store.sqlite import SqliteStore
from flyball.ledger.tables import facts
from flyball.model.errors import ConfigError

def put(name):
    return lambda c: c.execute(insert(facts).values(name=name, value=b"x" * 1000, updated=0)).rowcount

def names(connection):
    return set(connection.scalars(select(facts.c.name)))

async def main(folder):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "small", folder]).returncode:
        print("no mount")
        return
    filler = folder / "filler"
    filler.write_bytes(b"x" * 2_200_000)
    path = folder / "data" / "ledger.sqlite"
    store = await SqliteStore.open(path)
    told, refused = set(), set()

    async def caller(name):
        try:
            await store.write(put(name))
            told.add(name)
        except StoreFull:
            refused.add(name)

    for round in range(100):
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(caller(f"{round}/{number}"))
    assert told and refused, (len(told), len(refused))
    assert "disk is full" in store.trouble
    assert await store.read(names) == told
    await store.close()
    try:
        store = await SqliteStore.open(path)
    except ConfigError as error:
        assert "disk is full" in str(error), error
        filler.unlink()
        store = await SqliteStore.open(path)
    else:
        filler.unlink()
    assert await store.read(names) == told
    await store.write(put("afterwards"))
    assert await store.read(names) == told | {"afterwards"}
    await store.close()
    print("kept", len(told), "refused", len(refused))

asyncio.run(main(Path(sys.argv[1])))
"""
