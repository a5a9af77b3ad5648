"""Posting: which messages must wait, which are kept quiet, and which go out together as one.

Messages of one group that open within its `wait`, and all messages of a channel's digest, form a *bundle*. When the
time of its first one comes, that one becomes the *carrier*: its attempt says all of them. The others wait for the
carrier's end, and end as it does. After an unclear end the same message is sent again, with the same members and texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from flyball.ledger.alerting import RESOLVED, begin_alert, note_alert, note_withheld
from flyball.ledger.codec import micros, pack, row_effect
from flyball.ledger.limiting import Hold
from flyball.ledger.silencing import DIGEST, SILENCE, silences_at
from flyball.ledger.tables import effects, posts
from flyball.model.effect import Effect, EffectState
from flyball.rules.posting import PLAIN, Route, Silence, goes_at, longest

CARRIED: Final = "carried"
MOST: Final = 200
"""Messages that go out as one; further ones go out in the next."""

_PLANNED, _WAITING = str(EffectState.PLANNED), str(EffectState.WAITING)
_ACTIVE = (_PLANNED, _WAITING, str(EffectState.RUNNING))


class Post:
    """Sorts the messages that are due.

    Args:
        connection: of the transaction.
        routes: channel → what it takes, and when; others take everything at once.
        now: the present, UTC.
    """

    def __init__(self, connection: Connection, routes: Mapping[str, Route], now: datetime) -> None:
        self._connection = connection
        self._routes = routes
        self._now = now
        self._silences: list[Silence] | None = None
        self.placed: set[str] = set()
        """Messages that begin, or that others carry, as decided since this was made."""

    def hold(self, effect: Effect) -> Hold | None:
        """What keeps a message from going out now. What may have been sent already is never kept."""
        if effect.unclear:
            return None
        begin_alert(self._connection, effect)
        carrier = self._carrier(effect)
        if carrier is not None:
            return Hold(EffectState.WAITING, None, f"goes out with effect {carrier}", CARRIED)
        silence = self._silenced(effect)
        if silence is not None:
            reason = f"silenced until {silence.until.isoformat()}: {silence.because}"
            return Hold(EffectState.PLANNED, silence.until, reason, SILENCE)
        at, what = goes_at(self._route(effect), effect.params, effect.created)
        if at <= self._now:
            return None
        self._note(effect, what)
        reason = f"waits for the {'digest' if what == DIGEST else 'rest of its group'} until {at.isoformat()}"
        return Hold(EffectState.PLANNED, at, reason, what)

    def withheld(self, effect: Effect) -> bool:
        """Whether the channel takes nothing that is so little severe; if so, the message has come to its end."""
        severity = str(effect.params.get("severity"))
        route = self._route(effect)
        if effect.unclear or route.takes(severity) or effect.params["status"] == RESOLVED:
            return False
        note_withheld(self._connection, effect, self._now)
        reason = f"{severity} is less than {route.least}, the least severity of channel {effect.params['channel']}"
        values: dict[str, Any] = {"state": str(EffectState.DONE), "due": None, "held_for": None, "error": None}
        values |= {"updated": micros(self._now), "outcome": pack({"withheld": reason})}
        self._connection.execute(update(effects).where(effects.c.id == int(effect.id)).values(**values))
        return True

    def release(self, effect: Effect) -> None:
        """Those that a message was to carry are free again: it was certainly not sent."""
        mine = select(posts.c.effect).where(posts.c.carrier == int(effect.id))
        self._connection.execute(
            update(effects)
            .where(effects.c.id.in_(mine), effects.c.state == _WAITING, effects.c.unclear == 0)
            .values(state=_PLANNED, due=micros(self._now), held_for=None, error=None)
        )
        self._connection.execute(update(posts).where(posts.c.carrier == int(effect.id)).values(carrier=None))

    def companions(self, effect: Effect, unblocked: Any) -> list[Any]:
        """The rows of `effects` that could go out with a message: put off with it, and not kept quiet.

        Args:
            effect: about to be sent.
            unblocked: clause: no earlier message about the same alert is on its way.
        """
        bundle = self._bundle(effect)
        if bundle is None:
            return []
        query = (
            select(effects)
            .join(posts, posts.c.effect == effects.c.id)
            .where(posts.c.channel == str(effect.params["channel"]), posts.c.bundle == bundle)
            .where(effects.c.state == _PLANNED, effects.c.id != int(effect.id))
            .where(effects.c.unclear == 0, unblocked)
            .order_by(effects.c.id)
            .limit(MOST - 1)
        )
        if bundle == DIGEST:
            query = query.where(effects.c.due <= micros(self._now))
        rows = (row for row in self._connection.execute(query) if str(row.id) not in self.placed)
        return [row for row in rows if self._silenced(row_effect(row)) is None]

    def carry(self, effect: Effect, members: Sequence[Effect]) -> Effect:
        """The message with what it says besides its own; the members wait for its end from now on."""
        self.placed.add(effect.id)
        if not members:
            return effect
        idents = [int(one.id) for one in members]
        waiting = {"state": _WAITING, "due": None, "held_for": CARRIED, "error": f"goes out with effect {effect.id}"}
        moved = self._connection.execute(
            update(effects)
            .where(effects.c.id.in_(idents), effects.c.state == _PLANNED)
            .values(**waiting)
            .returning(effects.c.id)
        )
        taken = {str(row.id) for row in moved}
        self.placed |= taken
        self._connection.execute(update(posts).where(posts.c.effect.in_(idents)).values(carrier=int(effect.id)))
        items = [item_of(one) for one in (effect, *(member for member in members if member.id in taken))]
        return replace(effect, params={**effect.params, "items": items})

    def _route(self, effect: Effect) -> Route:
        return self._routes.get(str(effect.params["channel"]), PLAIN)

    def _silenced(self, effect: Effect) -> Silence | None:
        if self._silences is None:
            self._silences = silences_at(self._connection, self._now)
        project = effect.params.get("project")
        return longest(self._silences, effect.rule, project if isinstance(project, str) else None)

    def _bundle(self, effect: Effect) -> str | None:
        if self._route(effect).digest_of(str(effect.params.get("severity"))) is not None:
            return DIGEST
        group = effect.params.get("group")
        if not isinstance(group, Mapping) or not effect.params.get("wait"):
            return None
        return f"{group.get('id')}/{effect.params['status']}"

    def _note(self, effect: Effect, what: str) -> None:
        """Note in which bundle a message waits."""
        bundle = self._bundle(effect)
        self._connection.execute(delete(posts).where(posts.c.effect == int(effect.id)))
        if bundle is not None and what:
            row = {"effect": int(effect.id), "channel": str(effect.params["channel"]), "bundle": bundle}
            self._connection.execute(insert(posts).values(**row))

    def _carrier(self, effect: Effect) -> int | None:
        """The unfinished effect that carries a message."""
        query = (
            select(posts.c.carrier)
            .join(effects, effects.c.id == posts.c.carrier)
            .where(posts.c.effect == int(effect.id), effects.c.state.in_(_ACTIVE))
        )
        found = self._connection.execute(query).scalar()
        return None if found is None else int(found)


def item_of(effect: Effect) -> dict[str, Any]:
    """One message as it stands in one that says several."""
    params = effect.params
    return {
        "effect": effect.id,
        "id": params.get("alert", effect.once_key),
        "rule": effect.rule,
        "target": {**effect.target.as_json(), "path": params.get("path", effect.target.path)},
        "status": params["status"],
        "severity": params["severity"],
        "title": params["title"],
        "body": params["body"],
        "since": params.get("since", effect.created.isoformat()),
    }


def settle_carried(
    connection: Connection, effect: Effect, state: EffectState, error: str | None, now: datetime
) -> None:
    """What a message carried ends as it does; nothing waits for it, or it for anything, any more.

    Args:
        connection: of the transaction.
        effect: the carrier, as it was sent.
        state: its last one.
        error: its own, if it failed.
        now: the present, UTC.
    """
    query = (
        select(effects)
        .join(posts, posts.c.effect == effects.c.id)
        .where(posts.c.carrier == int(effect.id), effects.c.state == _WAITING)
        .order_by(effects.c.id)
    )
    said = {str(item["effect"]): item for item in effect.params.get("items", ())}
    for row in connection.execute(query).all():
        member = row_effect(row)
        values: dict[str, Any] = {"state": str(state), "due": None, "held_for": None, "error": error}
        values |= {"updated": micros(now), "outcome": pack({"channel": effect.params["channel"], "with": effect.id})}
        connection.execute(update(effects).where(effects.c.id == row.id).values(**values))
        if state is EffectState.DONE:
            words = {key: said.get(member.id, {}).get(key, member.params[key]) for key in ("title", "body", "severity")}
            note_alert(connection, replace(member, params={**member.params, **words}), now)
    mine = or_(posts.c.carrier == int(effect.id), posts.c.effect == int(effect.id))
    connection.execute(delete(posts).where(mine))


def forget_post(connection: Connection, effect: Effect) -> None:
    """A message was given up: it waits in no bundle any more."""
    connection.execute(delete(posts).where(posts.c.effect == int(effect.id)))
