"""Which store the settings mean, and what is said where its libraries are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flyball.adapters.store.opening import copy_ledger, open_ledger
from flyball.adapters.store.postgres.store import PostgresStore
from flyball.adapters.store.sqlite import SqliteStore
from flyball.model.errors import ConfigError
from support.process import SOURCE
from support.server import Server

WITHOUT = """
import asyncio, sys
from pathlib import Path
sys.modules[{missing!r}] = None
from flyball.adapters.store.opening import open_ledger
from flyball.model.errors import ConfigError
try:
    asyncio.run(open_ledger("postgresql://u:hunter2@localhost/x", Path("none")))
except ConfigError as error:
    print(error)
"""


async def test_by_the_setting(tmp_path: Path) -> None:
    """`embedded` is the file under the data folder, an address the database."""
    store = await open_ledger("embedded", tmp_path / "var")
    assert isinstance(store, SqliteStore)
    await store.close()
    shared = await open_ledger(Server.shared().new_database(), tmp_path / "none")
    assert isinstance(shared, PostgresStore)
    await shared.close()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("missing", ["psycopg"])
def test_without_the_extra(missing: str) -> None:
    """The text says which library is missing, and how to install it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(SOURCE)},
        check=True,
    )
    assert "psycopg is not installed" in done.stdout
    assert "flyball[replicas]" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_an_embedded_daemon_loads_none_of_it() -> None:
    """Whoever keeps the ledger in a file needs neither the libraries nor their memory."""
    code = "import sys, flyball.cli.run; print([n for n in ('psycopg', 'procrastinate') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(SOURCE)},
        check=True,
    )
    assert done.stdout.strip() == "[]"


async def test_no_copy_of_a_ledger_that_is_not_there(tmp_path: Path) -> None:
    """Neither in a file nor in a database; a database that cannot be reached is refused with the reason."""
    assert not await copy_ledger("embedded", tmp_path / "none", tmp_path / "copy")
    assert not await copy_ledger(Server.shared().new_database(), tmp_path, tmp_path / "copy.sqlite")
    with pytest.raises(ConfigError, match="cannot be opened"):
        await copy_ledger("postgresql://127.0.0.1:1/x", tmp_path, tmp_path / "other.sqlite")
