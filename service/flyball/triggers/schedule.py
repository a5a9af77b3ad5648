"""When something is due: APScheduler's triggers as a calculator. The only door to APScheduler.

Its schedulers and stores are not used: they forget missed runs and cannot be shared by replicas. Crontab texts are
translated first, because APScheduler counts weekdays from Monday and wants both day fields to fit, where crontab
counts from Sunday and is content with either. Its triggers reckon in wall-clock time here, and the zone is put to that
afterwards: where clocks are put back, their own reckoning returns the same time for ever (3.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366))  # how far to look for `latest`
_FIELDS = 5


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


def crontab(text: str, zone: str = "UTC") -> Crontab:
    """A five-field crontab text in a time zone.

    Raises:
        ValueError: what is wrong with the text or the zone.
    """
    fields = text.lower().split()
    if len(fields) != _FIELDS:
        raise ValueError(f"{text!r} has {len(fields)} fields; a schedule has five: minute hour day month weekday")
    minute, hour, day, month, weekday = fields
    month = ",".join(_numbers(part, _MONTHS, 1) for part in month.split(","))
    days = ",".join(_weekdays(part) for part in weekday.split(","))
    plain = {"minute": minute, "hour": hour, "month": month, "timezone": UTC}
    # Crontab is content with either day field, unless one of them begins with a star.
    if day.startswith("*") or weekday.startswith("*"):
        trigger: Any = CronTrigger(day=day, day_of_week=days, **plain)
    else:
        trigger = OrTrigger([CronTrigger(day=day, **plain), CronTrigger(day_of_week=days, **plain)])
    return Crontab(trigger, ZoneInfo(zone), hourly=hour.startswith("*"))


def _numbers(part: str, names: tuple[str, ...], first: int) -> str:
    """One part of a field with its names as numbers: `jan-mar/2` is `1-3/2`."""
    span, slash, step = part.partition("/")
    ends = [str(names.index(end) + first) if end in names else end for end in span.split("-")]
    return "-".join(ends) + slash + step


def _weekdays(part: str) -> str:
    """One part of the weekday field as names: `0` and `7` are Sunday, `5-7` and `sun-tue/2` are spelled out."""
    span, slash, step = _numbers(part, _WEEKDAYS, 0).partition("/")
    if span == "*" and not slash:
        return "*"
    begin, dash, end = ("0", "-", "6") if span == "*" else span.partition("-")
    if not (begin.isdigit() and (end.isdigit() or not dash) and (step.isdigit() or not slash)):
        raise ValueError(f"weekday {part!r}: weekdays are 0 to 7 (0 and 7 are Sunday) or sun to sat")
    start = int(begin)
    stop = int(end) if dash else (6 if slash else start)
    if not (0 <= start <= 7 and 0 <= stop <= 7) or (slash and int(step) < 1):
        raise ValueError(f"weekday {part!r}: weekdays are 0 to 7 (0 and 7 are Sunday) or sun to sat")
    numbers = range(start, stop + 1 if stop >= start else stop + 8)
    return ",".join(dict.fromkeys(_WEEKDAYS[number % 7] for number in numbers[:: int(step or 1)]))
