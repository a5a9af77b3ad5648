"""What is going to go wrong, worked out from a seed: pure, so that a run can be told in advance and done again.

Chance in the order of events remains (two processes race each other); the seed fixes what is done to them, when, and
which share of the requests is harmed how.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Mapping[str, Any]
Weather = Literal["calm", "rain", "gale"]

CREATES = r"/(analyses|notes|jobs/add|retry)$"
"""Requests that make something: carried out twice, they would leave two."""
WRITES = r"/(tags|tags/[^/]+|analyses|notes|jobs/add|retry)$"


@dataclass(frozen=True, slots=True)
class Scale:
    """How long things take; a short run has a smaller one.

    Attributes:
        silence_s: our own time-out.
        reset_s, timeout_s, late_s: the site's `unclear_wait`.
        commits_late_s: by how much a site is late in carrying out what it no longer answers.
        pause_s: for how long a process stands still (SIGSTOP), at the most.
        plain_500s: the site also answers 500, after which single effects wait for half a minute.
    """

    silence_s: float = 0.8
    reset_s: float = 0.15
    timeout_s: float = 0.5
    late_s: float = 21.0
    commits_late_s: float = 20.0
    pause_s: float = 12.0
    plain_500s: bool = True

    def site(self, concurrency: int = 4) -> dict[str, Any]:
        """The settings of the site that go with it."""
        waits = {"reset": self.reset_s, "timeout": self.timeout_s, "late": self.late_s}
        return {
            "limits": {"per_second": 0, "concurrency": concurrency},
            "timeouts": {"silence": _ms(self.silence_s)},
            "unclear_wait": {name: _ms(value) for name, value in waits.items()},
        }


SHORT = Scale(silence_s=2.0, late_s=2.5, commits_late_s=2.2, pause_s=2.5, plain_500s=False)


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def faults(scale: Scale, strength: float = 1.0) -> list[Fault]:
    """Which share of which requests is harmed how; the first that applies wins.

    Args:
        scale: of the run.
        strength: multiplies every rate.
    """
    late = scale.commits_late_s
    plan: list[dict[str, Any]] = [
        {"kind": "reset_after", "late_s": late, "method": "POST", "path": CREATES, "rate": 0.02},
        {"kind": "hang", "commit": True, "late_s": late, "method": "POST", "path": CREATES, "rate": 0.03},
        {
            "kind": "status",
            "status": 504,
            "commit": True,
            "late_s": late,
            "method": "POST",
            "path": CREATES,
            "rate": 0.01,
        },
        {"kind": "reset_after", "path": WRITES, "method": "POST", "rate": 0.07},
        {"kind": "reset_after", "path": WRITES, "method": "DELETE", "rate": 0.1},
        {"kind": "reset_before", "path": WRITES, "method": "POST", "rate": 0.05},
        {"kind": "reset_before", "path": WRITES, "method": "DELETE", "rate": 0.05},
        {"kind": "hang", "commit": True, "path": WRITES, "method": "POST", "rate": 0.02},
        {"kind": "hang", "path": WRITES, "method": "POST", "rate": 0.02},
        {"kind": "truncate", "path": WRITES, "method": "POST", "rate": 0.03},
        {"kind": "status", "status": 503, "path": WRITES, "method": "POST", "rate": 0.03},
        {"kind": "status", "status": 503, "commit": True, "path": WRITES, "method": "POST", "rate": 0.03},
        {"kind": "status", "status": 502, "html": True, "commit": True, "path": WRITES, "method": "POST", "rate": 0.02},
        {"kind": "status", "status": 500, "path": WRITES, "method": "POST", "rate": 0.01},
        {"kind": "status", "status": 429, "retry_after": 1, "rate": 0.004},
        {"kind": "status", "status": 429, "rate": 0.003},
        {"kind": "truncate", "method": "GET", "rate": 0.025},
        {"kind": "reset_before", "method": "GET", "rate": 0.02},
        {"kind": "status", "status": 503, "html": True, "method": "GET", "rate": 0.02},
        {"kind": "status", "status": 500, "method": "GET", "rate": 0.005},
        {"kind": "hang", "method": "GET", "rate": 0.004},
        {"kind": "slow", "delay_s": 0.3, "rate": 0.01},
        {"kind": "slow", "delay_s": 0.05, "method": "POST"},
    ]
    if not scale.plain_500s:
        plan = [one for one in plan if one.get("status") != 500]
    return [{**one, "rate": round(one["rate"] * strength, 5)} if "rate" in one else one for one in plan]


def storm_of_429(dice: random.Random, now: float) -> Fault:
    """For a while everything is turned away, with the pause as seconds, as an HTTP date, or without one."""
    from email.utils import formatdate  # noqa: PLC0415 - used here alone

    said = dice.choice([1, 2, formatdate(now + 2, usegmt=True), None])
    return {"kind": "status", "status": 429, "retry_after": said, "count": dice.randint(5, 25)}


@dataclass(frozen=True, slots=True)
class Moment:
    """One round: start the daemon if it is not running, let it work, do something to it.

    Attributes:
        number: of the round, from 0.
        forever: `run`, against `run --until-idle`.
        writes, seconds: it comes after so many writes, or so many seconds after the first request, whatever is first.
        pause: seconds that it stands still before; 0 for none.
        kill: it is killed (SIGKILL); else it is stopped gently (SIGTERM).
        storm: everything answers 429 for a while.
        flips: so many reports get other values meanwhile.
    """

    number: int
    forever: bool
    writes: int
    seconds: float
    pause: float
    kill: bool
    storm: bool
    flips: int


def moments(dice: random.Random, scale: Scale) -> Iterator[Moment]:
    """Rounds without end."""
    number = 0
    while True:
        by_writes = dice.random() < 0.7
        yield Moment(
            number,
            forever=dice.random() < 0.6,
            writes=dice.randint(1, 14) if by_writes else 1_000_000,
            seconds=4.0 if by_writes else dice.uniform(0.01, 1.5),
            pause=dice.uniform(scale.silence_s, scale.pause_s) if dice.random() < 0.06 else 0.0,
            kill=dice.random() < 0.95,
            storm=dice.random() < 0.05,
            flips=dice.choice([0, 0, 1, 2, 3]),
        )
        number += 1


@dataclass(frozen=True, slots=True)
class Options:
    """One run.

    Attributes:
        seed: of everything that is drawn.
        kills, faults: so many at the least.
        store: `embedded`, or postgresql://….
        replicas: daemons at once; more than one wants PostgreSQL.
        dialect: of the site.
        arrivals: new subjects that walk in meanwhile.
        scale: how long things take.
        strength: multiplies the rates of faults.
        gentle: seconds that a stop may take, as promised; more on a machine that is busy with other tests.
    """

    seed: int = 20261120
    kills: int = 200
    faults: int = 2000
    store: str = "embedded"
    replicas: int = 1
    dialect: str = "v23"
    arrivals: int = 60
    scale: Scale = field(default=Scale())
    strength: float = 1.0
    gentle: float = 10.0
