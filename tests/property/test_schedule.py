"""Schedules against a slow reference that tries every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.triggers.schedule import crontab, interval, latest

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
START = datetime(2026, 1, 1, tzinfo=UTC)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """One field: a star, a number, a list, a range, steps."""
    number = st.integers(low, high)
    spans = st.tuples(number, number).map(sorted)
    return st.one_of(
        st.just("*"),
        st.integers(2, max(2, high // 2)).map(lambda step: f"*/{step}"),
        number.map(str),
        st.lists(number, min_size=1, max_size=3).map(lambda numbers: ",".join(map(str, numbers))),
        spans.map(lambda span: f"{span[0]}-{span[1]}"),
        st.tuples(spans, st.integers(1, 4)).map(lambda two: f"{two[0][0]}-{two[0][1]}/{two[1]}"),
    )


texts = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)).map(" ".join)


@lru_cache(maxsize=4096)
def numbers(text: str, low: int, high: int) -> set[int]:
    """What a field allows."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = (str(low), "-", str(high)) if span == "*" else span.partition("-")
        found |= set(range(int(first), int(last or first) + 1 if dash or not step else high + 1, int(step or 1)))
    return found


def fits(text: str, wall: datetime) -> bool:
    """Whether crontab would start it in this minute of the wall clock."""
    minute, hour, day, month, weekday = text.split()
    days = wall.day in numbers(day, 1, 31)
    week = any(one % 7 == wall.isoweekday() % 7 for one in numbers(weekday, 0, 7))
    either = days and week if day.startswith("*") or weekday.startswith("*") else days or week
    return (
        wall.minute in numbers(minute, 0, 59)
        and wall.hour in numbers(hour, 0, 23)
        and wall.month in numbers(month, 1, 12)
        and either
    )


@QUICK
@given(text=texts, days=st.integers(0, 364), minutes=st.integers(0, 1439))
def test_the_next_time_is_the_next_minute_that_fits(text: str, days: int, minutes: int) -> None:
    """In UTC, over a day; and between two times there is none."""
    now = START + timedelta(days=days, minutes=minutes)
    wanted = next((time for step in range(1, 1440) if fits(text, time := now + timedelta(minutes=step))), None)
    found = crontab(text).after(now)
    if wanted is None:
        assert found is None or found >= now + timedelta(days=1)
    else:
        assert found == wanted


@QUICK
@given(
    text=texts,
    zone=st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"]),
    start=st.sampled_from(["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-25", "2026-11-01", "2026-10-04"]),
    minutes=st.integers(-1440, 1440),
)
def test_time_always_goes_on(text: str, zone: str, start: str, minutes: int) -> None:
    """Around every change of the clocks: later than asked, in the zone's own minutes, and never stuck."""
    timer, moment = crontab(text, zone), datetime.fromisoformat(start).replace(tzinfo=UTC) + timedelta(minutes=minutes)
    for _ in range(20):
        found = timer.after(moment)
        if found is None:
            return
        assert found > moment
        wall = found.astimezone(ZoneInfo(zone))
        shifted = [wall, wall - timedelta(hours=1), wall - timedelta(minutes=30)]  # of an hour that is left out
        assert any(fits(text, one.replace(tzinfo=None)) for one in shifted)
        moment = found


@QUICK
@given(text=texts, hours=st.integers(1, 2000), days=st.integers(0, 364))
def test_the_latest_time_is_due_and_nothing_lies_after_it(text: str, hours: int, days: int) -> None:
    """Between it and now there is no other."""
    timer, now = crontab(text), START + timedelta(days=days)
    since = now - timedelta(hours=hours)
    found = latest(timer, since, now)
    after = timer.after(since)
    if found is None:
        assert after is None or after > now
    else:
        assert since < found <= now
        following = timer.after(found)
        assert following is None or following > now


@QUICK
@given(every=st.integers(50, 10_000_000), late=st.integers(0, 10**12))
def test_an_interval_keeps_to_its_grid(every: int, late: int) -> None:
    """Milliseconds; the next point of the grid, never more than one interval away."""
    timer, moment = interval(timedelta(milliseconds=every), START), START + timedelta(milliseconds=late)
    found = timer.after(moment)
    assert found is not None
    assert timedelta(0) < found - moment <= timedelta(milliseconds=every, microseconds=2)
    off = (found - START) % timedelta(milliseconds=every)
    assert min(off, timedelta(milliseconds=every) - off) <= timedelta(microseconds=2)
