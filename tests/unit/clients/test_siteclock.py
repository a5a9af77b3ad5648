"""How far a site's clock is ahead, as its answers tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fakes.clock import FakeClock
from flyball.clients.siteclock import SiteClock


@pytest.fixture
def ours() -> FakeClock:
    """Our own clock: 2026, as all tests have it."""
    return FakeClock()


def test_ahead_and_behind(ours: FakeClock) -> None:
    """A difference of more than two seconds is one, to either side; the last answer counts."""
    clock = SiteClock(ours.now)
    for seconds, ahead in ((90, 90), (-90, -90), (1, 0), (3600, 3600)):
        clock.see((ours.now() + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT"))
        assert abs(clock.ahead - timedelta(seconds=ahead)) < timedelta(seconds=1)


def test_the_same_second_again(ours: FakeClock) -> None:
    """An answer of the same second says nothing new, however late it is read."""
    clock = SiteClock(ours.now)
    date = ours.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
    clock.see(date)
    ours.advance(60)
    clock.see(date)
    assert clock.ahead == timedelta(0)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 20 Nov 2026 12:00:00 -0000"])
def test_what_is_no_date(date: str | None, ours: FakeClock) -> None:
    """It says nothing; what was known before stays."""
    clock = SiteClock(ours.now)
    clock.see((ours.now() + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT"))
    before = clock.ahead
    clock.see(date)
    assert clock.ahead == before > timedelta(minutes=59)
