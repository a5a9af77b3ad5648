"""When something is due: APScheduler's triggers as a calculator. The only door to APScheduler.

Its schedulers and stores are not used: they forget missed runs and cannot be shared by replicas. Crontab texts are
translated first, because APScheduler counts weekdays from Monday and wants both day fields to fit, where crontab
counts from Sunday and is content with either. Its triggers reckon in wall-clock time here, and the zone is put to that
afterwards: where clocks are put back, their own reckoning returns the same time for ever (3.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366))  # how far to look for `latest`
_SPANS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _WEEKDAYS),
)


class Timer(Protocol):
    """Gives the times of one schedule."""

    def after(self, moment: datetime) -> datetime | None:
        """The first time later than `moment`, in UTC; None when there is none any more."""
        ...


def latest(timer: Timer, since: datetime, now: datetime) -> datetime | None:
    """The newest time in (since, now]: what was missed is caught up once, however often it was missed."""
    for back in (*_BACK, now - since):
        time = timer.after(max(since, now - back))
        if time is None or time > now:
            continue
        newest = time
        while time is not None and time <= now:
            newest = time
            time = timer.after(time)
        return newest
    return None


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, counted from a start: a late look neither shifts the next one nor adds one."""

    every: timedelta
    start: datetime

    def after(self, moment: datetime) -> datetime | None:
        """The first time later than `moment`."""
        if moment < self.start:
            return self.start
        trigger = IntervalTrigger(seconds=self.every.total_seconds(), start_date=self.start, timezone=UTC)
        found = trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))
        return None if found is None else max(found, moment + timedelta(microseconds=1)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Crontab:
    """A crontab text in a time zone.

    Attributes:
        trigger: reckons in wall-clock time, written as if it were UTC.
        hourly: the hour is a star: where clocks are put back, the hour that comes twice counts twice. A set hour that
            comes twice counts once, and one that is left out counts right after the gap.
    """

    trigger: Any
    zone: ZoneInfo
    hourly: bool

    def after(self, moment: datetime) -> datetime | None:
        """The first time later than `moment`."""
        moment = moment.astimezone(UTC)
        found = self._from(moment.astimezone(self.zone).replace(tzinfo=None, fold=0), moment)
        if found is None or not self.hourly:
            return found
        offset = found.astimezone(self.zone).utcoffset()
        if offset is None or offset >= (moment.astimezone(self.zone).utcoffset() or offset):
            return found
        # The clocks are put back in between: what the new reckoning repeats comes first.
        repeated = self._from((moment + offset).replace(tzinfo=None), moment)
        return found if repeated is None else min(found, repeated)

    def _from(self, wall: datetime, moment: datetime) -> datetime | None:
        """The first time by the clock later than `wall` that is, in truth, later than `moment`."""
        while True:
            at = wall.replace(tzinfo=UTC)
            found = self.trigger.get_next_fire_time(at, at)
            if found is None:
                return None
            wall = found.replace(tzinfo=None)
            for fold in (0, 1) if self.hourly else (0,):
                time: datetime = wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
                if time > moment:
                    return time


def interval(every: timedelta, start: datetime) -> Interval:
    """Every so often, the first time at `start`."""
    return Interval(every, start)


@lru_cache(maxsize=4096)
def crontab(text: str, zone: str = "UTC") -> Crontab:
    """A five-field crontab text in a time zone.

    Raises:
        ValueError: what is wrong with the text or the zone.
    """
    fields = text.lower().split()
    if len(fields) != len(_SPANS):
        raise ValueError(f"{text!r} has {len(fields)} fields; a schedule has five: minute hour day month weekday")
    minute, hour, day, month, weekday = (_spelled_out(field, *span) for field, span in zip(fields, _SPANS, strict=True))
    week = ",".join(dict.fromkeys(_WEEKDAYS[int(one) % 7] for one in weekday.split(","))) if weekday != "*" else "*"
    plain = {"minute": minute, "hour": hour, "month": month, "timezone": UTC}
    # Crontab is content with either day field, unless one of them begins with a star.
    if fields[2].startswith("*") or fields[4].startswith("*"):
        trigger: Any = CronTrigger(day=day, day_of_week=week, **plain)
    else:
        trigger = OrTrigger([CronTrigger(day=day, **plain), CronTrigger(day_of_week=week, **plain)])
    return Crontab(trigger, ZoneInfo(zone), hourly=fields[1].startswith("*"))


def _spelled_out(field: str, name: str, low: int, high: int, names: tuple[str, ...]) -> str:
    """A field as a list of numbers: APScheduler refuses steps that are larger than their range, and some ranges."""
    if field == "*":
        return field
    found: set[int] = set()
    end_of_week = 6 if name == "weekday" else high  # 7 is Sunday again
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = (str(low), "-", str(end_of_week)) if span == "*" else span.partition("-")
        ends = [str(names.index(end) + low) if end in names else end for end in (first, last) if end]
        numbers = [int(end) for end in (*ends, *([step] if slash else [])) if end.isdigit()]
        if len(numbers) != 1 + bool(dash) + bool(slash):
            raise ValueError(f"the {name} {part!r} makes no sense; write *, a number, a-b, or these with /step")
        begin, stop = numbers[0], numbers[1] if dash else (end_of_week if slash else numbers[0])
        wraps = name == "weekday" and stop < begin  # 6-1: Saturday to Monday
        inside = low <= begin <= high and low <= stop <= high
        if not inside or (stop < begin and not wraps) or numbers[-1] < bool(slash):
            raise ValueError(f"the {name} {part!r} is out of range; it goes from {low} to {high}")
        found |= set(range(begin, stop + (8 if wraps else 1), numbers[-1] if slash else 1))
    return ",".join(map(str, sorted(found)))
