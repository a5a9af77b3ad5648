"""The state of alerts: open, said again, resolved. One row for each time that something began and, perhaps, ended.

An alert is open from the moment at which its first message is due, whether or not anybody was told: what a silence, a
digest or a dead channel keeps back is shown all the same. `told` says which channels know of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from flyball.ledger.book import row_claim
from flyball.ledger.codec import micros, moment
from flyball.ledger.mirror import chunks
from flyball.ledger.planning import add_effect
from flyball.ledger.tables import alerts, claims, effects, rules, told
from flyball.model.effect import Effect, EffectState
from flyball.rules.claims import ALERT, Claim, Planned, alert_lane, channels_of

AlertKey = tuple[str, str, str, str]  # rule, site, target id, slot
OPEN, REPEAT, RESOLVED = "open", "repeat", "resolved"
EVERY: Final = "*"
"""In place of a channel's name: whichever channel was told, before that was noted (filled in by a migration)."""

SAID: Final = ("title", "body", "severity", "repeat", "group", "wait", "path", "project")
"""What a message takes from the claim as it stands now."""

_UNFINISHED = tuple(
    str(state) for state in (EffectState.PLANNED, EffectState.WAITING, EffectState.RUNNING, EffectState.HELD)
)


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that is not resolved.

    Attributes:
        since: when it began.
        told: channel → whether it was told; False: it takes nothing that is so little severe.
    """

    since: datetime
    told: Mapping[str, bool]

    def settled(self, channel: str) -> bool:
        """Whether the channel was told, or is not to be."""
        return channel in self.told or EVERY in self.told

    def knows(self, channel: str) -> bool:
        """Whether people on the channel were told, so that they must hear of its end."""
        return self.told.get(channel, EVERY in self.told)


def alert_key(effect: Effect) -> AlertKey:
    """Which alert a message is about."""
    return (effect.rule, effect.site, effect.target.id, effect.slot)


def open_alerts(connection: Connection, messages: Iterable[Effect]) -> dict[AlertKey, Standing]:
    """Those of the alerts that some messages are about and that are not resolved."""
    wanted = {alert_key(effect) for effect in messages}
    rows = []
    for some in chunks(sorted({target for _, _, target, _ in wanted})):
        query = select(alerts).where(alerts.c.target.in_(some), alerts.c.status == OPEN)
        rows += [row for row in connection.execute(query) if _key_of(row) in wanted]
    known = _told(connection, [row.id for row in rows])
    return {_key_of(row): Standing(moment(row.since), known.get(row.id, {})) for row in rows}


def message_params(effect: Effect, claim: Claim | None, since: datetime | None) -> dict[str, Any]:
    """The parameters of a message that is about to be sent: the text as the rule would have it now.

    A resolution keeps its own text: its claim is gone. One that may have been sent already is not changed.
    """
    params = dict(effect.params)
    if not effect.unclear:
        params.pop("items", None)  # with whom it goes out is worked out anew
        if claim is not None and params["status"] != RESOLVED:
            params |= {name: claim.params[name] for name in SAID if name in claim.params}
    return params | {"alert": effect.once_key, "since": (since or effect.created).isoformat()}


def begin_alert(connection: Connection, effect: Effect) -> None:
    """Note that an alert is open, nobody told yet; nothing where it is known."""
    if effect.params["status"] == OPEN and _row(connection, effect) is None:
        connection.execute(insert(alerts).values(**_new_row(effect)))


def note_alert(connection: Connection, effect: Effect, now: datetime) -> None:
    """Note that a message was delivered."""
    params = effect.params
    begin_alert(connection, effect)
    row = _row(connection, effect)
    if row is None:
        return
    values: dict[str, Any] = {"last_sent": micros(now), "count": alerts.c.count + 1}
    if params["status"] != RESOLVED:
        values |= {"title": params["title"], "severity": params["severity"], "next_repeat": _next(params, now)}
        _tell(connection, row.id, params["channel"], now, sent=True)
    connection.execute(update(alerts).where(alerts.c.id == row.id).values(**values))
    if params["status"] == RESOLVED:
        knew = told.c.channel.in_((params["channel"], EVERY))
        connection.execute(delete(told).where(told.c.alert == row.id, knew))
        _close_if_over(connection, row)


def note_withheld(connection: Connection, effect: Effect, now: datetime) -> None:
    """Note that a channel is not told of an alert, which is less severe than what it takes."""
    begin_alert(connection, effect)
    row = _row(connection, effect)
    if row is None or effect.params["status"] == RESOLVED:
        return
    if effect.params["status"] == OPEN:
        _tell(connection, row.id, effect.params["channel"], now, sent=False)
    connection.execute(update(alerts).where(alerts.c.id == row.id).values(next_repeat=_next(effect.params, now)))


def note_needless(connection: Connection, effect: Effect) -> None:
    """A message was given up because it is needless: an alert that is over, and that nobody was told of, ends."""
    row = _row(connection, effect)
    if row is not None:
        _close_if_over(connection, row)


def _close_if_over(connection: Connection, row: Any) -> None:
    """Resolve an alert that no rule claims, once everybody who knew of its beginning knows of its end."""
    known = _told(connection, [row.id]).get(row.id, {})
    if any(known.values()) or _claim(connection, row) is not None:
        return
    connection.execute(update(alerts).where(alerts.c.id == row.id).values(status=RESOLVED, next_repeat=None))
    connection.execute(delete(told).where(told.c.alert == row.id))


def _row(connection: Connection, effect: Effect) -> Any:
    rule, site, target, slot = alert_key(effect)
    query = select(alerts).where(
        alerts.c.rule == rule,
        alerts.c.site == site,
        alerts.c.target == target,
        alerts.c.slot == slot,
        alerts.c.status == OPEN,
    )
    return connection.execute(query).first()


def _key_of(row: Any) -> AlertKey:
    return (row.rule, row.site, row.target, row.slot)


def _told(connection: Connection, idents: list[int]) -> dict[int, dict[str, bool]]:
    found: dict[int, dict[str, bool]] = {}
    for some in chunks(idents):
        for row in connection.execute(select(told).where(told.c.alert.in_(some))):
            found.setdefault(row.alert, {})[row.channel] = row.sent
    return found


def _tell(connection: Connection, alert: int, channel: str, now: datetime, *, sent: bool) -> None:
    connection.execute(delete(told).where(told.c.alert == alert, told.c.channel == channel))
    connection.execute(insert(told).values(alert=alert, channel=channel, sent=sent, at=micros(now)))


def _new_row(effect: Effect) -> dict[str, Any]:
    params = effect.params
    return {
        "rule": effect.rule,
        "site": effect.site,
        "level": str(effect.target.level),
        "target": effect.target.id,
        "path": effect.target.path,
        "slot": effect.slot,
        "status": OPEN,
        "severity": params["severity"],
        "title": params["title"],
        "since": micros(effect.created),
        "last_sent": None,
        "count": 0,
        "next_repeat": None,
    }


def _next(params: Mapping[str, Any], now: datetime) -> int | None:
    repeat = params.get("repeat")
    return micros(now + timedelta(seconds=repeat)) if repeat else None


def is_repeat_due(connection: Connection, now: datetime) -> bool:
    """Whether there is anything for `repeat_due` to do: a look that writes nothing."""
    query = select(alerts.c.id).where(alerts.c.status == OPEN, alerts.c.next_repeat <= micros(now)).limit(1)
    return connection.execute(query).first() is not None


def repeat_due(connection: Connection, now: datetime) -> int:
    """Queue the repetition of open alerts whose time has come; the number queued.

    An alert is repeated only while its rule still claims it and is loaded. One whose last message is still on its way
    is not: it comes again a period later.
    """
    query = select(alerts).where(alerts.c.status == OPEN, alerts.c.next_repeat <= micros(now))
    queued = 0
    for row in connection.execute(query).all():
        claim = _claim(connection, row)
        again = None if claim is None else _next(claim.params, now)
        connection.execute(update(alerts).where(alerts.c.id == row.id).values(next_repeat=again))
        if claim is None or again is None:
            continue
        version = _loaded_version(connection, row.rule)
        if version is None:
            continue
        for channel in channels_of(claim.params):
            if _on_its_way(connection, claim, channel):
                continue
            params = {**claim.params, "channel": channel, "status": REPEAT}
            summary = f"repeat alert {params.get('title', '')!r}  {claim.target.path}"
            planned = Planned(
                claim.rule, claim.target, ALERT, claim.once_key, claim.slot, summary, params, single=False
            )
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


def _on_its_way(connection: Connection, claim: Claim, channel: str) -> bool:
    lane = alert_lane(claim.target.site, claim.once_key, channel)
    query = select(effects.c.id).where(effects.c.lane == lane, effects.c.state.in_(_UNFINISHED)).limit(1)
    return connection.execute(query).first() is not None


def _loaded_version(connection: Connection, rule: str) -> str | None:
    query = select(rules.c.version).where(rules.c.id == rule, rules.c.present.is_(True), rules.c.paused.is_(False))
    found = connection.execute(query).scalar()
    return None if found is None else str(found)
