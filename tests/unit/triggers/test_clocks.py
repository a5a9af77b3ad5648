"""The clock behind a site's stamps, worked out from what the rounds bring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flyball.triggers.clocks import ClockEstimate

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
POLL = timedelta(seconds=30)
NONE = timedelta(0)


def observed(*offsets: timedelta) -> ClockEstimate:
    """An estimate after fresh changes, each stamped so far from the middle of its round."""
    estimate = ClockEstimate()
    for number, offset in enumerate(offsets):
        begun = NOW + number * POLL
        estimate.observe(begun + POLL / 2 + offset, begun, begun + POLL)
    return estimate


def test_without_observations_the_header_counts() -> None:
    """Before anything came, the Date header is all there is."""
    assert ClockEstimate().skew(timedelta(hours=1)) == timedelta(hours=1)


def test_stamps_of_the_present_need_no_correction() -> None:
    """A stamp within the round fits our own clock, and is taken as exactly that."""
    assert observed(NONE).skew(NONE) == NONE


@pytest.mark.parametrize("hours", [-7, -2, 2, 7])
def test_stamps_win_over_a_header_that_does_not_fit(hours: int) -> None:
    """The data's clock is hours off and the header says nothing of it: the stamps are believed, never too far ahead."""
    estimate = observed(timedelta(hours=hours))
    guess = estimate.skew(NONE)
    assert timedelta(hours=hours) - POLL <= guess <= timedelta(hours=hours)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_wrong_header_is_not_believed(hours: int) -> None:
    """The header is hours off and the stamps are right."""
    estimate = observed(NONE)
    assert estimate.skew(timedelta(hours=hours)) == NONE


def test_a_header_that_fits_the_stamps_is_exact() -> None:
    """Header and stamps agree: the header is the sharper of the two."""
    estimate = observed(timedelta(hours=3))
    assert estimate.skew(timedelta(hours=3)) == timedelta(hours=3)


def test_old_stamps_that_come_late_say_nothing() -> None:
    """A row that was committed long after its stamp does not move the estimate."""
    assert observed(NONE, timedelta(hours=-5), NONE).skew(NONE) == NONE


def test_a_clock_that_was_mended_is_followed() -> None:
    """Only the last observations count."""
    assert observed(timedelta(hours=2), *[NONE] * 25).skew(NONE) == NONE
