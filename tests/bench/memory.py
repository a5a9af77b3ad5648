"""Memory: idle on the demo's lab, and at the most in a first run over many sessions."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from bench.lab import QC, lab
from bench.processes import folder, once, settled, site
from bench.result import Options, Result, held, short
from support.process import DaemonProgram

SESSIONS = 10_000
MIB = 1 << 20


def run(options: Options) -> Result:
    """Idle, then a first run."""
    rows = []
    with site() as box, folder() as work:
        rows += idle(lab(work, box.key, None, every="1s"))
    sessions = options.size or SESSIONS
    with site(sessions, scans=1, poor=0.1) as box, folder() as work:
        config = lab(work, box.key, QC)
        first = once(config, work)
        again = once(config, work)
    for name, cost in (("first run", first), ("second run, nothing to do", again)):
        rows.append(
            [
                name,
                f"{sessions:,} sessions",
                f"{short(cost.peak)} MiB ({held(cost.peak, at_most=250, unit=' MiB')})",
                f"{short(cost.seconds)} s",
                f"{short(cost.cpu)} s",
            ]
        )
    return Result(
        ("", "site", "memory", "time", "CPU"),
        rows,
        (
            "Resident memory of the daemon's process: idle some seconds after it had nothing left to do, runs at their peak.",
            "The idle processor time is that of ten seconds with a poll each second.",
        ),
    )


def idle(config: Path) -> list[list[str]]:
    """The daemon with its HTTP server on the lab, all done."""
    with DaemonProgram(config) as daemon:
        began = time.monotonic()
        settled(daemon)
        reached = time.monotonic() - began
        process = psutil.Process(daemon.pid)
        before = sum(process.cpu_times()[:2])
        time.sleep(10)
        spent = sum(process.cpu_times()[:2]) - before
        memory = process.memory_info().rss / MIB
    return [
        [
            "idle",
            "the demo's lab",
            f"{short(memory)} MiB ({held(memory, at_most=120, unit=' MiB')})",
            f"idle after {short(reached)} s",
            f"{short(spent)} s in 10 s",
        ]
    ]
