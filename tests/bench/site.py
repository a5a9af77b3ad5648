"""The site that is measured against: the sandbox in a process of its own, with as much data as a case wants.

The data are whole scans (DICOM archive, NIfTI, MRIQC report) of one project, spread over three months, so that nothing
of it is news. Prints one JSON line when it listens, `{"key", "acquisitions", "sessions", "poor"}`. Then it takes
commands, one JSON object a line, and answers each with one:

    {"do": "renew", "count": N, "from": M}   new versions of N reports (a re-run of MRIQC), beginning with the M-th
    {"do": "writes"}                         {"count", "first", "last"}: tag writes since the last `clear`, and when
    {"do": "spoil", "count": N, "every": S}  makes N good scans poor, one after another; `{"seconds": [...]}` from
                                             each change until its tag is there
    {"do": "last", "count": N}               {"ids"}: of the last N acquisitions
    {"do": "clear"}                          forgets the requests counted
    {"do": "requests"}                       {"total", "by_method", "first", "last"}, and when these came

Times are seconds of the monotonic clock, which all processes of one machine share.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any

import orjson

from flyball.sandbox import Sandbox, Scenario, Site
from flyball.sandbox.files import put_file
from flyball.sandbox.http import Received, Requests
from flyball.sandbox.metadata import add_tag
from flyball.sandbox.scans import add_scan

SPAN = timedelta(days=90)
SCANS = ("T1w", "task-rest_run-01", "task-rest_run-02", "task-rest_run-03")
POOR = ("low_snr", "high_fd")
REVIEWED = 50  # each so-manieth scan carries a tag of people's: lists of the site are seen to show tags
Doc = dict[str, Any]


class Timed(Requests):
    """Requests, and when they were answered; also the tag writes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.latest = 0.0
        self.written: list[float] = []

    def note(self, received: Received) -> None:
        """Count a request in."""
        super().note(received)
        self.latest = time.monotonic()
        self.first = self.first or self.latest
        if received.method == "POST" and received.path.endswith("/tags"):
            self.written.append(self.latest)

    def clear(self) -> None:
        """Start counting anew."""
        super().clear()
        self.first = self.latest = 0.0
        self.written.clear()


class Clock:
    """Stands in the past until the data are made, then goes with the wall."""

    def __init__(self) -> None:
        self.stands: datetime | None = datetime.now(UTC) - SPAN - timedelta(days=1)

    def __call__(self) -> datetime:
        """The present."""
        return self.stands or datetime.now(UTC)


def fill(site: Site, sessions: int, scans: int, poor: float) -> int:
    """Make the project's data; how many scans are poor.

    Every `1 / poor`-th scan has a low signal to noise ratio or much motion, in turns; a T1 has no motion value, so
    that its turn is a low ratio.
    """
    site.add_group("bench", "Bench")
    project = site.add_project("bench", "cohort")
    flaws, total, bad = cycle(POOR), 0, 0
    begin, step = site.now, SPAN / (sessions + 1)
    for number in range(sessions):
        site.catch_up(begin + step * (number + 1))
        if number % 2 == 0:
            subject = _add_subject(site, project["_id"], f"S{number // 2:06}")
        session = site.add_session(subject["_id"], f"Session {number % 2 + 1}", timestamp=site.now)
        for label in islice(cycle(SCANS), scans):
            total += 1
            flawed = poor > 0 and int(total * poor) > int((total - 1) * poor)
            bad += flawed
            quality = "good" if not flawed else "low_snr" if label == "T1w" else next(flaws)
            acquisition = add_scan(site, session, label, quality, site.now)
            if total % REVIEWED == 0:
                add_tag(site, "acquisition", acquisition, "reviewed")
    return bad


def _add_subject(site: Site, project: Any, label: str) -> Doc:
    """Not by `add_subject`, whose check for a taken label looks at every subject."""
    parents = {"group": "bench", "project": project}
    doc: Doc = site.subjects.add(site.new_doc({"label": label, "code": label, "project": project, "parents": parents}))
    return doc


