"""From a change on the site to the effect of it, with the daemon polling."""

from __future__ import annotations

from bench.lab import QC, lab
from bench.processes import folder, settled, site
from bench.result import Options, Result, held, percentile, short
from support.process import DaemonProgram

SESSIONS = 250
CHANGES = 100
POLL = 0.5  # seconds
APART = 0.137  # seconds between changes: no multiple of the poll, so that they fall anywhere in it


def run(options: Options) -> Result:
    """Good scans turn poor one after another; how long until each has its tag."""
    count = options.size or CHANGES
    rows = []
    for latency in (0, 40):
        with site(max(SESSIONS, count // 2), poor=0) as box, folder() as work:
            config = lab(work, box.key, QC, every=f"{POLL * 1000:.0f}ms")
            box.delay(latency)
            with DaemonProgram(config) as daemon:
                settled(daemon)
                seconds = box.tell("spoil", count=count, every=APART)["seconds"]
        last = percentile(seconds, 0.99)
        rows.append(
            [
                f"{latency} ms",
                str(count),
                f"{POLL:g} s",
                f"{short(percentile(seconds, 0.5))} s",
                f"{short(last)} s ({held(last, at_most=POLL + 1, unit=' s')})",
            ]
        )
    return Result(
        ("latency", "changes", "poll every", "half within", "99 % within"),
        rows,
        ("From the change on the site to its tag on the site; the daemon and the site in processes of their own.",),
    )
