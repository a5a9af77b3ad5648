"""Rounds of polls: what one costs when nothing changed, and when a thousand acquisitions did."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import uvloop

from bench.lab import COMPLETE, QC, lab
from bench.processes import SiteProcess, folder, site
from bench.result import Options, Result, held, short
from flyball.cli.looping import spare_the_collector
from support.lab import opened

SIZES = (1000, 10_000, 100_000)
USUAL = 10_000  # the largest of them without `--size`
CHANGED = 1000
POOR = 0.05  # our own tags on these come back with the first polls


def run(options: Options) -> Result:
    """The daemon in this process, the site in another."""
    spare_the_collector()
    rows = []
    most = options.size or USUAL
    for sessions in [size for size in SIZES if size < most] + [most]:
        with site(sessions, scans=1, poor=POOR) as box, folder() as work:
            config = lab(work, box.key, QC + COMPLETE)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rows += runner.run(rounds(config, box, sessions))
    return Result(
        ("sessions", "round", "requests", "until read", "until decided", "our CPU", "aim"),
        rows,
        (
            "Streams: projects, subjects, sessions, acquisitions, files. No latency.",
            "`changed`: the MRIQC reports of a thousand acquisitions were replaced, which moves acquisition and file.",
            "`again`: the round after it.",
        ),
    )


async def rounds(config: Path, box: SiteProcess, sessions: int) -> list[list[str]]:
    """A first run, then a quiet round, one with changes, and another quiet one."""
    rows = []
    async with opened(config) as daemon:
        streams = len(daemon.watches["main"].needs.streams)
        for name in ("first", "quiet", "changed", "again"):
            if name == "changed":
                box.tell("renew", count=CHANGED)
            box.tell("clear")
            began, spent = time.monotonic(), time.process_time()
            assert await daemon.look()
            read = time.monotonic() - began
            while await daemon.dispatcher.step():
                pass
            decided = time.monotonic() - began
            spent = time.process_time() - spent
            requests = box.requests()
            await daemon.run_until_idle()  # the tags
            aim = ""
            if name == "quiet":
                aim = held(requests / streams, at_most=1, unit=" a stream")
            elif name == "changed":
                aim = held(requests / CHANGED, at_most=0.05, unit=" an acquisition")
            rows.append(
                [
                    f"{sessions:,}",
                    name,
                    str(requests),
                    f"{short(read)} s",
                    f"{short(decided)} s",
                    f"{short(spent)} s",
                    aim,
                ]
            )
    return rows
