"""How what is spent goes with the size of the site: a first run, a quiet one after it, and the ledger that stays."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.curves import Curve, drawn
from bench.lab import COMPLETE, QC, lab
from bench.processes import Cost, folder, once, site
from bench.result import Options, Result, held, short

SIZES = (1000, 3000, 10_000, 30_000, 100_000)
USUAL = 10_000  # the largest without `--size`
POOR = 0.05
FILES = 3  # on each acquisition
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Measured:
    """One size of site.

    Attributes:
        containers: subjects, sessions, acquisitions.
        requests: of the first run, tag writes included, and of the quiet one.
        ledger: bytes on disk when nothing is open.
        decisions: rows.
    """

    sessions: int
    containers: int
    first: Cost
    quiet: Cost
    requests: tuple[int, int]
    ledger: int
    decisions: int


def run(options: Options) -> Result:
    """From a small site to a large one."""
    most = options.size or USUAL
    found = [measured_at(sessions) for sessions in [size for size in SIZES if size < most] + [most]]
    sizes = [one.sessions for one in found]
    picture = drawn(
        "A first run as the site grows",
        "sessions",
        [
            Curve("memory at the most, MiB", sizes, [one.first.peak for one in found], limit=250),
            Curve("processor seconds for 1,000 containers", sizes, [_share(one, one.first.cpu) for one in found]),
            Curve("ledger for 1,000 containers, MiB", sizes, [_share(one, one.ledger / MIB) for one in found]),
        ],
    )
    return Result(
        (
            "sessions",
            "containers",
            "first run",
            "CPU for 1,000 containers",
            "memory",
            "requests for 1,000 containers",
            "quiet run",
            "ledger",
            "for 1,000 containers",
        ),
        [_row(one) for one in found],
        (
            f"One acquisition a session, {FILES} files each; {POOR:.0%} of the scans are poor, and tagged.",
            "Containers: subjects, sessions, acquisitions. No latency. A quiet run: start, probe, one round, the end.",
        ),
        {"scaling.svg": picture},
    )


def measured_at(sessions: int) -> Measured:
    """One first run on an empty ledger, and the one after it."""
    with site(sessions, scans=1, poor=POOR) as box, folder() as work:
        config = lab(work, box.key, QC + COMPLETE)
        costs, requests = [], []
        for _ in range(2):
            box.tell("clear")
            costs.append(once(config, work))
            requests.append(box.requests())
        ledger = config.parent / "var" / "ledger.sqlite"
        containers = math.ceil(box.sessions / 2) + box.sessions + box.acquisitions
        return Measured(
            sessions,
            containers,
            costs[0],
            costs[1],
            (requests[0], requests[1]),
            sum(path.stat().st_size for path in ledger.parent.glob("ledger.sqlite*")),
            _decisions(ledger),
        )


def _decisions(ledger: Path) -> int:
    with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM decisions").fetchone()[0])


def _share(one: Measured, figure: float) -> float:
    return figure / one.containers * 1000


def _row(one: Measured) -> Sequence[str]:
    first, quiet = one.first, one.quiet
    return [
        f"{one.sessions:,}",
        f"{one.containers:,}",
        f"{short(first.seconds)} s, {short(first.cpu)} s CPU, {one.decisions:,} decisions",
        f"{short(_share(one, first.cpu))} s",
        f"{short(first.peak)} MiB ({held(first.peak, at_most=250, unit=' MiB')})",
        short(_share(one, one.requests[0])),
        f"{one.requests[1]} requests, {short(quiet.cpu)} s CPU, {short(quiet.peak)} MiB",
        f"{short(one.ledger / MIB)} MiB",
        f"{short(_share(one, one.ledger / MIB))} MiB",
    ]
