"""Effects per second with the ledger in PostgreSQL: one replica and two, on a site that answers at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.effects import EFFECTS, per_second
from bench.lab import SEEN, lab
from bench.processes import folder, once, site
from bench.result import Options, Result, held, short
from support.process import DaemonProgram
from support.server import Server

AIM = 500.0  # effects a second for each replica
PATIENCE = 300.0  # seconds


def run(options: Options) -> Result:
    """One replica in a single run, as the embedded ledger is measured, and one and two that run for good."""
    count = options.size or EFFECTS
    rows = []
    with Server.own() as server:
        for number in (0, 1, 2):
            with site(count, scans=1, poor=0) as box, folder() as work:
                config = lab(work, box.key, SEEN, store=server.new_database())
                box.tell("clear")
                if number == 0:
                    once(config, work)
                else:
                    _together(config, number, lambda box=box: box.tell("writes")["count"] >= count)  # type: ignore[misc] # bound
                ours = per_second(box, count)
            many = max(1, number)
            what = "one, a single run" if number == 0 else f"{many} for good"
            rows.append([what, f"{count:,}", f"{short(ours)}/s", f"{short(ours / many)}/s"])
            rows[-1].append(held(ours / many, at_least=AIM))
    return Result(
        ("replicas", "effects", "all together", "for each replica", f"at least {AIM:.0f}/s"),
        rows,
        (
            "Measured at the site, from the first tag write to the last; the site answers at once.",
            "Database, site and replicas share the machine's cores. Replicas write one after another, in groups.",
        ),
    )


def _together(config: Path, number: int, done: Callable[[], bool]) -> None:
    """Run so many replicas until the work is done."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(DaemonProgram(config, wait=False))
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise RuntimeError("the effects were not done in time")
            time.sleep(0.2)
