"""Whatever is committed within the overlap is read, at whatever times rounds are made and however long the pages are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.triggers.window import Window

T = datetime(2026, 11, 20, tzinfo=UTC)
OVERLAP = 120

# (seconds until it is committed, how late it is committed)
commits = st.lists(st.tuples(st.integers(0, 60), st.integers(0, OVERLAP - 1)), min_size=1, max_size=60)
pauses = st.lists(st.integers(1, 90), min_size=1, max_size=40)


@settings(deadline=None)
@given(commits=commits, pauses=pauses, capacity=st.integers(1, 8))
def test_nothing_is_lost(commits: list[tuple[int, int]], pauses: list[int], capacity: int) -> None:
    """The site commits rows late and in any order; each round reads what the window asks for."""
    window = Window(timedelta(seconds=OVERLAP), capacity)
    visible: list[tuple[int, str, datetime]] = []  # (visible from, id, time)
    clock = 0
    for number, (pause, late) in enumerate(commits):
        clock += pause
        visible.append((clock, str(number), T + timedelta(seconds=clock - late)))
    seen: set[str] = set()
    reached = T - timedelta(seconds=OVERLAP + 1)
    ends = max(at for at, _, _ in visible)
    # enough rounds afterwards for every debt to be paid
    rounds: list[int] = []
    now = 0
    while now < ends + 6 * OVERLAP:
        now += pauses[len(rounds) % len(pauses)]
        rounds.append(now)
    for now in rounds:
        before = reached
        asked = window.start(reached, now)
        rows = sorted((time, ident) for at, ident, time in visible if at <= now and time >= asked)
        window.brought((ident, time) for time, ident in rows)
        seen |= {ident for _, ident in rows}
        reached = max([reached, *(time for time, _ in rows)])
        window.ended(asked, before, reached, now)
    assert seen == {ident for _, ident, _ in visible}


@settings(deadline=None)
@given(capacity=st.integers(1, 8), number=st.integers(1, 50), pauses=pauses)
def test_quiet_rounds_ask_little(capacity: int, number: int, pauses: list[int]) -> None:
    """After an import and the overlap, nothing that is known is asked for again."""
    window = Window(timedelta(seconds=OVERLAP), capacity)
    rows = [(str(one), T + timedelta(seconds=one)) for one in range(number)]
    reached, now = rows[-1][1], 0
    for pause in [*pauses, *[60] * 10]:
        asked = window.start(reached, now)
        window.brought(row for row in rows if row[1] >= asked)
        window.ended(asked, reached, reached, now)
        now += pause
    assert window.start(reached, now) > reached
