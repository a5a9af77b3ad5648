"""The tutorial's quality control: its own script with the official SDK, against the same as rules."""

from __future__ import annotations

from dataclasses import dataclass

from bench.lab import QC, lab
from bench.processes import Cost, SiteProcess, folder, measured, once, site
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
        script = run_script(sessions, part, latency)
        ours = run_rules(sessions, latency)
        ratio, share = script.seconds / ours.seconds, script.requests / ours.requests
        rows.append(
            [
                f"{latency} ms",
                f"{sessions * SCANS:,}",
                f"{short(script.seconds)} s, {script.requests:,} requests{'' if part == sessions else ' (scaled)'}",
                f"{short(ours.seconds)} s, {ours.requests:,} requests",
                f"{short(ratio)} times" + (f" ({held(ratio, at_least=100)})" if latency == 40 else ""),
                f"1/{short(share)} ({held(share, at_least=15)})",
                f"{short(ours.process.seconds)} s, {short(ours.process.cpu)} s CPU, {short(ours.process.peak)} MiB",
            ]
        )
    return Result(
        ("latency", "acquisitions", "SDK script", "rules", "faster", "requests", "our process"),
        rows,
        (
            f"One scan in {round(1 / POOR)} is poor; {SCANS} scans a session, three files each.",
            "Seconds are those between the first and the last answer of the site, for both.",
            "Ours is `flyball run --until-idle` on an empty ledger; `our process` is all of it, with its start.",
            "`scaled`: the script went through a part of the sessions, and its figures were multiplied.",
            "Tag writes are the larger part of our requests: with fewer poor scans both ratios rise.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Run:
    """What a run took: seconds and requests as the site saw them, and its process."""

    seconds: float
    requests: int
    process: Cost


def run_script(sessions: int, part: int, latency: float) -> Run:
    """The SDK's script over all sessions, measured on the first `part` of them."""
    with site(sessions, scans=SCANS, poor=POOR) as box, folder() as work:
        box.delay(latency)
        box.tell("clear")
        cost = measured(["bench.sdk_job", box.key, "bench/cohort", "--sessions", str(part)], work)
        found = seen(box, cost)
    factor = sessions / part
    return Run(found.seconds * factor, round(found.requests * factor), cost)


def run_rules(sessions: int, latency: float) -> Run:
    """Our run.

    Raises:
        RuntimeError: it did not set the tags that the data demand.
    """
    with site(sessions, scans=SCANS, poor=POOR) as box, folder() as work:
        box.delay(latency)
        config = lab(work, box.key, QC)
        box.tell("clear")
        cost = once(config, work)
        tags = int(box.tell("writes")["count"])
        if tags != box.poor:
            raise RuntimeError(f"{tags} tags were set, where {box.poor} were due")
        return seen(box, cost)


def seen(box: SiteProcess, cost: Cost) -> Run:
    """What the site saw of a run."""
    told = box.tell("requests")
    return Run(told["last"] - told["first"], int(told["total"]), cost)
