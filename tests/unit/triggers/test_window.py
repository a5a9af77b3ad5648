"""The window: how far back is asked again, and when that ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flyball.triggers.window import TICK, Window

T = datetime(2026, 11, 20, 9, tzinfo=UTC)
OVERLAP = timedelta(seconds=120)


def second(number: float) -> datetime:
    """So many seconds after T."""
    return T + timedelta(seconds=number)


def test_the_first_round_asks_the_whole_overlap() -> None:
    """A new process knows nothing of what was seen before."""
    assert Window(OVERLAP).start(T, 0) == T - OVERLAP


def test_a_quiet_stream_closes_after_the_overlap() -> None:
    """One more look when it is over; from then on only what is later."""
    window = Window(OVERLAP)
    asked = window.start(T, 0)
    window.ended(asked, T, T, 0)
    for now in (30, 60, 90, 119):
        assert window.start(T, now) == T - OVERLAP
        window.ended(T - OVERLAP, T, T, now)
    assert window.start(T, 121) == T - OVERLAP
    window.ended(T - OVERLAP, T, T, 121)
    assert window.start(T, 150) == T + TICK


def test_a_change_opens_it_again() -> None:
    """With the new cursor the overlap counts anew."""
    window = Window(OVERLAP)
    for now in (0, 200):
        window.ended(window.start(T, now), T, T, now)
    assert window.start(T, 230) == T + TICK
    window.brought([("a", second(300))])
    window.ended(T + TICK, T, second(300), 230)
    assert window.start(second(300), 260) == second(180)


def test_a_bulk_import_is_not_asked_again_each_round() -> None:
    """Only its newest part is; the whole of it once, when the overlap is over."""
    window = Window(OVERLAP, capacity=10)
    window.brought((str(number), second(number)) for number in range(100))
    window.ended(T - OVERLAP, T, second(99), 100)
    assert window.start(second(99), 130) == second(90)
    window.ended(second(90), second(99), second(99), 130)
    full = window.start(second(99), 221)
    assert full <= second(99) - OVERLAP
    window.brought((str(number), second(number)) for number in range(100))
    window.ended(full, second(99), second(99), 221)
    assert window.start(second(99), 250) == second(99) + TICK


def test_a_bulk_import_of_one_time() -> None:
    """More rows of one time than there is room for: only what is later is asked until the overlap is over."""
    window = Window(OVERLAP, capacity=10)
    window.brought((str(number), T) for number in range(100))
    window.ended(T - OVERLAP, T - OVERLAP, T, 0)
    assert window.start(T, 30) == T + TICK
    assert window.start(T, 130) <= T - OVERLAP
