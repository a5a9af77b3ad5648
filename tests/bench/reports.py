"""`flyball report KIND` on an empty ledger: all is read that the kind needs, and one page comes of it."""

from __future__ import annotations

from pathlib import Path

from bench.lab import QC, lab
from bench.processes import SiteProcess, folder, measured, site
from bench.result import Options, Result, held, short

SESSIONS = 10_000
SCANS = 4  # a session, three files each
LATENCY = 40  # ms
KINDS = ("qc", "overview", "demographics", "gear-status")


def run(options: Options) -> Result:
    """Each report a process of its own."""
    sessions = options.size or SESSIONS
    with site(sessions, scans=SCANS, poor=0.1) as box, folder() as work:
        config = lab(work, box.key, QC)
        box.delay(LATENCY)
        rows = [_row(kind, config, work, box) for kind in KINDS]
    return Result(
        ("report", "containers and files read", "requests", "for 1,000", "seconds", "process", "page"),
        rows,
        (
            f"{sessions:,} sessions with {SCANS} scans of three files each, {LATENCY} ms latency; HTML with plots.",
            "The aims are for 10,000 sessions. The processor time is that of `flyball report` and of the process that draws.",
        ),
    )


def _row(kind: str, config: Path, work: Path, box: SiteProcess) -> list[str]:
    box.tell("clear")
    page = work / f"{kind}.html"
    gear = ["--gear", "mriqc"] if kind == "gear-status" else []
    cost = measured(
        ["flyball", "--config", str(config), "report", kind, *gear, "--format", "html", "-o", str(page)], work
    )
    requests = box.requests()
    read = 2 * box.sessions  # with their subjects
    read += box.acquisitions if kind in ("qc", "overview") else 0
    read += 3 * box.acquisitions if kind == "qc" else 0
    share = requests / read * 1000
    return [
        kind,
        f"{read:,}",
        f"{requests:,}",
        f"{short(share)} ({held(share, at_most=5)})",
        f"{short(cost.seconds)} s ({held(cost.seconds, at_most=60, unit=' s')})",
        f"{short(cost.cpu)} s CPU, {short(cost.peak)} MiB",
        f"{page.stat().st_size / 1024:,.0f} KiB",
    ]
