"""Effects per second with a site that answers at once: what the crew and a durable ledger cost by themselves.

The site is one in memory, in the same process; the ledger is a real one, with a flush to the disk for each group.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from pathlib import Path
from typing import Any

import structlog

from bench.processes import folder
from bench.result import Options, Result, held, short
from fakes.bench import SITE, Bench, node
from fakes.channels import FakeChannels
from flyball.adapters.store.opening import Ledger, open_ledger
from flyball.adapters.store.sqlite import LEDGER_NAME
from flyball.cli.looping import run_loop_value, spare_the_collector
from flyball.clock import SystemClock
from flyball.effects.catalog import KINDS
from flyball.effects.port import Hands
from flyball.ledger.acting import waited_for
from flyball.ledger.limiting import Caps
from flyball.wake import Bell
from flyball.workers.crew import Crew

EFFECTS = 10_000
AIM = 2000.0
RULES = """
rules:
  - {id: mark, each: acquisition, since: all, do: [{tag: {on: acquisition, set: {SEEN: "true"}}}]}
"""


def run(options: Options) -> Result:
    """A tag on each of so many acquisitions."""
    count = options.size or EFFECTS
    with folder() as work, Bench(RULES) as bench:
        bench.lab(node("acquisition", FIRST))
        bench.decide("mark", FIRST)
        _write(bench, work / LEDGER_NAME, count)
        for number in range(1, count):
            bench.site.add_container("acquisition", _name(number))
        spare_the_collector()  # as the program does, once it is loaded
        wall, cpu = run_loop_value(_act(bench, work, count))
    rows = [[f"{count:,}", f"{short(count / wall)}/s ({held(count / wall, at_least=AIM)})", f"{short(count / cpu)}/s"]]
    return Result(("effects", "a second", "a second of processor time"), rows, ("SQLite, one process.",))


def _name(number: int) -> str:
    return f"acq{number:08}"


FIRST = _name(0)


def _write(bench: Bench, path: Path, count: int) -> None:
    """The bench's ledger as a file, and what is about its one acquisition again for so many of them."""

    async def make() -> None:
        await (await open_ledger("embedded", path.parent)).close()

    asyncio.run(make())
    target = sqlite3.connect(path)
    source = bench.ledger._connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    for (table,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
        for row in source.execute(f"SELECT * FROM {table}").fetchall():  # noqa: S608 - our own tables
            copies = count if any(FIRST in str(value) for value in row) else 1
            places = ", ".join("?" * len(row))
            columns = [name for _, name, *_ in source.execute(f"PRAGMA table_info({table})")]
            given = list(zip(columns, row, strict=True))
            rows = [[_of(name, value, number) for name, value in given] for number in range(copies)]
            target.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 - likewise
    target.execute("UPDATE effects SET once_key = 'fb-' || target")
    target.commit()
    target.close()


def _of(column: str, value: Any, number: int) -> Any:
    """A value of the first acquisition's row, for another one. Numbers of rows count on."""
    if column == "id" and isinstance(value, int):
        return value + number
    if isinstance(value, str):
        return value.replace(FIRST, _name(number))
    if isinstance(value, bytes):
        return value.replace(FIRST.encode(), _name(number).encode())
    return value


async def _act(bench: Bench, work: Path, count: int) -> tuple[float, float]:
    """Carry everything out; wall and processor seconds."""
    store: Ledger = await open_ledger("embedded", work)
    clock, bell = SystemClock(), Bell()
    hands = Hands(bench.site, FakeChannels(), str, clock.now(), (2.0, 60.0))
    crew = Crew(
        store,
        clock,
        KINDS,
        hands={SITE: hands},
        route=lambda change: [],
        at_once=64,
        observe=lambda effect, report, seconds: None,
        ended=bell.ring,
        owed=lambda: None,
    )
    crew.caps = {rule.id: Caps(rule.version, None, None, None) for rule in bench.rules.values()}
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    began, spent = time.monotonic(), time.process_time()
    try:
        async with asyncio.TaskGroup() as tasks:
            now = clock.now()
            while True:
                if await crew.step(tasks):
                    continue
                if not crew.under_way and not await store.read(lambda one: waited_for(one, [SITE], now, now)):
                    break
                await bell.wait(1.0)
        wall, cpu = time.monotonic() - began, time.process_time() - spent
    finally:
        await store.close()
    written = len(bench.site.writes)
    if written != count:
        raise RuntimeError(f"{written} tags were written, where {count} were due")
    return wall, cpu
