"""The tutorial's quality control: its own script with the official SDK, against the same as rules."""

from __future__ import annotations

import json

from bench.lab import QC, lab
from bench.processes import Cost, folder, measured, once, site
from bench.result import Options, Result, held, short

SCANS = 4
ACQUISITIONS = 10_000
PART = {0: 2000, 40: 600}  # acquisitions that the script goes through, by latency; it takes as long for each
POOR = 0.1


def run(options: Options) -> Result:
    """Both at 0 and at 40 ms; each on a site of its own, in a process of its own."""
    sessions = max(1, (options.size or ACQUISITIONS) // SCANS)
    rows = []
    for latency in (0, 40):
        part = sessions if options.whole else min(sessions, PART[latency] // SCANS)
        script_seconds, script_requests = script(sessions, part, latency)
        ours, our_requests, tags, kept = rules(sessions, latency)
        ratio, share = script_seconds / ours.seconds, script_requests / our_requests
        rows.append(
            [
                f"{latency} ms",
                f"{sessions * SCANS:,}",
                f"{short(script_seconds)} s, {script_requests:,} requests" + ("" if part == sessions else " (scaled)"),
                f"{short(ours.seconds)} s, {our_requests:,} requests",
                f"{short(ratio)} times" + (f" ({held(ratio, at_least=100)})" if latency == 40 else ""),
                f"1/{short(share)} ({held(share, at_least=15)})",
                f"{tags:,}{'' if kept else ' (the script set others)'}",
                f"{short(ours.cpu)} s, {short(ours.peak)} MiB",
            ]
        )
    return Result(
        ("latency", "acquisitions", "SDK script", "rules", "faster", "requests", "tags set", "our CPU, memory"),
        rows,
        (
            f"One scan in {round(1 / POOR)} is poor; {SCANS} scans a session.",
            "Ours is `flyball run --until-idle` on an empty ledger, from the start of the process to its end.",
            "Of the script only the loop is timed, without its start.",
            "`scaled`: the script went through a part of the sessions, and its figures were multiplied.",
            "Tag writes are the larger part of our requests: with fewer poor scans both ratios rise.",
        ),
    )


def script(sessions: int, part: int, latency: float) -> tuple[float, int]:
    """Seconds and requests of the SDK's script for all sessions, measured on the first `part` of them."""
    with site(sessions, scans=SCANS, poor=POOR) as box, folder() as work:
        box.delay(latency)
        box.tell("clear")
        cost = measured(["bench.sdk_job", box.key, "bench/cohort", "--sessions", str(part)], work)
        told = json.loads(cost.out)
        requests = box.requests()
    factor = sessions / part
    return told["seconds"] * factor, round(requests * factor)


def rules(sessions: int, latency: float) -> tuple[Cost, int, int, bool]:
    """What our run took, its requests, the tags that it set, and whether these are those that the data demand."""
    with site(sessions, scans=SCANS, poor=POOR) as box, folder() as work:
        box.delay(latency)
        config = lab(work, box.key, QC)
        box.tell("clear")
        cost = once(config, work)
        tags = int(box.tell("writes")["count"])
        return cost, box.requests(), tags, tags == box.poor
