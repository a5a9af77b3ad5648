"""The chaos suite's short profile; `make chaos` is the long one. A run is repeated by its seed: FLYBALL_TEST_SEED."""

from __future__ import annotations

import os
import random
from itertools import islice
from pathlib import Path

import pytest

from chaos.plan import CREATES, SHORT, Options, Scale, faults, moments
from chaos.storm import storm
from flyball.sandbox.faults import FaultPlan
from support.process import STOPPED

SEED = int(os.environ.get("FLYBALL_TEST_SEED", "20261120"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("dialect", ["v23", pytest.param("live19", marks=pytest.mark.slow)])
def test_a_short_storm(dialect: str, tmp_path: Path) -> None:
    """Kills in bad weather: nothing lost, nothing doubled, no fault of our own, and a second clean run has no work."""
    given = Options(SEED, kills=5, faults=30, dialect=dialect, arrivals=4, scale=SHORT, strength=1.5, gentle=STOPPED)
    tally = storm(tmp_path, given)
    print("\n".join(tally.lines()))
    assert tally.sound, "\n".join(tally.lines())
    assert tally.harm.kills >= 5
    assert tally.faults >= 30
    assert min(tally.verdict.done[what] for what in ("tags", "analyses", "utility jobs", "notes", "messages")) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("turn", range(10))
def test_long_storms(turn: int, tmp_path: Path) -> None:
    """The same for longer, with other seeds and requests that are carried out 20 s late."""
    dialect = ("v23", "live19")[turn % 2]
    tally = storm(tmp_path, Options(seed=SEED + 1 + turn, kills=60, faults=600, dialect=dialect, arrivals=40))
    assert tally.sound, "\n".join(tally.lines())


def test_a_seed_gives_the_same_plan() -> None:
    """Rounds are drawn from the seed alone, and another seed gives others."""

    def drawn(seed: int) -> list[object]:
        return list(islice(moments(random.Random(seed), Scale()), 100))  # noqa: S311 - repeatable on purpose

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_the_plan_is_one_that_the_sandbox_takes() -> None:
    """Every fault is known to it; what creates something is also carried out late, with and without a time-out of ours."""
    plan = FaultPlan()
    for fault in faults(Scale()):
        plan.add(**fault)
    late = [fault for fault in plan.faults if fault.is_late]
    assert {fault.kind for fault in late} == {"reset_after", "hang", "status"}
    assert {fault.path for fault in late} == {CREATES}


def test_waits_cover_what_is_late() -> None:
    """The second look comes after the site has carried out what it is late with: else the plan would ask for doubles."""
    for scale in (Scale(), SHORT):
        assert scale.late_s > scale.commits_late_s
