"""A dozen analyses on a Neuroscout server, made and compiled by two replicas, one of which is killed in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from flyball.sandbox import Sandbox, Scenario
from support.killing import Daemon, Nursery
from support.lab import write_lab
from support.scout import add_scout, made, names_of, scout_settings
from support.server import Server
from support.stepping import SiteSteps

RULES = """
rules:
  - id: models
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {dataset: [Life, Sherlock], predictor: [rmse, speech, brightness], take: [first, second]}
    do:
      - neuroscout.analysis:
          name: "{{ take }} {{ predictor }} in {{ dataset }}"
          dataset: "{{ dataset }}"
          predictors: ["{{ predictor }}", FramewiseDisplacement]
          compile: true
"""
CELLS = 12
PLACES = 2
WAITS = {"reset": "100ms", "timeout": "300ms", "late": "100ms"}
HABITS = {"compile_s": [0.2, 0.4], "lag_s": 0, "workers": 8}
SETTLED = 120.0
HANDS = """
SELECT replica, count(*) FROM attempts JOIN effects ON effects.id = attempts.effect
WHERE effects.kind = 'neuroscout.analysis' AND attempts.ended IS NULL GROUP BY replica
"""
OPEN = """
SELECT (SELECT count(*) FROM effects WHERE state = 'done'), (SELECT count(*) FROM effects WHERE state <> 'done'),
  (SELECT count(*) FROM attempts WHERE ended IS NULL)
"""


@pytest.fixture(scope="module")
def nurseries() -> Iterator[list[Nursery]]:
    """Each starts a replica."""
    with ExitStack() as stack:
        yield [stack.enter_context(Nursery("flyball.replicas")) for _ in range(2)]


class Watched:
    """Counts the analyses that compile at once, after each request, and how often each was sent to be compiled."""

    def __init__(self, box: Sandbox) -> None:
        self.most = 0
        self._box = box
        self._server = cast("Any", box._server)
        self._answer = self._server._answer
        self._server._answer = self._counted

    def _counted(self, path: str, request: Any) -> Any:
        reply = self._answer(path, request)
        self.most = max(self.most, sum(row.status == "PENDING" for row in made(self._box)))
        return reply


def start(nursery: Nursery, folder: Path, box: Sandbox, store: str) -> Daemon:
    """A replica."""
    config = write_lab(folder, box.key, RULES, store=store)
    scout = scout_settings(box.neuroscout, box.scout_users[0], unclear_wait=WAITS, limits={"compiling": PLACES})
    return nursery.start(add_scout(config, scout), until_idle=False)


async def until(check: Callable[[], Any], what: str, daemons: list[Daemon]) -> None:
    """Look again and again until `check` says so; it may ask the database."""
    end = time.monotonic() + SETTLED
    while not await asyncio.to_thread(check):
        assert time.monotonic() < end, f"{what}\n" + "\n---\n".join(one.log for one in daemons)
        await asyncio.sleep(0.05)


async def test_one_of_two_is_killed(nurseries: list[Nursery], tmp_path: Path) -> None:
    """Each analysis is there once and was compiled once; both together keep within the places, and one finishes."""
    server = Server.shared()
    store = server.new_database()
    began = time.monotonic()
    async with Sandbox(Scenario.named("lab", neuroscout={"habits": HABITS})) as box:
        watched = Watched(box)
        killed: list[int] = []

        def kill() -> None:
            """Whoever has sent this: it has an attempt open."""
            replica = str(server.query(store, HANDS)[0][0])
            killed.append(int(replica.partition("~")[0].split("-")[-2]))
            os.killpg(killed[0], signal.SIGKILL)

        def compiles(step: str) -> bool:
            return step.startswith("POST") and "/compile" in step

        steps = SiteSteps(box, 3, "after", kill, compiles)
        daemons = [start(one, tmp_path / str(n), box, store) for n, one in enumerate(nurseries)]
        try:
            await until(steps.struck.is_set, "one was killed", daemons)
            await until(lambda: server.query(store, OPEN) == [(CELLS, 0, 0)], "all is done", daemons)
            workers = server.query(store, "SELECT replica, count(*) FROM attempts GROUP BY replica")
        finally:
            for one in daemons:
                with suppress(ProcessLookupError):
                    one.kill()
                await one.end()
        assert len(names_of(box)) == CELLS
        assert Counter(names_of(box).values()) == {1: CELLS}
        assert {row.status for row in made(box)} == {"PASSED"}
        assert [row.compiled for row in made(box)] == [1] * CELLS
        assert watched.most <= PLACES
        assert len(steps.steps) == CELLS
        survivor = next(one.pid for one in daemons if one.pid not in killed)
        by_pid = {int(str(replica).partition("~")[0].split("-")[-2]): count for replica, count in workers}
        assert by_pid[survivor] > 0
        print(f"{time.monotonic() - began:.1f} s; attempts {by_pid}; {watched.most} at once")
