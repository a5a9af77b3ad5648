"""Pauses between attempts: bounded, never earlier than asked, the same for the same effect."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flyball.workers.retry import delay, obeyed

SECONDS = st.floats(0.001, 1e6)


@given(st.integers(-5, 10**6), SECONDS, SECONDS, st.text(max_size=40))
def test_a_pause_has_its_bounds(attempt: int, first: float, longest: float, key: str) -> None:
    """Never longer than the longest, never shorter than three quarters of the shorter of the two."""
    pause = delay(attempt, first=first, longest=longest, key=key)
    assert 0.75 * min(first, longest) <= pause <= longest
    assert pause == delay(attempt, first=first, longest=longest, key=key)


@given(st.integers(1, 29), SECONDS, st.text(max_size=40))
def test_pauses_grow(attempt: int, first: float, key: str) -> None:
    """Twice as long each time, whatever the spread; up to the longest."""
    assert delay(attempt + 1, first=first, longest=1e18, key=key) > delay(attempt, first=first, longest=1e18, key=key)


@given(st.floats(0, 1e6), st.integers(1, 100), st.text(max_size=40))
def test_what_the_site_says_is_the_least(wait: float, attempt: int, key: str) -> None:
    """And not much more."""
    assert wait <= obeyed(wait, attempt=attempt, key=key) <= wait * 1.25 + 1
