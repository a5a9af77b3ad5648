"""The embedded store: what is SQLite's own beyond the contract of all stores."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text

from flyball.adapters.store import migrations, place
from flyball.adapters.store.errors import AlreadyRunning, NoLedger
from flyball.adapters.store.lock import FolderLock, holder
from flyball.adapters.store.schema import bring_up
from flyball.adapters.store.sqlite import LEDGER_NAME, SqliteStore
from flyball.ledger.tables import facts
from flyball.model.errors import ConfigError

SERVICE = Path(__file__).parents[4] / "service"
WAIT_SECONDS = 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / LEDGER_NAME


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


class TestFile:
    """The file, its neighbours, and how it is opened."""

    async def test_settings(self, store: SqliteStore) -> None:
        """The writing connection logs ahead, flushes at each commit, minds foreign keys and waits for others."""

        def settings(connection: Connection) -> dict[str, Any]:
            asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "auto_vacuum", "temp_store")
            return {name: connection.scalar(text(f"PRAGMA {name}")) for name in asked}

        assert await store.write(settings) == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "busy_timeout": 10_000,
            "auto_vacuum": 2,
            "temp_store": 2,
        }

    async def test_modes(self, path: Path, store: SqliteStore) -> None:
        """The folder, the ledger and the files beside it are their owner's alone."""
        await store.write(put("a"))
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert modes == dict.fromkeys(["flyball.lock", LEDGER_NAME, f"{LEDGER_NAME}-wal", f"{LEDGER_NAME}-shm"], 0o600)
        assert path.parent.stat().st_mode & 0o777 == 0o700

    async def test_closed_ledger_is_one_file(self, path: Path) -> None:
        """After a clean close nothing is left in a log: the one file can be copied as it is."""
        async with await SqliteStore.open(path) as store:
            await store.write(put("a"))
            await store.read(names)
        assert sorted(file.name for file in path.parent.iterdir()) == ["flyball.lock", LEDGER_NAME]

    async def test_odd_names(self, tmp_path: Path) -> None:
        """Folders with signs that mean something in addresses are opened as they are called."""
        path = tmp_path / "50% of? #1 ü & more" / LEDGER_NAME
        async with await SqliteStore.open(path) as store:
            await store.write(put("a"))
        async with await SqliteStore.open(path) as store:
            assert await store.read(names) == ["a"]
        assert path.exists()

    async def test_old_copy_of_the_log_is_read(self, path: Path, store: SqliteStore, tmp_path: Path) -> None:
        """A folder as a power cut leaves it, with the log beside the file, opens with all that was acknowledged."""
        await store.write(put("a"))
        left = tmp_path / "left"
        left.mkdir()
        for file in path.parent.glob(f"{LEDGER_NAME}*"):
            (left / file.name).write_bytes(file.read_bytes())
        async with await SqliteStore.open(left / LEDGER_NAME) as again:
            assert await again.read(names) == ["a"]


