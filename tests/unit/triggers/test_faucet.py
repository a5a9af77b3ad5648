"""How many deliveries a hook takes."""

from __future__ import annotations

from flyball.triggers.faucet import Faucet


def test_a_burst_then_a_steady_flow() -> None:
    """Three at once, then two a second; what is asked in between waits, and costs nothing."""
    faucet = Faucet(burst=3, per_second=2.0)
    assert [faucet.wait(10.0) for _ in range(5)] == [0, 0, 0, 1, 1]
    assert [faucet.wait(11.0) for _ in range(3)] == [0, 0, 1]


def test_no_more_than_the_burst_is_saved_up() -> None:
    """A quiet day allows no larger burst."""
    faucet = Faucet(burst=3, per_second=2.0)
    faucet.wait(0.0)
    assert [faucet.wait(86_400.0) for _ in range(4)] == [0, 0, 0, 1]


def test_the_wait_is_said_in_seconds() -> None:
    """As `Retry-After` wants it: whole, and long enough."""
    faucet = Faucet(burst=1, per_second=0.1)
    faucet.wait(0.0)
    assert faucet.wait(0.0) == 10
    assert faucet.wait(9.0) == 1
    assert faucet.wait(10.0) == 0
