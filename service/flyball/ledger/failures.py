"""What failed and why, in groups: effects by what they were to do and by reason, and launched jobs that failed.

A hundred subjects whose launch fails for one reason are one line for people. Two errors have the same reason when they
differ in nothing but the particulars of one target: ids, keys, durations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, select

from flyball.ledger.codec import moment, unpack
from flyball.ledger.tables import effects
from flyball.model.effect import EffectState

MOST: Final = 20  # groups that are shown
_DISTINCT: Final = 1000  # different error texts that are looked at, those of the newest effects first
_JOB_FAILED: Final = "failed"  # Flywheel's word for a job's state
_PARTICULARS: Final = re.compile(
    r"\b(?:[0-9a-f]{24}|fb-[a-z2-7]{6,26}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+(?:\.\d+)?(?=\s?(?:s|ms|min|h)\b))"
)


@dataclass(slots=True)
class _Group:
    kind: str
    what: str
    error: str
    newest: int
    first: int
    last: int
    count: int
    rules: dict[str, None] = field(default_factory=dict)

    def take(self, other: _Group) -> None:
        """Another group turned out to be the same."""
        if other.newest > self.newest:
            self.newest, self.error = other.newest, other.error
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.count += other.count
        self.rules |= other.rules

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "what": self.what,
            "error": self.error,
            "count": self.count,
            "first": moment(self.first).isoformat(),
            "last": moment(self.last).isoformat(),
            "newest": str(self.newest),
            "rules": sorted(self.rules),
        }


def reason(error: str) -> str:
    """An error without what belongs to one target alone."""
    return _PARTICULARS.sub("…", error)


def failures(connection: Connection) -> dict[str, Any]:
    """`{"groups": […], "more": groups that are not shown}`, the largest first.

    A group: `{"kind", "what" (the gear of a launch, else the kind), "error" (as the newest has it), "count", "first",
    "last", "newest" (an effect's id), "rules"}`. Its kind is that of the effects, or `job`: the launch was accepted,
    and the job failed on the site.
    """
    by_reason: dict[tuple[str, str, str], _Group] = {}
    for group in (*_failed(connection), *_failed_jobs(connection)):
        (rule,) = group.rules
        _merge(by_reason, (rule, group.kind, reason(group.error)), group)
    gears = _gears(connection, (one.newest for one in by_reason.values() if one.kind in ("launch", "job")))
    by_gear: dict[tuple[str, str, str], _Group] = {}
    for group in by_reason.values():
        group.what = gears.get(group.newest, group.kind)
        _merge(by_gear, (group.what, group.kind, reason(group.error)), group)
    ordered = sorted(by_gear.values(), key=lambda one: (-one.count, -one.newest))
    return {"groups": [one.as_json() for one in ordered[:MOST]], "more": max(0, len(ordered) - MOST)}


def _merge(groups: dict[tuple[str, str, str], _Group], key: tuple[str, str, str], group: _Group) -> None:
    known = groups.setdefault(key, group)
    if known is not group:
        known.take(group)


def _failed(connection: Connection) -> Iterable[_Group]:
    newest = func.max(effects.c.id)
    query = (
        select(effects.c.rule, effects.c.kind, effects.c.error, *_measures())
        .where(effects.c.state == str(EffectState.FAILED))
        .group_by(effects.c.rule, effects.c.kind, effects.c.error)
        .order_by(newest.desc())
        .limit(_DISTINCT)
    )
    for rule, kind, error, number, last_id, first, last in connection.execute(query):
        yield _Group(kind, kind, error or "no reason is on record", last_id, first, last, number, {rule: None})


def _failed_jobs(connection: Connection) -> Iterable[_Group]:
    query = (
        select(effects.c.rule, *_measures())
        .where(
            effects.c.job > "",  # takes the index over jobs: launches only
            effects.c.job_state == _JOB_FAILED,
            effects.c.state == str(EffectState.DONE),
        )
        .group_by(effects.c.rule)
    )
    for rule, number, last_id, first, last in connection.execute(query):
        error = "the site took the job, and it failed there; its log on the site says why"
        yield _Group("job", "job", error, last_id, first, last, number, {rule: None})


def _measures() -> tuple[Any, ...]:
    return (
        func.count(),
        func.max(effects.c.id),
        func.min(effects.c.updated),
        func.max(effects.c.updated),
    )


def _gears(connection: Connection, wanted: Iterable[int]) -> dict[int, str]:
    """Effect → the gear that it launches."""
    query = select(effects.c.id, effects.c.params).where(effects.c.id.in_(list(wanted)))
    found = {}
    for ident, params in connection.execute(query):
        gear = unpack(params).get("gear")
        if isinstance(gear, str):
            found[ident] = gear
    return found
