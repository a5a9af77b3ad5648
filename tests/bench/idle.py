"""What a daemon costs that has nothing to do: its start, its memory, its processor time, with twenty rules that poll."""

from __future__ import annotations

import time

import psutil

from bench.lab import COMPLETE, QC, lab
from bench.processes import folder, measured, once, settled, site
from bench.result import Options, Result, held, short
from support.process import DaemonProgram

SESSIONS = 10_000
RULES = 20
EVERY = 30  # seconds between polls
ROUNDS = 4
MIB = 1 << 20

MORE = """
  - id: label-{n}
    since: all
    each: acquisition
    scope: {{acquisition: "other-{n}*"}}
    do:
      - tag: {{on: acquisition, set: {{OTHER: acquisition.label == 'other-{n}'}}}}
"""


def run(options: Options) -> Result:
    """A first run, a restart, and some minutes of rest."""
    sessions = options.size or SESSIONS
    rows = []
    with folder() as work:
        for words in (["--version"], ["--help"]):
            cost = min((measured(["flyball", *words], work) for _ in range(3)), key=lambda one: one.cpu)
            rows.append([f"`flyball {words[0]}`", "", f"{short(cost.seconds)} s, {short(cost.cpu)} s CPU", "", ""])
    with site(sessions, scans=1, poor=0.1) as box, folder() as work:
        rules = QC + COMPLETE + "".join(MORE.format(n=number) for number in range(RULES - 3))
        config = lab(work, box.key, rules, every=f"{EVERY}s")
        once(config, work)
        ledger = sum(path.stat().st_size for path in (config.parent / "var").rglob("*") if path.is_file()) / MIB
        with DaemonProgram(config) as daemon:
            began = time.monotonic()
            settled(daemon)
            reached = time.monotonic() - began
            process = psutil.Process(daemon.pid)
            started = sum(process.cpu_times()[:2])
            time.sleep(EVERY / 3)  # what the start leaves to be done has been done
            rows.append(
                [
                    "start on a full ledger, until idle",
                    f"{sessions:,} sessions",
                    f"{short(reached)} s, {short(started)} s CPU",
                    "",
                    f"{short(ledger)} MiB",
                ]
            )
            rows.append(_rest(process, sessions))
    return Result(
        ("", "site", "time", "memory", "ledger"),
        rows,
        (
            f"{RULES} rules, a poll every {EVERY} s, nothing changes. CPU: of the daemon's process, over {ROUNDS} polls.",
            "The ledger after a first run: mirror, decisions, effects, and the log of writes that was not folded in yet.",
        ),
    )


def _rest(process: psutil.Process, sessions: int) -> list[str]:
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(EVERY * ROUNDS)
    share = (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began) * 100
    memory = process.memory_info().rss / MIB
    return [
        "idle",
        f"{sessions:,} sessions",
        f"{short(share)} % of a core ({held(share, at_most=1, unit=' %')})",
        f"{short(memory)} MiB ({held(memory, at_most=120, unit=' MiB')})",
        "",
    ]
