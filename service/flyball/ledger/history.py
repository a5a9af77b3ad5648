"""The look back: effects with their attempts, decisions, events and alerts, as the JSON that people are shown.

Functions over a connection, to be run through `Store.read`; `History` runs them. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, or_, select
from sqlalchemy.sql.schema import Column

from flyball.ledger.codec import moment, moment_or_none, row_effect, row_target, unpack
from flyball.ledger.failed_jobs import failed_jobs
from flyball.ledger.failures import groups
from flyball.ledger.history_counts import Counts, Pending, counts, pending
from flyball.ledger.history_pages import LIMIT, BadQuery, Page, one_of, page
from flyball.ledger.history_targets import find_target
from flyball.ledger.naming import members
from flyball.ledger.tables import alerts, attempts, decisions, effects, events, rules
from flyball.model.decision import Verdict
from flyball.model.effect import EffectState
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.model.ports import Store

ALERT_STATES: Final = ("open", "resolved")
EVENT_KINDS: Final = ("new", "changed", "gone", "hidden", "job", "own", "edited", "webhook", "startup", "schedule")
EVENT_SOURCES: Final = ("poll", "sweep", "baseline", "webhook", "startup", "schedule", "effect")

Where = list[ColumnElement[bool]]


def list_effects(
    connection: Connection,
    *,
    rule: str | None = None,
    target: str | NodeKey | None = None,
    state: str | None = None,
    kind: str | None = None,
    kinds: Collection[str] | None = None,
    limit: int = LIMIT,
    after: str | None = None,
) -> Page:
    """Effects as in `Effect.as_json`, newest first.

    Args:
        connection: of the transaction.
        rule: of this rule only.
        target: of the target with this id or path only, or with this key.
        state: in these states only; several with commas between.
        kind: of these kinds only, likewise.
        kinds: the kinds that exist; None: any is taken.
        limit: rows a page.
        after: the `next` of the page before.

    Raises:
        BadQuery: a filter names what does not exist.
    """
    where: Where = []
    if rule is not None:
        where.append(effects.c.rule.in_(known_rules(connection, rule)))
    if isinstance(target, NodeKey):
        where.append(and_(effects.c.site == target.site, effects.c.target == target.id))
    elif target is not None:
        where.append(_about(connection, target, effects.c.site, effects.c.target))
    if state is not None:
        where.append(effects.c.state.in_(one_of("state", state, [str(one) for one in EffectState])))
    if kind is not None:
        where.append(effects.c.kind.in_(one_of("kind", kind, kind.split(",") if kinds is None else kinds)))
    return page(connection, effects, where, lambda row: row_effect(row).as_json(), limit=limit, after=after)


def effect(connection: Connection, ident: str) -> dict[str, Any] | None:
    """One effect with its story: as in the list, with `site`, `due`, `held_for` (approval, canary, limit, paused),
    `rule_version`, `decision` (the decision that asked for it) and `tries`, one entry an attempt: `{"number",
    "started", "ended", "outcome", "error"}`; an attempt under way has no end yet. None when there is none of this
    number.
    """
    number = _number(ident)
    row = None if number is None else connection.execute(select(effects).where(effects.c.id == number)).first()
    if row is None:
        return None
    tries = connection.execute(select(attempts).where(attempts.c.effect == number).order_by(attempts.c.number))
    asked = None
    if row.decision is not None:
        asked = connection.execute(select(decisions).where(decisions.c.id == row.decision)).first()
    return {
        **row_effect(row).as_json(),
        "site": row.site,
        "due": _iso(row.due),
        "held_for": row.held_for,
        "rule_version": row.rule_version,
        "decision": None if asked is None else _decision(asked),
        "tries": [
            {
                "number": one.number,
                "started": _iso(one.started),
                "ended": _iso(one.ended),
                "outcome": one.outcome,
                "error": one.error,
            }
            for one in tries
        ],
    }


def list_decisions(
    connection: Connection,
    *,
    rule: str | None = None,
    target: str | None = None,
    state: str | None = None,
    current: bool | None = None,
    limit: int = LIMIT,
    after: str | None = None,
) -> Page:
    """Decisions, newest first: `{"id", "rule", "version", "target", "decision", "because", "decided", "confirmed",
    "event", "current"}`. A rule that comes to the same result again only moves `confirmed`.

    `state` filters by result (yes, no, unknown), `current` by whether it is the target's last; the rest as in
    `list_effects`.
    """
    where: Where = []
    if rule is not None:
        where.append(decisions.c.rule.in_(known_rules(connection, rule)))
    if target is not None:
        where.append(_about(connection, target, decisions.c.site, decisions.c.target))
    if state is not None:
        where.append(decisions.c.verdict.in_(one_of("state", state, [str(one) for one in Verdict])))
    if current is not None:
        where.append(decisions.c.current.is_(current))
    return page(connection, decisions, where, _decision, limit=limit, after=after)


def recorded_decision(connection: Connection, rule: str, key: NodeKey) -> dict[str, Any] | None:
    """The last decision of a rule on a target, as in the list; None when it has not decided yet."""
    query = select(decisions).where(
        decisions.c.target == key.id,
        decisions.c.rule == rule,
        decisions.c.current.is_(True),
        decisions.c.site == key.site,
        decisions.c.level == str(key.level),
    )
    row = connection.execute(query).first()
    return None if row is None else _decision(row)


def list_events(
    connection: Connection,
    *,
    target: str | None = None,
    kind: str | None = None,
    source: str | None = None,
    limit: int = LIMIT,
    after: str | None = None,
) -> Page:
    """What was seen, newest first: `{"id", "site", "kind", "source", "target", "seen", "detail"}`."""
    where: Where = []
    if target is not None:
        where.append(_about(connection, target, events.c.site, events.c.node))
    if kind is not None:
        where.append(events.c.kind.in_(one_of("kind", kind, EVENT_KINDS)))
    if source is not None:
        where.append(events.c.source.in_(one_of("source", source, EVENT_SOURCES)))
    return page(connection, events, where, _event, limit=limit, after=after)


def list_alerts(
    connection: Connection,
    *,
    rule: str | None = None,
    target: str | None = None,
    state: str | None = None,
    limit: int = LIMIT,
    after: str | None = None,
) -> Page:
    """Alerts that people were told of, newest first: `{"id", "rule", "target", "status", "severity", "title", "since",
    "last_sent", "count"}`. `state` is open or resolved.
    """
    where: Where = []
    if rule is not None:
        where.append(alerts.c.rule.in_(known_rules(connection, rule)))
    if target is not None:
        where.append(_about(connection, target, alerts.c.site, alerts.c.target))
    if state is not None:
        where.append(alerts.c.status.in_(one_of("state", state, ALERT_STATES)))
    return page(connection, alerts, where, _alert, limit=limit, after=after)


def known_rules(connection: Connection, rule: str) -> list[str]:
    """The rule's id, or those of its cells, if it was ever loaded.

    Raises:
        BadQuery: it was not; a few that were are named.
    """
    mine = members(connection, rule)
    if mine:
        return mine
    some = connection.scalars(select(rules.c.id).order_by(rules.c.id).limit(11)).all()
    known = ", ".join(some[:10]) + (", …" if len(some) > 10 else "") or "none yet"
    raise BadQuery("unknown_rule", f"there is no rule {rule!r}; loaded so far: {known}")


def _about(connection: Connection, text: str, site: Column[Any], column: Column[Any]) -> ColumnElement[bool]:
    """The condition that a row is about the target named."""
    keys = find_target(connection, text)
    if keys:
        return or_(*(and_(site == key.site, column == key.id) for key in keys))
    for one in (effects.c.target, decisions.c.target):  # cells of a matrix are in no mirror
        if connection.execute(select(one).where(one == text).limit(1)).first() is not None:
            return column == text
    cells = select(decisions.c.target).where(decisions.c.level == str(Level.MATRIX), decisions.c.path == text)
    if connection.execute(cells.limit(1)).first() is not None:
        return column.in_(cells)
    raise BadQuery(
        "unknown_target",
        f"nothing is known of a target {text!r}; name it by its id, or as group/project/subject/session/acquisition/"
        "file as far down as it goes",
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _iso(value: int | None) -> str | None:
    time = moment_or_none(value)
    return None if time is None else time.isoformat()


def _decision(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "rule": row.rule,
        "version": row.version,
        "target": row_target(row).as_json(),
        "decision": row.verdict,
        "because": unpack(row.because),
        "decided": moment(row.decided).isoformat(),
        "confirmed": moment(row.confirmed).isoformat(),
        "event": None if row.event is None else str(row.event),
        "current": bool(row.current),
    }


def _event(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "site": row.site,
        "kind": row.kind,
        "source": row.source,
        "target": {"level": row.level, "id": row.node, "path": row.path},
        "seen": moment(row.seen).isoformat(),
        "detail": unpack(row.detail),
    }


def _alert(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "rule": row.rule,
        "target": row_target(row).as_json(),
        "status": row.status,
        "severity": row.severity,
        "title": row.title,
        "since": moment(row.since).isoformat(),
        "last_sent": _iso(row.last_sent),
        "count": row.count,
    }


class History:
    """The look back over a store; the filters are those of the functions above, pages come as JSON.

    Args:
        store: the ledger.
        kinds: names of the installed effect kinds, for the filter by kind; None: any is taken.
    """

    def __init__(self, store: Store, kinds: Collection[str] | None = None) -> None:
        self._store = store
        self._kinds = kinds

    async def effects(self, **filters: Any) -> dict[str, Any]:
        """A page of `list_effects`."""
        found = await self._store.read(partial(list_effects, kinds=self._kinds, **filters))
        return found.as_json()

    async def effect(self, ident: str) -> dict[str, Any] | None:
        """As `effect`."""
        return await self._store.read(partial(effect, ident=ident))

    async def decisions(self, **filters: Any) -> dict[str, Any]:
        """A page of `list_decisions`."""
        return (await self._store.read(partial(list_decisions, **filters))).as_json()

    async def events(self, **filters: Any) -> dict[str, Any]:
        """A page of `list_events`."""
        return (await self._store.read(partial(list_events, **filters))).as_json()

    async def alerts(self, **filters: Any) -> dict[str, Any]:
        """A page of `list_alerts`."""
        return (await self._store.read(partial(list_alerts, **filters))).as_json()

    async def failures(self, rule: str | None = None) -> list[dict[str, Any]]:
        """The failed effects in groups, largest first (`Group.as_json`)."""
        found = await self._store.read(partial(groups, rule=rule))
        return [group.as_json() for group in found]

    async def failed_jobs(self) -> list[dict[str, Any]]:
        """Launches whose job failed on the site, in groups of the same shape."""
        return [group.as_json() for group in await self._store.read(failed_jobs)]

    async def counts(self, now: datetime) -> Counts:
        """As `counts`."""
        return await self._store.read(partial(counts, now=now))

    async def pending(
        self, now: datetime, *, rules: Collection[str] | None = None, sites: Collection[str] | None = None
    ) -> Pending:
        """As `pending`."""
        return await self._store.read(partial(pending, now=now, rules=rules, sites=sites))
