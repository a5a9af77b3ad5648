"""What is asked of the ledger again and again goes by an index: its cost must not grow with what is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bench.lab import COMPLETE, QC
from flyball.adapters.store.sqlite import SqliteStore
from flyball.app import Daemon
from flyball.ledger.history_counts import pending
from flyball.ledger.looking import Look, owe_all
from flyball.ledger.tables import attempts, claims, decisions, effects, events, looks, nodes
from flyball.model.levels import Level
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import put_file
from support.lab import opened, write_lab

GROWING = [str(table.name) for table in (attempts, claims, decisions, effects, events, looks, nodes)]
SESSIONS = 20


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """A site with some reports."""
    plain = {"projects": [], "launches": [], "scale": {"sessions": SESSIONS, "acquisitions": 1}}
    async with Sandbox(Scenario.named("lab", **plain)) as found:
        yield found


@contextmanager
def plans(daemon: Daemon) -> Iterator[dict[str, list[str]]]:
    """Statement → what SQLite says it does, of all that reach the ledger."""
    found: dict[str, list[str]] = {}

    def note(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool) -> None:
        if statement in found or not statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            return
        raw = connection.connection.dbapi_connection
        asked = raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters[0] if executemany else parameters)
        found[statement] = [str(row[3]) for row in asked.fetchall()]
        asked.close()

    store: Any = daemon.store
    assert isinstance(store, SqliteStore)
    assert store._writer is not None
    engines = [store._reading, store._writer.engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def at_length(found: dict[str, list[str]]) -> list[str]:
    """The statements that go through a growing table from end to end, or sort what they find in it."""
    whole = tuple(f"SCAN {name}" for name in GROWING)
    sorted_looks = ("SEARCH looks", "USE TEMP B-TREE FOR ORDER BY")
    return [
        f"{steps}: {statement}"
        for statement, steps in found.items()
        if any(step.startswith(whole) for step in steps)
        or all(any(step.startswith(word) for step in steps) for word in sorted_looks)
    ]


async def test_a_change_up_to_its_effect(box: Sandbox, tmp_path: Path) -> None:
    """Reading, deciding, acting, and the questions whether anything is due: nothing goes through a whole table."""
    async with opened(write_lab(tmp_path, box.key, QC + COMPLETE)) as daemon:
        assert await daemon.run_until_idle()
        for acquisition in box.site.acquisitions.rows.values():
            report = acquisition["files"][0]
            meta = {"modality": "MR", "classification": report["classification"]}
            put_file(box.site, "acquisition", acquisition, report["name"], info={"snr": 0.1, "fd_mean": 9.0}, **meta)
        with plans(daemon) as found:
            assert await daemon.look()
            while await daemon.dispatcher.step():
                pass
            await daemon.dispatcher.next_due()
            async with asyncio.TaskGroup() as tasks:
                assert await daemon.crew.step(tasks)
            now, able = daemon.clock.now(), daemon.dispatcher.able()
            await daemon.store.read(lambda connection: pending(connection, now, rules=able))
        assert len(found) > 20
        assert at_length(found) == []


async def test_looks_that_are_not_due_cost_nothing(box: Sandbox, tmp_path: Path) -> None:
    """The daemon asks each second what is due: it goes by the due time, however many looks wait for theirs."""
    async with opened(write_lab(tmp_path, box.key, QC)) as daemon:
        assert await daemon.run_until_idle()
        later = daemon.clock.now() + timedelta(days=1)
        waiting = [(Look("bold-qc", "main", Level.FILE, f"f{n}", Level.FILE, due=later), None) for n in range(100)]
        await daemon.store.write(lambda connection: owe_all(connection, waiting, now=daemon.clock.now()))
        with plans(daemon) as found:
            assert await daemon.dispatcher.step() == 0
            assert await daemon.dispatcher.next_due() == later
        asked = [steps for statement, steps in found.items() if "FROM looks" in statement]
        assert asked
        assert all("looks_by_due" in steps[0] for steps in asked), asked
