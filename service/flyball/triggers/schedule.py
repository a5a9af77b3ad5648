"""When something is due: APScheduler's triggers as a calculator. The only door to APScheduler.

Its schedulers and stores are not used: they forget missed runs and cannot be shared by replicas. Crontab texts are
translated first, because APScheduler counts weekdays from Monday and wants both day fields to fit, where crontab
counts from Sunday and is content with either.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIELDS = 5


@dataclass(frozen=True, slots=True)
class Timer:
    """Gives the times of one schedule, one after the other."""

    trigger: Any

    def after(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The next time after `previous` (from `now` on when there was none); None when there is none any more."""
        found = self.trigger.get_next_fire_time(previous, now if previous is None else previous)
        return None if found is None else found.astimezone(now.tzinfo)

    def latest(self, since: datetime, now: datetime) -> datetime | None:
        """The newest time in (since, now]: what was missed is caught up once, however often it was missed."""
        newest = None
        time = self.after(since, since)
        # A day at a time: a schedule of every minute that was missed for a month is not walked minute by minute.
        if time is not None and now - time > timedelta(days=1):
            close = self.after(now - timedelta(days=1), now)
            time = close if close is not None and close <= now else time
        while time is not None and time <= now:
            newest = time
            time = self.after(time, now)
        return newest


def interval(every: timedelta, start: datetime) -> Timer:
    """Every so often, the first time at `start`."""
    return Timer(IntervalTrigger(seconds=max(every.total_seconds(), 0.001), start_date=start, timezone=start.tzinfo))


def crontab(text: str, zone: str = "UTC") -> Timer:
    """A five-field crontab text in a time zone.

    Raises:
        ValueError: what is wrong with the text or the zone.
    """
    fields = text.split()
    if len(fields) != FIELDS:
        raise ValueError(f"{text!r} has {len(fields)} fields; a schedule has five: minute hour day month weekday")
    minute, hour, day, month, weekday = fields
    zone_info = ZoneInfo(zone)
    weekday = ",".join(_weekdays(part) for part in weekday.split(","))
    plain = {"minute": minute, "hour": hour, "month": month, "timezone": zone_info}
    if day != "*" and weekday != "*":
        return Timer(OrTrigger([CronTrigger(day=day, **plain), CronTrigger(day_of_week=weekday, **plain)]))
    return Timer(CronTrigger(day=day, day_of_week=weekday, **plain))


def _weekdays(part: str) -> str:
    """One part of crontab's weekday field in names: `0` and `7` are Sunday, `5-7` and `6-1` wrap round."""
    span, _, step = part.partition("/")
    if span == "*":
        return part if not step else ",".join(_WEEKDAYS[number] for number in range(0, 7, int(step)))
    first, dash, last = span.partition("-")
    if not first.isdigit():
        return part.lower()
    start = int(first)
    stop = int(last) if dash else (6 if step else start)
    if not (0 <= start <= 7 and 0 <= stop <= 7):
        raise ValueError(f"weekday {part!r}: weekdays are 0 to 7 (0 and 7 are Sunday) or sun to sat")
    numbers = range(start, stop + 1 if stop >= start else stop + 8)
    return ",".join(_WEEKDAYS[number % 7] for number in numbers[:: int(step or 1)])
