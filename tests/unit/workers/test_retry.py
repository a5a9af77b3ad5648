"""When to try again."""

from __future__ import annotations

import pytest

from flyball.workers.retry import ATTEMPTS, FIRST, LONGEST, delay, exhausted, obeyed


@pytest.mark.parametrize(
    ("attempt", "plain"), [(0, 30), (1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (5000, 3600)]
)
def test_it_doubles_up_to_the_longest(attempt: int, plain: float) -> None:
    """From the first pause to the longest, spread by up to a quarter."""
    assert 0.75 * plain <= delay(attempt, first=FIRST, longest=LONGEST, key="a") <= plain


def test_the_same_effect_waits_the_same_time() -> None:
    """In every process; others wait another time."""
    assert delay(3, key="fb-a") == delay(3, key="fb-a")
    assert len({delay(3, key=f"fb-{number}") for number in range(50)}) > 40


def test_what_the_site_says_is_obeyed() -> None:
    """Never earlier; not much later."""
    waits = [obeyed(30, attempt=1, key=f"fb-{number}") for number in range(200)]
    assert min(waits) >= 30
    assert max(waits) <= 38.5
    assert obeyed(0, key="x") >= 0


def test_exhausted() -> None:
    """After so many failures."""
    assert [exhausted(number) for number in (ATTEMPTS - 1, ATTEMPTS)] == [False, True]
    assert exhausted(1, 1)
