"""When a message to people may go: the least severity of a channel, its digest, groups, silences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flyball.rules.scope import compile_globs

SEVERITIES: Final = ("info", "warning", "error")
AT_ONCE: Final = "error"
"""What is this bad waits for no digest."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A time of day at which messages are sent together.

    Attributes:
        at: by the clocks of the zone.
        zone: IANA name.
    """

    at: time
    zone: str = "UTC"

    def after(self, moment: datetime) -> datetime:
        """The first digest later than a moment (with zone); UTC. One that a change of the clocks skips comes an hour
        later by the clock, one that occurs twice comes the first time.
        """
        zone = ZoneInfo(self.zone)
        day = moment.astimezone(zone).date()
        for days in range(3):
            found = datetime.combine(day + timedelta(days=days), self.at, zone).astimezone(UTC)
            if found > moment:
                return found
        raise AssertionError("a day has a time of day")


@dataclass(frozen=True, slots=True)
class Route:
    """What one channel takes, and when.

    Attributes:
        least: the least severity that is sent.
        digest: when what is not an error is sent together; None: at once.
    """

    least: str = SEVERITIES[0]
    digest: Digest | None = None

    def takes(self, severity: str) -> bool:
        """Whether a message of this severity is sent at all."""
        return rank(severity) >= rank(self.least)

    def digest_of(self, severity: str) -> Digest | None:
        """The digest that a message of this severity waits for."""
        return None if severity == AT_ONCE else self.digest


PLAIN: Final = Route()


def rank(severity: str) -> int:
    """How bad a severity is; one that is not known counts as the worst, so that nothing is kept quiet by mistake."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1


def goes_at(route: Route, params: Mapping[str, Any], created: datetime) -> tuple[datetime, str]:
    """When a message may go at the earliest, and what it waits for: `digest`, `group`, or nothing.

    Args:
        route: of its channel.
        params: of the message: `severity`; `group` and `wait` (seconds) where it is sent with others.
        created: when it came to be, with zone.
    """
    digest = route.digest_of(str(params.get("severity")))
    if digest is not None:
        return digest.after(created), "digest"
    wait = float(params.get("wait") or 0.0)
    return created + timedelta(seconds=wait), "group" if wait > 0 else ""


@dataclass(frozen=True, slots=True)
class Silence:
    """A quiet time: messages of a rule, or about a project, are kept until it is over.

    Attributes:
        rule: id of the rule, exclusive with `project`.
        project: `group/label`, each part a glob.
        until: with zone; messages that are still to be said are sent then.
        because: the reason that a person gave.
        since: when it was asked for.
    """

    id: int
    rule: str | None
    project: str | None
    until: datetime
    because: str
    since: datetime

    def covers(self, rule: str, project: str | None) -> bool:
        """Whether it is about a message of this rule on a target in this project (`group/label`)."""
        if self.rule is not None:
            return rule == self.rule
        if project is None or self.project is None:
            return False
        return project == self.project or compile_globs("project", (self.project,)).match(project)

    def as_json(self) -> dict[str, Any]:
        """The shape of `/api/silences` and `--json`."""
        return {
            "id": str(self.id),
            "rule": self.rule,
            "project": self.project,
            "until": self.until.isoformat(),
            "because": self.because,
            "since": self.since.isoformat(),
        }


def longest(silences: Iterable[Silence], rule: str, project: str | None) -> Silence | None:
    """The silence that keeps a message longest; None: none covers it."""
    covering = [one for one in silences if one.covers(rule, project)]
    return max(covering, key=lambda one: one.until, default=None)