class TestRefusals:
    """What cannot be opened is refused with the place and the remedy, and left as it is."""

    async def test_second_owner(self, path: Path, store: SqliteStore) -> None:
        """A second daemon on the folder is refused with the process number of the first, which works on."""
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} on"):
            await SqliteStore.open(path)
        await store.write(put("a"))
        assert await store.read(names) == ["a"]

    async def test_failed_opening_frees_the_folder(self, path: Path) -> None:
        """A refusal leaves no lock behind."""
        path.parent.mkdir()
        path.write_text("something else " * 100)
        with pytest.raises(ConfigError):
            await SqliteStore.open(path)
        assert holder(path.parent) is None
        with FolderLock.take(path.parent):
            pass

    @pytest.mark.parametrize("content", [b"not a database " * 1000, b"SQLite format 3\x00" + b"\xff" * 8000, b"x" * 50])
    async def test_something_else(self, path: Path, content: bytes) -> None:
        """A file that is no database is refused as damaged, and not touched."""
        path.parent.mkdir()
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=f"the ledger {path} is damaged"):
            await SqliteStore.open(path)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("damage", ["middle", "cut"])
    async def test_damaged_ledger(self, path: Path, damage: str) -> None:
        """A ledger with pages overwritten, or cut short, is refused, and not touched."""
        async with await SqliteStore.open(path) as store:
            for number in range(50):
                await store.write(put(f"{number}", 2000))
        content = bytearray(path.read_bytes())
        if damage == "middle":
            content[12288:-4096] = os.urandom(len(content) - 16384)
        else:
            del content[-65536:]
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=f"the ledger {path} is damaged.*keep the file"):
            await SqliteStore.open(path)
        assert path.read_bytes() == content

    async def test_other_database(self, path: Path) -> None:
        """A sound database of another program is refused, and gets no tables of ours."""
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE theirs (id INTEGER)")
        with pytest.raises(ConfigError, match="no ledger of Flyball's"):
            await SqliteStore.open(path)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]

    async def test_folder_in_place_of_the_file(self, path: Path) -> None:
        """A folder with the ledger's name is refused with that name."""
        path.mkdir(parents=True)
        with pytest.raises(ConfigError, match=f"{path}"):
            await SqliteStore.open(path)

    async def test_network(self, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A ledger on a network file system is refused, also for reading."""
        mounts = tmp_path / "mounts"
        mounts.write_text(f"1 1 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path} rw - nfs4 filer:/x rw\n")
        monkeypatch.setattr(place, "MOUNTS", mounts)
        for mode in ({}, {"guest": True}, {"read_only": True}):
            with pytest.raises(ConfigError, match=r"network file system \(nfs4\)"):
                await SqliteStore.open(path, **mode)

    async def test_read_only_folder(self, powerless: Path) -> None:
        """A folder that the user may not write to is named, with the remedy; so is a place where none can be made."""
        (powerless / "shut").mkdir(mode=0o500)
        with pytest.raises(ConfigError, match=r"shut.*Permission denied; the data folder must be writable"):
            await SqliteStore.open(powerless / "shut" / LEDGER_NAME)
        with pytest.raises(ConfigError, match=r"Permission denied; the data folder must be writable"):
            await SqliteStore.open(powerless / "shut" / "data" / LEDGER_NAME)

    async def test_read_only_ledger(self, powerless: Path) -> None:
        """A ledger file that the user may only read is named as read-only, and can be read."""
        path = powerless / "data" / LEDGER_NAME
        path.chmod(0o400)
        with pytest.raises(ConfigError, match=f"the ledger {path} could not be used: the file or its folder"):
            await SqliteStore.open(path)
        async with await SqliteStore.open(path, read_only=True) as reader:
            assert await reader.read(names) == ["a"]


@pytest.fixture
def powerless() -> Iterator[Path]:
    """A folder of an ordinary user, as whom the test runs, with a ledger in `data`: for root nothing is read-only."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        path = folder / "data" / LEDGER_NAME
        path.parent.mkdir()
        bring_up(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("INSERT INTO facts (name, value, updated) VALUES ('a', x'', 0)")
            connection.commit()
        if os.geteuid() != 0:
            yield folder
            return
        for owned in (folder, path.parent, path):
            os.chown(owned, 65534, 65534)
        os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(0)


class TestBeside:
    """Other processes' openings while a daemon runs, or when none does."""

    async def test_reader_beside_the_owner(self, path: Path, store: SqliteStore) -> None:
        """A reader sees what the owner has written, cannot write, and disturbs nobody."""
        await store.write(put("a"))
        async with await SqliteStore.open(path, read_only=True) as reader:
            assert await reader.read(names) == ["a"]
            await store.write(put("b"))
            assert await reader.read(names) == ["a", "b"]
            with pytest.raises(RuntimeError, match="opened for reading"):
                await reader.write(put("c"))
            assert reader.trouble is None
        await store.write(put("c"))
        assert await store.read(names) == ["a", "b", "c"]

    async def test_reader_without_owner(self, path: Path) -> None:
        """A ledger whose daemon has stopped, or was killed, can be read; nothing is locked by it."""
        async with await SqliteStore.open(path) as store:
            await store.write(put("a"))
        async with await SqliteStore.open(path, read_only=True) as reader:
            assert await reader.read(names) == ["a"]
            async with await SqliteStore.open(path) as owner:
                await owner.write(put("b"))
                assert await reader.read(names) == ["a", "b"]

    async def test_nothing_to_read(self, path: Path) -> None:
        """Reading where no daemon has run says so and makes nothing; so does an empty file."""
        with pytest.raises(NoLedger, match="`flyball run` makes it"):
            await SqliteStore.open(path, read_only=True)
        assert not path.parent.exists()
        path.parent.mkdir()
        path.touch()
        with pytest.raises(NoLedger):
            await SqliteStore.open(path, read_only=True)

    async def test_reader_of_a_copy_at_rest(self, powerless: Path) -> None:
        """A ledger in a folder that cannot be written to, such as a mounted copy, can be read."""
        (powerless / "data").chmod(0o500)
        async with await SqliteStore.open(powerless / "data" / LEDGER_NAME, read_only=True) as reader:
            assert await reader.read(names) == ["a"]
        assert [file.name for file in (powerless / "data").iterdir()] == [LEDGER_NAME]

    async def test_older_schema_is_not_read(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A reader refuses an older schema, which only a daemon may bring up."""
        await (await SqliteStore.open(path)).close()
        monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, "9000"))
        monkeypatch.setattr(migrations, "HEAD", "9000")
        with pytest.raises(ConfigError, match=f"older schema {migrations.REVISIONS[-2]}"):
            await SqliteStore.open(path, read_only=True)

    async def test_guest_beside_the_owner(self, path: Path, store: SqliteStore) -> None:
        """A guest writes while the owner runs and writes too; both see it all."""
        async with await SqliteStore.open(path, guest=True) as guest, asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(store.write(put(f"owner {number}")))
                group.create_task(guest.write(put(f"guest {number}")))
        assert len(await store.read(names)) == 200

    async def test_guest_before_any_owner(self, path: Path) -> None:
        """A guest makes a missing ledger and keeps no lock, so that a daemon can start beside it."""
        async with await SqliteStore.open(path, guest=True) as guest:
            await guest.write(put("asked"))
            async with await SqliteStore.open(path) as owner:
                assert await owner.read(names) == ["asked"]

    async def test_guest_does_not_bring_up_under_an_owner(
        self, path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A guest of a later version is refused while a daemon of an earlier one runs."""
        monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, "9000"))
        monkeypatch.setattr(migrations, "HEAD", "9000")
        with pytest.raises(AlreadyRunning):
            await SqliteStore.open(path, guest=True)
        await store.write(put("a"))