class Control:
    """Carries out the commands."""

    def __init__(self, box: Sandbox, counted: Timed) -> None:
        self._box = box
        self._counted = counted
        self._good: list[Doc] = []

    async def answer(self, command: Doc) -> Doc:
        """What is answered to one command."""
        match command["do"]:
            case "renew":
                return self._renew(int(command["count"]), int(command.get("from", 0)))
            case "spoil":
                return {"seconds": await self._spoil(int(command["count"]), float(command["every"]))}
            case "writes":
                times = self._counted.written
                return {"count": len(times), "first": times[0] if times else 0.0, "last": times[-1] if times else 0.0}
            case "requests":
                counted = self._counted
                when = {"first": counted.first, "last": counted.latest}
                return {"total": counted.total, "by_method": dict(counted.by_method), **when}
            case "last":
                return {"ids": [str(ident) for ident in self._box.site.acquisitions.rows][-int(command["count"]) :]}
            case "clear":
                self._counted.clear()
                return {}
            case other:
                raise ValueError(f"there is no command {other!r}")

    def _renew(self, count: int, start: int) -> Doc:
        site = self._box.site
        for acquisition in islice(cycle(site.acquisitions.rows.values()), start, start + count):
            report = _report(acquisition)
            info = {**report["info"], "renewed": time.monotonic()}
            _replace(site, acquisition, report, info)
        return {"renewed": count}

    async def _spoil(self, count: int, every: float) -> list[float]:
        site = self._box.site
        if not self._good:
            self._good = [row for row in site.acquisitions.rows.values() if row["tags"] in ([], ["reviewed"])]
        chosen, self._good = self._good[:count], self._good[count:]
        waiting: dict[str, float] = {}
        found: list[float] = []
        due = time.monotonic()
        while chosen or waiting:
            now = time.monotonic()
            if chosen and now >= due:
                acquisition = chosen.pop()
                report = _report(acquisition)
                bad = {name: 0.1 for name in ("snr", "snr_total") if name in report["info"]}
                _replace(self._box.site, acquisition, report, {**report["info"], **bad})
                waiting[acquisition["_id"]] = time.monotonic()
                due += every
            for ident in [one for one in waiting if {"LOW_SNR"} & set(site.acquisitions.rows[one]["tags"])]:
                found.append(time.monotonic() - waiting.pop(ident))
            if waiting and now - min(waiting.values()) > 30.0:
                raise TimeoutError("a change was not acted on within 30 s")
            await asyncio.sleep(0.001)
        return found


def _report(acquisition: Doc) -> Doc:
    found: Doc = next(file for file in acquisition["files"] if file["name"].endswith("mriqc.qa.html"))
    return found


def _replace(site: Site, acquisition: Doc, report: Doc, info: Doc) -> None:
    meta = {"modality": "MR", "classification": report["classification"], "info": info}
    put_file(site, "acquisition", acquisition, report["name"], content=b"<html>MRIQC</html>", **meta)


async def serve(sessions: int | None, scans: int, poor: float) -> None:
    """Listen and obey until the standard input ends."""
    clock = Clock()
    scenario = Scenario.of({"extends": "lab", "projects": [], "launches": []})
    if sessions is None:
        clock.stands, scenario = None, Scenario.named("lab")
    box = Sandbox(scenario, clock=clock)
    counted = Timed()
    box._server.requests = counted
    bad = 0 if sessions is None else fill(box.site, sessions, scans, poor)
    clock.stands = None
    async with box:
        gc.collect()
        gc.freeze()
        site = box.site
        _say({"key": box.key, "sessions": len(site.sessions), "acquisitions": len(site.acquisitions), "poor": bad})
        control = Control(box, counted)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            _say(await control.answer(orjson.loads(line)))


def _say(value: Doc) -> None:
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Read the arguments and serve."""
    import uvloop  # noqa: PLC0415 - absent on some platforms, where nothing is measured

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--sessions", type=int, help="default: the small lab of the demo")
    parser.add_argument("--scans", type=int, default=len(SCANS), help="scans a session")
    parser.add_argument("--poor", type=float, default=0.1, help="share of scans with poor values")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(given.sessions, given.scans, given.poor))


if __name__ == "__main__":
    main()
