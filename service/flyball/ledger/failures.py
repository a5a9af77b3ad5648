"""Failed effects in groups: what went wrong, how often, where; so that a person mends one cause, not a thousand cases.

A group is a kind, the gear (of launches), and the reason with everything left out of it that differs from case to
case: ids, numbers, quoted names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from flyball.ledger.codec import moment, unpack
from flyball.ledger.steering import retry
from flyball.ledger.tables import effects
from flyball.model.effect import EffectState

SHOWN: Final = 20  # effects and paths that a group names
Json = dict[str, Any]

_DIFFERS: Final = (
    (re.compile(r"fb-[a-z2-7]{26}"), "KEY"),
    (re.compile(r"\b[0-9a-f]{24}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"(?<![\w.])\d+(\.\d+)?(?![\w.])"), "N"),
)
_STATUS: Final = re.compile(r"\banswered (\d{3})\b")


def reason_of(error: str | None) -> str:
    """The reason without what differs from case to case; statuses of HTTP stay.

    >>> reason_of("main: POST /sessions/{id}/analyses answered 422: input 5f0a1b2c3d4e5f6071829304 is not there")
    'main: POST /sessions/{id}/analyses answered 422: input ID is not there'
    """
    text = _STATUS.sub(lambda found: f"answered s{found[1]}", error or "no reason is known")
    for pattern, name in _DIFFERS:
        text = pattern.sub(name, text)
    return re.sub(r"\banswered s(\d{3})\b", r"answered \1", text)


@dataclass(slots=True)
class Group:
    """Failed effects of one kind, gear and reason.

    Attributes:
        kind, gear, reason: what they have in common; `gear` is None for what is no launch.
        rules: of which rules.
        ids: all of them, oldest first.
        paths: targets of the first ones.
        first, last: when the first and the last of them failed.
    """

    kind: str
    gear: str | None
    reason: str
    rules: set[str] = field(default_factory=set)
    ids: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None

    def as_json(self) -> Json:
        """As people and machines are shown it: `{"kind", "gear", "reason", "count", "rules", "effects", "targets",
        "first", "last"}`; `effects` and `targets` are the first twenty.
        """
        return {
            "kind": self.kind,
            "gear": self.gear,
            "reason": self.reason,
            "count": len(self.ids),
            "rules": sorted(self.rules),
            "effects": [str(ident) for ident in self.ids[:SHOWN]],
            "targets": self.paths,
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
        }


def groups(connection: Connection, *, rule: str | None = None) -> list[Group]:
    """The failed effects in groups, largest first."""
    query = select(
        effects.c.id,
        effects.c.kind,
        effects.c.rule,
        effects.c.path,
        effects.c.params,
        effects.c.error,
        effects.c.updated,
    ).where(effects.c.state == str(EffectState.FAILED))
    if rule is not None:
        query = query.where(effects.c.rule == rule)
    found: dict[tuple[str, str | None, str], Group] = {}
    for row in connection.execute(query.order_by(effects.c.id)):
        gear = unpack(row.params).get("gear") if row.kind == "launch" else None
        reason = reason_of(row.error)
        group = found.setdefault((row.kind, gear, reason), Group(row.kind, gear, reason))
        group.rules.add(row.rule)
        group.ids.append(row.id)
        if len(group.paths) < SHOWN:
            group.paths.append(row.path)
        when = moment(row.updated)
        group.first = when if group.first is None else min(group.first, when)
        group.last = when if group.last is None else max(group.last, when)
    return sorted(found.values(), key=lambda group: (-len(group.ids), group.kind, group.gear or "", group.reason))


def retry_group(
    connection: Connection,
    now: datetime,
    *,
    rule: str | None = None,
    gear: str | None = None,
    kind: str | None = None,
    error: str | None = None,
) -> list[Json]:
    """Try all failed effects again that fit; each with its id and state.

    Args:
        connection: of the transaction.
        now: the present, UTC.
        rule: only those of this rule.
        gear: only launches of this gear.
        kind: only those of this kind.
        error: only those whose reason holds this text, letter case aside.
    """
    done: list[Json] = []
    for group in groups(connection, rule=rule):
        fits = gear in (None, group.gear) and kind in (None, group.kind)
        if fits and (error is None or error.lower() in group.reason.lower()):
            done += [retry(connection, str(ident), now) for ident in group.ids]
    return done
