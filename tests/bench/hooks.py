"""Webhooks that are accepted durably and acted on, against a bare aiohttp relay that forgets them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import psutil

from bench.deliver import signed
from bench.lab import HOOKED, lab
from bench.processes import SiteProcess, environment, folder, measured, settled, site
from bench.result import Options, Result, held, percentile, short
from support.process import DaemonProgram, ask, until

DELIVERIES = 2000
SINGLE = 60  # deliveries that come one by one, for the time that one takes
SECRET = "bench-hook-secret"
WAIT = 120.0


def run(options: Options) -> Result:
    """A burst, 32 at a time, and some alone; at 0 and 40 ms of the site's latency."""
    count = options.size or DELIVERIES
    rows = []
    for latency in (0, 40):
        with site(count + SINGLE, scans=1, poor=0) as box, folder() as work:
            box.delay(latency)
            with relaying(box, work) as url:
                bare, _ = burst(box, url, work, count)
        with site(count + SINGLE, scans=1, poor=0) as box, folder() as work:
            config = lab(work, box.key, HOOKED, hooks={"lab": {"secret": SECRET}})
            with DaemonProgram(config) as daemon:
                settled(daemon)
                box.delay(latency)
                watched = psutil.Process(daemon.pid)
                before = sum(watched.cpu_times()[:2])
                ours, _ = burst(box, f"{daemon.listening()}/hooks/lab", work, count)
                cpu = (sum(watched.cpu_times()[:2]) - before) / count * 1000
                alone = one_by_one(box, f"{daemon.listening()}/hooks/lab")
        aim = 0.05 + 2 * latency / 1000
        last = percentile(alone, 0.99)
        rows.append(
            [
                f"{latency} ms",
                f"{count:,}",
                f"{short(bare)}/s",
                f"{short(ours)}/s",
                f"{short(ours / bare)} ({held(ours / bare, at_least=0.3)})",
                f"{short(cpu)} s ({held(cpu, at_most=0.5, unit=' s')})",
                f"{short(percentile(alone, 0.5) * 1000)} ms",
                f"{short(last * 1000)} ms ({held(last * 1000, at_most=aim * 1000, unit=' ms')})",
            ]
        )
    return Result(
        (
            "latency",
            "deliveries",
            "bare relay",
            "durable, with ledger",
            "ratio",
            "our CPU for 1,000",
            "alone: half within",
            "alone: 99 % within",
        ),
        rows,
        (
            "From the first delivery to the last tag on the site; each names another acquisition.",
            "Ours is answered when it is on the disk; the target is read anew, judged, and tagged once.",
        ),
    )


def burst(box: SiteProcess, url: str, work: Path, count: int) -> tuple[float, float]:
    """Deliveries acted on in a second, and the seconds that it took."""
    box.tell("clear")
    told = orjson.loads(measured(["bench.deliver", box.key, url, SECRET, str(count)], work).out)
    until(lambda: box.tell("writes")["count"] >= count, WAIT, "all deliveries are acted on", every=0.05)
    written = box.tell("writes")
    if written["count"] != count:
        raise RuntimeError(f"{written['count']} tags were written, where {count} were due")
    seconds = float(written["last"] - told["first"])
    return count / seconds, seconds


def one_by_one(box: SiteProcess, url: str) -> list[float]:
    """Seconds from each delivery to its tag, when nothing else is going on."""
    found = []
    box.tell("clear")
    for number, ident in enumerate(box.tell("last", count=SINGLE)["ids"]):
        body, headers = signed(SECRET, ident)
        began = time.monotonic()
        assert ask(url, "POST", headers=headers, body=body).status == 202
        found.append(tagged(box, number + 1) - began)
    return found


def tagged(box: SiteProcess, count: int) -> float:
    """When the site had so many tags written."""
    until(lambda: box.tell("writes")["count"] >= count, WAIT, "it is acted on", every=0.001)
    return float(box.tell("writes")["last"])


@contextmanager
def relaying(box: SiteProcess, work: Path) -> Iterator[str]:
    """The bare relay, listening: its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.relay", box.key, SECRET],
        stdout=subprocess.PIPE,
        cwd=work,
        env=environment(work),
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/hooks/lab"
    finally:
        process.kill()
        process.communicate()
