"""The real clock, on a machine whose own clock is corrected under it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flyball.clock import SystemClock

START = 1_800_000_000.0


class Machine:
    """A machine's clock, and the time that passes."""

    def __init__(self) -> None:
        self.wall, self.passed = START, 5.0
        self.clock = SystemClock(lambda: self.wall, lambda: self.passed)

    def live(self, seconds: float, steps: int = 1) -> float:
        """Time passes, and the clock is read so often; what it says, in seconds from the start."""
        for _ in range(steps):
            self.wall += seconds / steps
            self.passed += seconds / steps
            said = self.clock.now()
        return (said - datetime.fromtimestamp(START, UTC)) / timedelta(seconds=1)


@pytest.mark.parametrize("jump", [-600.0, -3.0, 3.0, 600.0])
@pytest.mark.parametrize("steps", [1, 50])
def test_a_correction_is_approached_by_a_tenth(jump: float, steps: int) -> None:
    """A wait of a minute takes between 54 and 66 seconds, and in the end the machine's clock is right."""
    machine = Machine()
    machine.live(10.0)
    machine.wall += jump
    assert machine.live(60.0, steps) == pytest.approx(70.0 + max(-6.0, min(6.0, jump)))
    assert machine.live(20_000.0, steps) == pytest.approx(20_070.0 + jump)


def test_it_never_runs_back() -> None:
    """Each time is no earlier than the one before."""
    machine = Machine()
    told = [machine.live(1.0)]
    for jump in (-5.0, 0.0, -300.0, 2.0, -40.0):
        machine.wall += jump
        told += [machine.live(0.5) for _ in range(20)]
    assert told == sorted(told)


@pytest.mark.parametrize("jump", [-86_400.0, 1e9])
def test_a_clock_that_was_plainly_wrong_is_followed_at_once(jump: float) -> None:
    """A machine that began in 1970."""
    machine = Machine()
    machine.wall += jump
    assert machine.live(1.0) == pytest.approx(1.0 + jump)


def test_sleep_of_the_machine_counts() -> None:
    """The time that passed while it slept has passed."""
    machine = Machine()
    assert machine.live(30_000.0) == pytest.approx(30_000.0)


def test_it_is_the_machines_time() -> None:
    """At the start, and in UTC."""
    said = SystemClock().now()
    assert said.tzinfo is UTC
    assert abs(said - datetime.now(UTC)) < timedelta(seconds=1)
