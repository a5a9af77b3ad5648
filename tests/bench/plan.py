"""`flyball plan` on an empty ledger: all is read, all is decided, nothing is written; then again after a run."""

from __future__ import annotations

import json
from pathlib import Path

from bench.lab import COMPLETE, QC, lab
from bench.processes import Cost, SiteProcess, folder, measured, once, site
from bench.result import Options, Result, held, short

SESSIONS = 10_000
LATENCY = 40  # ms
POOR = 0.05


def run(options: Options) -> Result:
    """Each plan a process of its own."""
    sessions = options.size or SESSIONS
    with site(sessions, scans=1, poor=POOR) as box, folder() as work:
        config = lab(work, box.key, QC + COMPLETE)
        box.delay(LATENCY)
        containers = 2 * sessions + box.acquisitions  # subjects, sessions, acquisitions
        rows = [_row("before any run", box, containers, planned(config, work, box))]
        once(config, work)
        rows.append(_row("after a run", box, containers, planned(config, work, box)))
    return Result(
        ("plan", "containers", "effects", "requests", "for 1,000 containers", "seconds", "process"),
        rows,
        (
            f"{sessions:,} sessions with one scan of three files each, {LATENCY} ms latency; {POOR:.0%} of the scans poor.",
            "The aim of 60 s is for 10,000 sessions. `after a run`: the ledger knows the site, and only changes are read.",
        ),
    )


def planned(config: Path, work: Path, box: SiteProcess) -> Cost:
    """One plan."""
    box.tell("clear")
    return measured(["flyball", "--config", str(config), "--json", "plan"], work)


def _row(name: str, box: SiteProcess, containers: int, cost: Cost) -> list[str]:
    told, requests = json.loads(cost.out), box.requests()
    share = requests / containers * 1000
    return [
        name,
        f"{containers:,}",
        f"{len(told['effects']):,}",
        f"{requests:,}",
        f"{short(share)} ({held(share, at_most=3)})",
        f"{short(cost.seconds)} s ({held(cost.seconds, at_most=60, unit=' s')})",
        f"{short(cost.cpu)} s CPU, {short(cost.peak)} MiB",
    ]
