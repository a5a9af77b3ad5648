"""Schedules: crontab in APScheduler's terms, time zones where clocks jump, catching up once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flyball.triggers.schedule import crontab, interval, latest

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)  # a Friday


def times(text: str, start: str, number: int, zone: str = "UTC") -> list[str]:
    """The next times after `start`, as the zone's own wall clock shows them."""
    timer = crontab(text, zone)
    moment = datetime.fromisoformat(start)
    found = []
    for _ in range(number):
        after = timer.after(moment)
        assert after is not None
        assert after > moment
        moment = after
        found.append(moment.astimezone(ZoneInfo(zone)).strftime("%a %d.%m. %H:%M %Z"))
    return found


def days(text: str, number: int = 4) -> list[str]:
    """Weekday and date of the next times."""
    return [time[:9] for time in times(text, "2026-11-20T09:00:00+00:00", number)]


@pytest.mark.parametrize("sunday", ["0", "7", "sun", "SUN"])
def test_sunday_has_two_numbers(sunday: str) -> None:
    """And APScheduler's 0 would be a Monday."""
    assert days(f"0 4 * * {sunday}", 2) == ["Sun 22.11", "Sun 29.11"]


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("1", "Mon 23.11 Mon 30.11"),
        ("1-5", "Mon 23.11 Tue 24.11"),
        ("mon-fri", "Mon 23.11 Tue 24.11"),
        ("5-7", "Sat 21.11 Sun 22.11"),
        ("sun-tue", "Sun 22.11 Mon 23.11"),
        ("6,0", "Sat 21.11 Sun 22.11"),
        ("sat,sun", "Sat 21.11 Sun 22.11"),
        ("*/2", "Sat 21.11 Sun 22.11"),
        ("mon-fri/2", "Mon 23.11 Wed 25.11"),
        ("1/3", "Mon 23.11 Thu 26.11"),
        ("0-7", "Sat 21.11 Sun 22.11"),
    ],
)
def test_weekdays(field: str, wanted: str) -> None:
    """Numbers, names, ranges, lists and steps, counted from Sunday."""
    assert " ".join(days(f"0 4 * * {field}", 2)) == wanted


def test_both_day_fields_are_ored() -> None:
    """The 13th, and every Friday; crontab is content with either."""
    assert days("0 0 13 * fri", 4) == ["Fri 27.11", "Fri 04.12", "Fri 11.12", "Sun 13.12"]


def test_a_day_field_that_begins_with_a_star_is_anded() -> None:
    """Every second day of the month, if it is a Monday: 23 November, 7 December is odd too, 21 December."""
    assert days("0 0 */2 * mon", 3) == ["Mon 23.11", "Mon 07.12", "Mon 21.12"]


def test_months() -> None:
    """By name, with ranges and steps."""
    assert [time[4:9] for time in times("0 0 1 jan-mar/2 *", "2026-11-20T00:00:00+00:00", 3)] == [
        "01.01",
        "01.03",
        "01.01",
    ]


@pytest.mark.parametrize("text", ["", "* * * *", "* * * * * *", "0 0 * * 8", "0 0 * * x", "0 0 * * 1/0", "61 * * * *"])
def test_nonsense_is_refused(text: str) -> None:
    """With the field that is wrong."""
    with pytest.raises(ValueError, match=r"\w"):
        crontab(text)


def test_a_zone_that_is_none() -> None:
    """Likewise."""
    with pytest.raises(KeyError):
        crontab("0 0 * * *", "Mars/Olympus")


def test_an_hour_that_is_left_out_counts_right_after_the_gap() -> None:
    """02:30 does not exist in New York on 8 March 2026."""
    assert times("30 2 * * *", "2026-03-07T08:00:00+00:00", 2, "America/New_York") == [
        "Sun 08.03. 03:30 EDT",
        "Mon 09.03. 02:30 EDT",
    ]


def test_an_hour_that_comes_twice_counts_once() -> None:
    """01:30 comes twice in New York on 1 November 2026; APScheduler's own reckoning never gets past it."""
    assert times("30 1 * * *", "2026-10-31T06:00:00+00:00", 3, "America/New_York") == [
        "Sun 01.11. 01:30 EDT",
        "Mon 02.11. 01:30 EST",
        "Tue 03.11. 01:30 EST",
    ]


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        ("2026-11-01T04:45:00+00:00", ["01:00 EDT", "01:30 EDT", "01:00 EST", "01:30 EST", "02:00 EST"]),
        ("2026-03-08T06:15:00+00:00", ["01:30 EST", "03:00 EDT", "03:30 EDT", "04:00 EDT", "04:30 EDT"]),
    ],
)
def test_every_half_hour_goes_on_through_both_changes(start: str, wanted: list[str]) -> None:
    """In truth it is always half an hour."""
    found = times("*/30 * * * *", start, 5, "America/New_York")
    assert [time[11:] for time in found] == wanted


def test_what_was_missed_is_caught_up_once() -> None:
    """The newest of the missed times, whatever their number; none when there was none."""
    daily = crontab("0 4 * * *")
    assert latest(daily, NOW - timedelta(days=30), NOW) == NOW.replace(hour=4)
    assert latest(daily, NOW.replace(hour=4), NOW) is None
    assert latest(daily, NOW.replace(hour=3), NOW) == NOW.replace(hour=4)
    assert latest(crontab("0 0 1 * *"), NOW - timedelta(days=400), NOW) == NOW.replace(day=1, hour=0)
    assert latest(crontab("0 0 29 2 *"), NOW - timedelta(days=4000), NOW) == datetime(2024, 2, 29, tzinfo=UTC)
    assert latest(crontab("* * * * *"), NOW - timedelta(days=4000), NOW) == NOW
    assert latest(crontab("0 0 30 2 *"), NOW - timedelta(days=400), NOW) is None


def test_an_interval_does_not_drift() -> None:
    """Times count from the start; a late look gets the next of them, and skipped ones do not pile up."""
    timer = interval(timedelta(seconds=30), NOW)
    assert timer.after(NOW - timedelta(hours=1)) == NOW
    assert timer.after(NOW) == NOW + timedelta(seconds=30)
    assert timer.after(NOW + timedelta(seconds=29.99)) == NOW + timedelta(seconds=30)
    assert timer.after(NOW + timedelta(seconds=100)) == NOW + timedelta(seconds=120)
    quick = interval(timedelta(milliseconds=50), NOW)
    assert quick.after(NOW + timedelta(days=3000, milliseconds=120)) == NOW + timedelta(days=3000, milliseconds=150)
