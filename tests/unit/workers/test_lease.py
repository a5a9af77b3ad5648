"""The lease: how long a sign of life holds."""

from __future__ import annotations

from flyball.workers.lease import Lease, boot_clock


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def _holds(lease: Lease) -> bool:
    """Asked anew each time."""
    return lease.holds


def test_it_counts_from_when_the_sign_was_sent() -> None:
    """An answer that took long does not make the lease longer, and an old answer does not make it shorter."""
    clock = Hand()
    lease = Lease(3.0, clock)
    assert _holds(lease) is False
    sent = lease.now()
    clock.at += 2.0
    lease.renew(sent)
    assert _holds(lease)
    lease.renew(lease.now())
    lease.renew(sent)
    clock.at += 2.9
    assert _holds(lease)
    clock.at += 0.1
    assert not _holds(lease)


def test_revoked() -> None:
    """One that was revoked holds again only with a new sign of life."""
    clock = Hand()
    lease = Lease(3.0, clock)
    lease.renew(lease.now())
    lease.revoke()
    assert not _holds(lease)
    lease.renew(lease.now())
    assert _holds(lease)


def test_the_machines_clock_goes_on() -> None:
    """Its clock does not go back."""
    assert boot_clock() <= boot_clock()
