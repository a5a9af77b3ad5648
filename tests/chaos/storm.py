"""One storm from beginning to end, and its figures."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.fleet import Fleet, Harm
from chaos.plan import Options, faults, moments, storm_of_429
from chaos.rules import EXTRA, JOBS, gears
from chaos.verdict import Verdict, all_jobs, judge
from support.lab import write_lab
from support.process import SandboxProgram, ask, run_once, until
from support.receiver import Receiver
from support.truth import over_http

PREFIX = "TOME_4"
LAST = 12  # clean runs after which one that still writes is a fault


@dataclass(slots=True)
class Tally:
    """The figures of one storm."""

    options: Options
    harm: Harm = field(default_factory=Harm)
    faults: int = 0
    flips: int = 0
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=lambda: Verdict((), (), {}))
    second_run_wrote: int = 0

    @property
    def sound(self) -> bool:
        """Whether everything is as promised."""
        return self.verdict.sound and not self.harm.broken and not self.second_run_wrote

    def lines(self) -> list[str]:
        """What is printed."""
        given, harm = self.options, self.harm
        done = ", ".join(f"{count} {name}" for name, count in self.verdict.done.items())
        said = [
            f"seed {given.seed}, {given.store.partition(':')[0]}, {given.replicas} daemon(s), site {given.dialect}:",
            (
                f"  {harm.kills} kills, {harm.pauses} pauses, {harm.stops} stops (slowest {harm.slowest_stop:.1f} s), "
                f"{harm.ended} runs ended by themselves; {self.faults} faults, {self.flips} reports changed"
            ),
            f"  effects: {done}",
            (
                f"  lost {len(self.verdict.lost)}, doubled {len(self.verdict.doubled)}, "
                f"faults of our own {len(harm.broken)}, writes of a second clean run {self.second_run_wrote}; "
                f"{self.seconds:.0f} s"
            ),
        ]
        said += [f"  LOST {line}" for line in self.verdict.lost]
        said += [f"  DOUBLED {line}" for line in self.verdict.doubled]
        return said + [f"  BROKEN {line}" for line in harm.broken]

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "seed": self.options.seed,
            "kills": self.harm.kills,
            "faults": self.faults,
            "effects": dict(self.verdict.done),
            "lost": list(self.verdict.lost),
            "doubled": list(self.verdict.doubled),
            "broken": list(self.harm.broken),
        }


def storm(folder: Path, options: Options) -> Tally:
    """Do it; the figures. Nothing is asserted about them here."""
    began = time.monotonic()
    dice = random.Random(options.seed)  # noqa: S311 - what goes wrong, repeatable by its seed
    tally = Tally(options)
    growth = {"every_s": 0.6, "scan_s": 0.05, "lacks": 0.15, "limit": options.arrivals, "prefix": PREFIX}
    scenario = {
        "dialect": options.dialect,
        "jobs": JOBS,
        "gears": gears(),
        "growth": growth,
        "seed": f"storm-{options.seed}",
    }
    weather = {number: dice.choice([*[200] * 8, 0, 503]) for number in range(20_000)}
    calm = False
    with (
        Receiver(lambda number: 200 if calm else weather[number]) as receiver,
        SandboxProgram(folder, scenario) as box,
    ):
        config = write_lab(
            folder,
            box.key,
            site=options.scale.site(),
            extra=EXTRA,
            notify="lab",
            channels={"lab": {"kind": "webhook", "url": receiver.url}},
            **({} if options.store == "embedded" else {"store": options.store}),
        )
        box.misbehave(*faults(options.scale, options.strength))
        _blow(config, box, dice, tally)
        tally.faults += box.behave()
        calm = True
        _settled(box, options.arrivals)
        tally.second_run_wrote = _finish(config, box)
        tally.verdict = judge(over_http(box.api), all_jobs(box.api), receiver)
    tally.seconds = time.monotonic() - began
    return tally


def _blow(config: Path, box: SandboxProgram, dice: random.Random, tally: Tally) -> None:
    """Round after round, until there were enough kills and faults."""
    options = tally.options
    with Fleet(config, box, options.replicas, options.gentle) as fleet:
        tally.harm = fleet.harm
        for moment in moments(dice, options.scale):
            if fleet.harm.kills >= options.kills and _hits(box) >= options.faults:
                break
            if fleet.harm.kills >= options.kills * 3:
                break  # the faults do not come; the figures say so
            if moment.storm:
                box.misbehave(storm_of_429(dice, time.time()))
            changes = [dice.random() for _ in range(moment.flips)]
            fleet.round(moment, dice, lambda changes=changes: _change(box, changes, tally))  # type: ignore[misc]  # bound now
        fleet.halt()


def _hits(box: SandboxProgram) -> int:
    return sum(fault["hits"] for fault in box.requests()["faults"])


def _change(box: SandboxProgram, draws: list[float], tally: Tally) -> None:
    """Give some BOLD reports another signal to noise ratio: tags that are wanted no more, and tags that are now."""
    if not draws:
        return
    reports = []
    for row in _patiently(box, "/acquisitions?limit=1000&include_all_info=true") or ():
        for entry in row.get("files") or ():
            kinds = (entry.get("classification") or {}).get("Measurement") or []
            if "mriqc.qa" in entry["name"] and "T2*" in kinds:
                reports.append((str(row["_id"]), str(entry["name"])))
    for draw in draws:
        if not reports:
            return
        scan, name = sorted(reports)[int(draw * len(reports))]
        value = 0.5 if int(draw * 1_000_000) % 2 else 4.0
        _patiently(box, f"/acquisitions/{scan}/files/{name}/info", {"set": {"snr": value}})
        tally.flips += 1


def _patiently(box: SandboxProgram, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """A request of the lab's own in the same weather, as often as it takes; what it asks for may be done twice."""
    for _ in range(60):
        try:
            method = "GET" if body is None else "POST"
            answer = ask(f"{box.root}/api{path}", method, headers=box.headers, body=body, timeout=3.0)
            if answer.status == 200:
                return answer.json() if answer.body else None
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"{path}: the site never answered")


def _settled(box: SandboxProgram, arrivals: int) -> None:
    """Wait until nobody arrives any more, every report is there, and what the site does late is done."""
    seen = [-1]

    def look() -> bool:
        lab = over_http(box.api)
        new = {ident for ident, row in lab.subjects.items() if str(row["label"]).startswith(PREFIX)}
        scans = [row for row in lab.acquisitions.values() if row["parents"]["subject"] in new]
        bare = [row for row in scans if "T2" not in row["label"] and len(row["files"]) < 3]
        seen.append(len(scans))
        return len(new) >= arrivals and not bare and seen[-1] == seen[-2] and not box.requests()["late"]

    until(look, 180, "the arrivals end", every=0.4)


def _finish(config: Path, box: SandboxProgram) -> int:
    """Clean runs until nothing is left and one of them wrote nothing; how much the last one wrote.

    A run waits for what is due within 90 s, an unlucky effect may be due later, and a job that fails later is retried.
    """
    wrote = [0]

    def nothing_left() -> bool:
        before = box.writes()
        final = run_once(config, "--json", seconds=300)
        wrote.append(box.writes() - before)
        if final.process.returncode != 0:
            return False
        states = json.loads(final.out)["effects"]
        return not states["planned"] + states["waiting"] + states["running"] and (not wrote[-1] or len(wrote) > LAST)

    until(nothing_left, 900, "everything is done", every=1)
    return wrote[-1]
