"""Kills at random moments while a matrix of analyses is made on a Neuroscout server that misbehaves: in the end there is
exactly one analysis a cell. A run is repeated by its seed: FLYBALL_TEST_SEED. And kills at each step of one upload of
predictors with an analysis on them.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flyball.sandbox import Sandbox, Scenario
from support.killing import KILLED, MOMENTS, Moment, Nursery, Trap
from support.lab import opened, write_lab
from support.process import DaemonProgram, Program, SandboxProgram, ask, run_once, until
from support.scout import CELLS, MATRIX, QUICK, add_scout, names_of, scout_settings, write_scout_lab

SEED = int(os.environ.get("FLYBALL_TEST_SEED", "20261120"))
FAULTS: tuple[dict[str, Any], ...] = (
    {"site": "neuroscout", "kind": "reset_after", "method": "POST", "path": "analyses", "rate": 0.15},
    {"site": "neuroscout", "kind": "reset_before", "method": "POST", "path": "analyses", "rate": 0.05},
    {
        "site": "neuroscout",
        "kind": "status",
        "status": 502,
        "commit": True,
        "method": "POST",
        "path": "analyses",
        "rate": 0.1,
    },
    {"site": "neuroscout", "kind": "slow", "delay_s": 0.05, "method": "POST"},
)
HABITS = {"compile_s": [0.1, 0.4], "lag_s": 0, "workers": 4}


def own(box: SandboxProgram) -> list[dict[str, Any]]:
    """The first account's analyses that a daemon made, as their owner sees them."""
    root, user = box.ready["neuroscout"], box.ready["users"][0]
    token = ask(f"{root}/auth", "POST", body=user).json()["access_token"]
    rows = ask(f"{root}/user/myanalyses", headers={"Authorization": f"JWT {token}"}).json()
    return [row for row in rows if "[fb-" in str(row["description"])]


def posts(box: SandboxProgram) -> int:
    """How many POSTs the Neuroscout server was sent so far."""
    return int(box.requests()["neuroscout"]["by_method"].get("POST", 0))


def _has_sent(program: Program, box: SandboxProgram, number: int) -> bool:
    """Whether the server was sent so many POSTs, or the program has ended."""
    return not program.running or posts(box) >= number


def test_kills_in_the_middle_leave_one_analysis_a_cell(tmp_path: Path) -> None:
    """Six cells, killed again and again while connections break: six analyses that passed, none twice."""
    dice = random.Random(SEED)  # noqa: S311 - when to kill is no secret
    with SandboxProgram(tmp_path, {"neuroscout": {"habits": HABITS}}) as box:
        config = write_lab(tmp_path, box.key, MATRIX)
        add_scout(config, scout_settings(box.ready["neuroscout"], box.ready["users"][0]))
        box.misbehave(*FAULTS)
        kills = 0
        for _ in range(4):
            before, limit = posts(box), dice.randint(1, 5)
            arguments = ["--config", str(config), "run", "--until-idle"]
            with Program(arguments, folder=config.parent) as program:
                until(partial(_has_sent, program, box, before + limit), 90, "some POSTs", every=0.005)
                time.sleep(dice.uniform(0, 0.03))
                kills += program.running
                program.kill()
        box.behave()
        last = run_once(config)
        assert last.process.returncode == 0, (last.out, last.err[-3000:])
        found = own(box)
        assert Counter(row["name"] for row in found) == dict.fromkeys(CELLS, 1), f"seed {SEED}"
        assert {row["status"] for row in found} == {"PASSED"}
        again = posts(box)
        twice = run_once(config, "--json")
        assert twice.process.returncode == 0
        assert json.loads(twice.out)["effects"]["done"] == len(CELLS)
        assert posts(box) == again + 1  # the login
        print(f"seed {SEED}: {kills} kills, {len(found)} analyses")
        assert kills >= 1


def test_the_daemon_is_killed_while_analyses_compile_and_goes_on(tmp_path: Path) -> None:
    """`flyball run`, killed in the middle of compiling: the next one finds and follows what is there; the status tells."""
    habits = {"compile_s": [1.0, 1.5], "lag_s": 0, "workers": 2}
    with SandboxProgram(tmp_path, {"neuroscout": {"habits": habits}}) as box:
        config = write_lab(tmp_path, box.key, MATRIX)
        add_scout(config, scout_settings(box.ready["neuroscout"], box.ready["users"][0], limits={"compiling": 2}))
        with DaemonProgram(config) as first:
            until(lambda: any(row["status"] == "PENDING" for row in own(box)), 90, "one compiles")
            first.kill()
        with DaemonProgram(config) as second:
            passed = partial(_all_passed, box)
            until(passed, 90, "all have passed", every=0.2)
            status = until(lambda: (said := second.status())["effects"]["done"] == len(CELLS) and said, 90, "all done")
            assert status["sites"]["scout"]["ok"]
            assert status["sites"]["scout"]["kind"] == "neuroscout"
            assert status["sites"]["scout"]["requests"] > 0
            assert second.ask("/readyz").json()["status"] == "ready"
            metrics = second.ask("/metrics").text
            assert 'site="scout"' in metrics
        assert Counter(row["name"] for row in own(box)) == dict.fromkeys(CELLS, 1)


def _all_passed(box: SandboxProgram) -> bool:
    """Whether every cell has an analysis that passed."""
    return [row["status"] for row in own(box)] == ["PASSED"] * len(CELLS)


UPLOAD = """
rules:
  - id: food
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {film: [raiders]}
    do:
      - neuroscout.predictors: {name: "{{ film }} food", dataset: Raiders, files: [{file: food.tsv, runs: {number: 1}}]}
      - neuroscout.analysis:
          {name: grapes, dataset: Raiders, runs: [1], predictors: ["{{ film }} food/grapes"], compile: true}
"""
EVENTS = "onset\tduration\tgrapes\n0\t1\t1\n2\t1\t0\n"
STEPS = 3
"""Requests that change something: the upload, the analysis, its compiling."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One for the tests of this file."""
    with Nursery() as found:
        yield found


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        *((number, "carried out") for number in range(1, STEPS + 2)),
        *(
            pytest.param(number, moment, marks=pytest.mark.slow)
            for number in range(1, STEPS + 1)
            for moment in MOMENTS
            if moment != "carried out"
        ),
    ],
)
async def test_killed_at_a_step(number: int, moment: Moment, nursery: Nursery, tmp_path: Path) -> None:
    """One collection of predictors and one analysis that passed; the run after that sends nothing. There is no further
    step at which a run could be killed.
    """
    async with Sandbox(Scenario.named("lab", neuroscout={"habits": QUICK})) as box:
        waits = {"reset": "100ms", "timeout": "300ms", "late": "100ms"}
        config = write_scout_lab(tmp_path, box, UPLOAD, unclear_wait=waits)
        (config / "food.tsv").write_text(EVENTS)
        trap = Trap(box, number, moment, lambda method, path: method != "GET" and not path.endswith("/auth"))
        trap.victim = nursery.start(config)
        assert await trap.victim.end() == (KILLED if number <= STEPS else 0), trap.victim.log
        assert trap.seen == min(number, STEPS)
        await trap.disarm()
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert [row.name.partition(" [")[0] for row in box.scout.collections.values()] == ["raiders food"]
        assert names_of(box) == {"grapes": 1}
        assert {row.status for row in box.scout.analyses.values() if row.name == "grapes"} == {"PASSED"}
        before = dict(box.scout_requests.by_method)
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert box.scout_requests.by_method["POST"] == before["POST"] + 1  # the login
