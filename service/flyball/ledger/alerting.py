"""The state of alerts: open, said again, resolved. One row for each time that something began and, perhaps, ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from flyball.ledger.book import row_claim
from flyball.ledger.codec import micros, moment
from flyball.ledger.mirror import chunks
from flyball.ledger.planning import add_effect
from flyball.ledger.tables import alerts, claims, effects, rules
from flyball.model.effect import Effect, EffectState
from flyball.rules.claims import ALERT, Claim, Planned, lane_of

AlertKey = tuple[str, str, str, str]  # rule, site, target id, slot
SAID = ("title", "body", "severity", "repeat", "channel")  # what a message takes from the claim as it stands now
_UNFINISHED = tuple(
    str(state) for state in (EffectState.PLANNED, EffectState.WAITING, EffectState.RUNNING, EffectState.HELD)
)


def alert_key(effect: Effect) -> AlertKey:
    """Which alert a message is about."""
    return (effect.rule, effect.site, effect.target.id, effect.slot)


def open_alerts(connection: Connection, messages: Iterable[Effect]) -> dict[AlertKey, datetime]:
    """Those of the alerts that people were told of and that are not resolved → since when."""
    wanted = {alert_key(effect) for effect in messages}
    found: dict[AlertKey, datetime] = {}
    for some in chunks(sorted({target for _, _, target, _ in wanted})):
        query = select(alerts).where(alerts.c.target.in_(some), alerts.c.status == "open")
        for row in connection.execute(query):
            key = (row.rule, row.site, row.target, row.slot)
            if key in wanted:
                found[key] = moment(row.since)
    return found


def message_params(effect: Effect, claim: Claim | None, since: datetime | None) -> dict[str, Any]:
    """The parameters of a message that is about to be sent: the text as the rule would have it now.

    A resolution keeps its own text: its claim is gone. One that may have been sent already is not changed.
    """
    params = dict(effect.params)
    if claim is not None and params["status"] != "resolved" and not effect.unclear:
        params |= {name: claim.params[name] for name in SAID if name in claim.params}
    return params | {"alert": effect.once_key, "since": (since or effect.created).isoformat()}


def note_alert(connection: Connection, effect: Effect, now: datetime) -> None:
    """Note that a message was delivered."""
    params = effect.params
    where = (
        alerts.c.rule == effect.rule,
        alerts.c.site == effect.site,
        alerts.c.target == effect.target.id,
        alerts.c.slot == effect.slot,
        alerts.c.status == "open",
    )
    row = connection.execute(select(alerts.c.id).where(*where)).first()
    if row is None:
        if params["status"] == "open":
            connection.execute(insert(alerts).values(**_new_row(effect, params, now)))
        return
    values: dict[str, Any] = {"last_sent": micros(now), "count": alerts.c.count + 1}
    if params["status"] == "resolved":
        values |= {"status": "resolved", "next_repeat": None}
    else:
        values |= {"title": params["title"], "severity": params["severity"], "next_repeat": _next(params, now)}
    connection.execute(update(alerts).where(alerts.c.id == row.id).values(**values))


def _new_row(effect: Effect, params: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "rule": effect.rule,
        "site": effect.site,
        "level": str(effect.target.level),
        "target": effect.target.id,
        "path": effect.target.path,
        "slot": effect.slot,
        "status": "open",
        "severity": params["severity"],
        "title": params["title"],
        "since": micros(effect.created),
        "last_sent": micros(now),
        "count": 1,
        "next_repeat": _next(params, now),
    }


def _next(params: Mapping[str, Any], now: datetime) -> int | None:
    repeat = params.get("repeat")
    return micros(now + timedelta(seconds=repeat)) if repeat else None


def repeat_due(connection: Connection, now: datetime) -> int:
    """Queue the repetition of open alerts whose time has come; the number queued.

    An alert is repeated only while its rule still claims it and is loaded. One whose last message is still on its way
    is not: it comes again a period later.
    """
    query = select(alerts).where(alerts.c.status == "open", alerts.c.next_repeat <= micros(now))
    queued = 0
    for row in connection.execute(query).all():
        claim = _claim(connection, row)
        again = None if claim is None else _next(claim.params, now)
        connection.execute(update(alerts).where(alerts.c.id == row.id).values(next_repeat=again))
        if claim is None or again is None or _on_its_way(connection, claim):
            continue
        version = _loaded_version(connection, row.rule)
        if version is None:
            continue
        params = {**claim.params, "status": "repeat"}
        summary = f"repeat alert {params.get('title', '')!r}  {claim.target.path}"
        planned = Planned(claim.rule, claim.target, ALERT, claim.once_key, claim.slot, summary, params, single=False)
        add_effect(connection, planned, version=version, state=EffectState.PLANNED, decision=None, now=now)
        queued += 1
    return queued


def _claim(connection: Connection, row: Any) -> Claim | None:
    query = select(claims).where(
        claims.c.rule == row.rule,
        claims.c.site == row.site,
        claims.c.target == row.target,
        claims.c.slot == row.slot,
        claims.c.kind == ALERT,
    )
    found = connection.execute(query).first()
    return None if found is None else row_claim(found)


def _on_its_way(connection: Connection, claim: Claim) -> bool:
    lane = lane_of(claim.target.site, claim.once_key)
    query = select(effects.c.id).where(effects.c.lane == lane, effects.c.state.in_(_UNFINISHED)).limit(1)
    return connection.execute(query).first() is not None


def _loaded_version(connection: Connection, rule: str) -> str | None:
    query = select(rules.c.version).where(rules.c.id == rule, rules.c.present.is_(True), rules.c.paused.is_(False))
    found = connection.execute(query).scalar()
    return None if found is None else str(found)
