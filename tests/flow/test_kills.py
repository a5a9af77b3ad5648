"""Kills at random moments, on a site that misbehaves: afterwards the site and the people's inbox are as they should be.

The daemon is a process of its own and is killed with SIGKILL, again and again; meanwhile sessions keep arriving. After
a clean run at the end the site's data are held against what the rules demand of them, read without the daemon's client.
A run is repeated by its seed: FLYBALL_TEST_SEED.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from support.lab import NOTES, QUICK_JOBS, write_lab
from support.process import Program, SandboxProgram, run_once, until
from support.receiver import Receiver
from support.truth import Differences, Lab, compare, expected_incomplete, over_http

SEED = int(os.environ.get("FLYBALL_TEST_SEED", "20261120"))
SITE = {
    "limits": {"per_second": 0, "concurrency": 4},
    "timeouts": {"silence": "700ms"},
    "unclear_wait": {"reset": "150ms", "timeout": "400ms"},
}
DEEDS = r"/(tags|analyses|notes)$"
FAULTS = (
    {"kind": "reset_after", "method": "POST", "path": DEEDS, "rate": 0.10},
    {"kind": "reset_before", "method": "POST", "path": DEEDS, "rate": 0.05},
    {"kind": "hang", "commit": True, "method": "POST", "path": DEEDS, "rate": 0.04},
    {"kind": "status", "status": 503, "method": "POST", "path": DEEDS, "rate": 0.06},
    {"kind": "status", "status": 503, "commit": True, "method": "POST", "path": DEEDS, "rate": 0.05},
    {"kind": "truncate", "rate": 0.02},
    {"kind": "slow", "delay_s": 0.06, "method": "POST"},
)
ARRIVALS = {"every_s": 0.6, "scan_s": 0.05, "lacks": 0.15}


@dataclass
class Tally:
    """The figures of one storm."""

    seed: int
    kills: int = 0
    ended: int = 0
    faults: int = 0
    launches: int = 0
    tags: int = 0
    notes: int = 0
    alerts: int = 0
    resent: int = 0
    found: Differences = field(default_factory=lambda: Differences((), ()))

    def say(self) -> None:
        """Print them."""
        done = f"{self.tags} tags, {self.launches} launches, {self.notes} notes, {self.alerts} alerts"
        print(
            f"seed {self.seed}: {self.kills} kills ({self.ended} runs ended before theirs), {self.faults} faults; {done}"
            f" ({self.resent} sent again); lost {len(self.found.lost)}, doubled {len(self.found.doubled)}"
        )


def moments(dice: random.Random) -> Iterator[tuple[bool, int, float]]:
    """For each round: whether the daemon runs for good, and after how many writes, or at the latest how many seconds
    after its first request, it is killed.
    """
    while True:
        forever = dice.random() < 0.5
        if dice.random() < 0.7:
            yield forever, dice.randint(1, 14), 4.0
        else:
            yield forever, 1_000_000, dice.uniform(0.01, 1.5)


def kill_again_and_again(box: SandboxProgram, config: Path, kills: int, dice: random.Random, tally: Tally) -> None:
    """Start the daemon and kill it, until that has been done so many times."""
    for forever, writes, seconds in moments(dice):
        if tally.kills >= kills:
            return
        total, before = box.requests()["total"], box.writes()
        arguments = ["--config", str(config), "run", *([] if forever else ["--until-idle"])]
        with Program(arguments, folder=config.parent) as program:
            until(partial(_has_asked, program, box, total), 30, "the first request")
            end = time.monotonic() + seconds
            while program.running and time.monotonic() < end and box.writes() - before < writes:
                time.sleep(0.008)
            if program.running:
                program.kill()
                tally.kills += 1
            else:
                tally.ended += 1
                assert program.process.returncode in (0, 1), program.err[-3000:]


def _has_asked(program: Program, box: SandboxProgram, before: int) -> bool:
    """Whether the program has sent a request, or ended."""
    return not program.running or box.requests()["total"] > before


def settled(box: SandboxProgram, arrivals: int) -> None:
    """Wait until nobody arrives any more and every report is there."""
    seen = [-1]

    def look() -> bool:
        lab = over_http(box.api)
        new = {ident for ident, row in lab.subjects.items() if str(row["label"]).startswith("TOME_4")}
        scans = [row for row in lab.acquisitions.values() if row["parents"]["subject"] in new]
        bare = [row for row in scans if "T2" not in row["label"] and len(row["files"]) < 3]
        seen.append(len(scans))
        return len(new) >= arrivals and not bare and seen[-1] == seen[-2]

    until(look, 120, "the arrivals end", every=0.4)


def finish(config: Path) -> None:
    """Clean runs until nothing is left: one run waits for what is due within 90 s, an unlucky message may be due later."""

    def nothing_left() -> bool:
        final = run_once(config, "--json", seconds=240)
        assert final.process.returncode == 0, final.err[-3000:]
        states = json.loads(final.out)["effects"]
        return not states["planned"] + states["waiting"] + states["running"]

    until(nothing_left, 330, "everything is done", every=5)


def check_messages(receiver: Receiver, lab: Lab) -> None:
    """Who is told: every lack at least once, one key a message however often it was sent, all-clears where it is over."""
    opened, resolved = receiver.keys("open"), receiver.keys("resolved")
    lacking = expected_incomplete(lab)
    assert lacking <= opened.keys(), "an alert was lost"
    assert resolved.keys() == opened.keys() - lacking, "an all-clear was lost, or said too early"
    for keys in (*opened.values(), *resolved.values()):
        assert len(keys) == 1, f"one message, several keys: {keys}"
    delivered = {message.key for message in receiver.messages if message.answered}
    assert delivered == {key for keys in (*opened.values(), *resolved.values()) for key in keys}


def storm(folder: Path, dialect: str, kills: int, seed: int, arrivals: int = 16) -> Tally:
    """One storm; its figures, after they were asserted."""
    dice = random.Random(seed)  # noqa: S311 - moments of kills, repeatable by their seed
    tally = Tally(seed)
    growth = {**ARRIVALS, "limit": arrivals}
    scenario = {"dialect": dialect, "jobs": QUICK_JOBS, "growth": growth, "seed": f"storm-{seed}"}
    weather = {number: dice.choice([*[200] * 8, 0, 503]) for number in range(10_000)}
    calm = False
    with (
        Receiver(lambda number: 200 if calm else weather[number]) as receiver,
        SandboxProgram(folder, scenario) as box,
    ):
        channels = {"lab": {"kind": "webhook", "url": receiver.url}}
        config = write_lab(folder, box.key, site=SITE, extra={"notes.yaml": NOTES}, notify="lab", channels=channels)
        box.misbehave(*FAULTS)
        kill_again_and_again(box, config, kills, dice, tally)
        tally.faults, calm = box.behave(), True
        settled(box, arrivals)
        finish(config)
        writes = box.writes()
        again = run_once(config)
        assert again.process.returncode == 0, again.err[-3000:]
        assert box.writes() == writes, "a second clean run wrote"
        lab = over_http(box.api)
        tally.found = compare(lab, notes=True)
        tally.tags = sum(len(tags) for tags in lab.tags().values())
        tally.launches = sum(len(runs) for runs in lab.launched().values())
        tally.notes = sum(len(texts) for texts in lab.notes().values())
        tally.alerts = len({message.key for message in receiver.messages})
        tally.resent = len(receiver.messages) - tally.alerts
        tally.say()
        assert not tally.found, f"seed {seed}: {tally.found}"
        check_messages(receiver, lab)
    return tally


@pytest.mark.parametrize("dialect", ["v23", "live19"])
def test_kills_at_random_moments(dialect: str, tmp_path: Path) -> None:
    """Ten kills in bad weather: nothing lost, nothing doubled, every note once, every message with one key."""
    tally = storm(tmp_path, dialect, kills=10, seed=SEED)
    assert tally.kills == 10
    assert tally.faults > 5


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("dialect", ["v23", "live19"])
@pytest.mark.parametrize("turn", range(4))
def test_many_kills(turn: int, dialect: str, tmp_path: Path) -> None:
    """The same for longer, with other seeds."""
    tally = storm(tmp_path, dialect, kills=60, seed=SEED + 1 + turn, arrivals=120)
    assert tally.kills == 60
