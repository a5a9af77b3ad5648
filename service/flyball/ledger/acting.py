"""Acting, its beginning: taking effects that are due. How an attempt ends is in `finishing`.

An attempt is stored before its request leaves (`take`). An attempt found open at start (`recover`) means that the
daemon was killed: the site is asked before anything else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from flyball.ledger.alerting import note_needless
from flyball.ledger.book import store_book
from flyball.ledger.bulk import many
from flyball.ledger.codec import micros, moment, pack, row_effect
from flyball.ledger.finishing import finish
from flyball.ledger.gathering import is_deciding, situation
from flyball.ledger.jobs import follow_job
from flyball.ledger.limiting import LAUNCH, PAUSED, Caps, Gate, Hold, call_waiting
from flyball.ledger.posting import Post, forget_post
from flyball.ledger.rulings import NONE, Ruling, load_rulings
from flyball.ledger.scouting import ANALYSIS
from flyball.ledger.silencing import GROUP
from flyball.ledger.tables import attempts, effects
from flyball.ledger.wanting import Present, sibling_targets
from flyball.model.effect import Effect, EffectState, Outcome
from flyball.rules.claims import ADD, ALERT, COLLECTION, TAG, subject_of
from flyball.rules.posting import Route

__all__ = ["ACTIVE", "DUE", "finish", "follow_job", "next_effect", "recover", "take", "waited_for"]

DUE = (str(EffectState.PLANNED), str(EffectState.WAITING))
ACTIVE = (*DUE, str(EffectState.RUNNING))  # what keeps later effects of its lane waiting; what a person holds does not
KILLED = "the daemon ended before the answer"
NOT_WANTED = "no longer wanted"
_FORGETTABLE = (LAUNCH, ANALYSIS)  # what is there already counts, unless a person said `forget`
DECIDING = timedelta(seconds=1)  # until a collection whose rule is still deciding looks again
LONG_DECIDING = timedelta(minutes=2)  # a site on which something happens all the time must not hold it up for ever


def take(
    connection: Connection,
    now: datetime,
    limit: int,
    sites: Collection[str],
    caps: Mapping[str, Caps],
    routes: Mapping[str, Route] | None = None,
    *,
    replica: str | None = None,
) -> list[Effect]:
    """Take effects that are due: each becomes `running` with a new, stored attempt.

    Those whose wish went away meanwhile are cancelled here; those that something holds back wait with the reason. At
    most one effect of a lane is taken, and none while an earlier one of the lane is unfinished.

    Args:
        connection: of the transaction.
        now: the present, UTC.
        limit: how many at the most.
        sites: of these sites.
        caps: rule → what it may do, of the rules that are loaded.
        routes: message channel → what it takes, and when.
        replica: who takes them, where there are several.
    """
    taken: list[Effect] = []
    gate: Gate | None = None
    post = Post(connection, routes or {}, now)
    while (room := limit - len(taken)) > 0:
        rows = _due(connection, now, room, sites)
        if not rows:
            break
        gate = gate or Gate(connection, caps, now)
        begun = _sorted_out(connection, rows, gate, post, caps, now, replica)
        taken += begun
        if len(begun) == len(rows) < room:
            break  # that was all, and nothing went away that others of its lane were waiting for
    return taken


def _blocked() -> Any:
    """An earlier effect of the same lane is unfinished. One that a paused rule never began does not count: another
    rule may want the same tag.
    """
    earlier = effects.alias()
    parked = and_(earlier.c.state == str(EffectState.PLANNED), func.coalesce(earlier.c.held_for, "") == PAUSED)
    return (
        select(earlier.c.id)
        .where(earlier.c.lane == effects.c.lane, earlier.c.id < effects.c.id, earlier.c.state.in_(ACTIVE), ~parked)
        .exists()
    )


# Built once: for few effects at a time, building a statement costs more than running it.
_DUE = (
    select(effects)
    .where(effects.c.state == bindparam("of_state"), effects.c.due <= bindparam("by"))
    .where(effects.c.site == bindparam("of_site"), ~_blocked())
    .order_by(effects.c.due, effects.c.id)
    .limit(bindparam("most"))
)
_BEGUN: dict[str, Any] = {
    "state": str(EffectState.RUNNING),
    "attempts": bindparam("number"),
    "updated": bindparam("stamp"),
    "due": None,
    "held_for": None,
}
_BEGIN = update(effects).where(effects.c.id == bindparam("ident")).values(**_BEGUN)
_BEGIN_ABSENT = update(effects).where(effects.c.id == bindparam("ident")).values(**_BEGUN, params=bindparam("stored"))
_ATTEMPT = insert(attempts)


def _due(connection: Connection, now: datetime, limit: int, sites: Collection[str]) -> list[Any]:
    """By site and state, so that the index gives the first ones in order, however many there are."""
    asked = {"by": micros(now), "most": limit}
    places = [{"of_site": site, "of_state": state, **asked} for site in sites for state in DUE]
    found = [row for place in places for row in connection.execute(_DUE, place).all()]
    return sorted(found, key=lambda row: (row.due, row.id))[:limit]


def _sorted_out(
    connection: Connection,
    rows: Sequence[Any],
    gate: Gate,
    post: Post,
    caps: Mapping[str, Caps],
    now: datetime,
    replica: str | None,
) -> list[Effect]:
    """Each of the rows begins, is cancelled, or is held back; those that begin."""
    batch = [row_effect(row) for row in rows]
    present = Present(connection, batch)
    begun: list[Effect] = []
    for row, effect in zip(rows, batch, strict=True):
        if effect.kind == ALERT:
            begun += _message(connection, row, effect, present, gate, post, now)
            continue
        wanted = present.wants(effect)
        if not wanted and not effect.unclear:
            _cancel(connection, row, effect, present, now)
        elif (hold := gate.hold(row) or _still_deciding(connection, effect, now)) is not None:
            _hold(connection, row, hold)
        else:
            params = present.params(effect, wanted=wanted)
            if effect.kind == COLLECTION:
                params |= situation(connection, effect, caps)
            elif effect.params.get("joined"):
                params["siblings"] = sibling_targets(connection, effect)
            elif effect.kind in _FORGETTABLE and (said := _said(connection, effect)).forgotten:
                params["forgotten"] = sorted(said.forgotten)
            begun.append(effect.begun(params))
    _begin(connection, begun, caps, now, replica)
    store_book(connection, present.book, now)
    return begun


def _message(
    connection: Connection, row: Any, effect: Effect, present: Present, gate: Gate, post: Post, now: datetime
) -> list[Effect]:
    """A message that is due: it begins, with those that go out with it, or nothing does."""
    if effect.id in post.placed:
        return []
    if effect.attempts and not effect.unclear:
        post.release(effect)
    wanted = present.wants(effect)
    if not wanted and not effect.unclear:
        _cancel(connection, row, effect, present, now)
        return []
    params = present.params(effect, wanted=wanted)
    ready = replace(effect, params=params)
    if (hold := gate.hold(row) or post.hold(ready)) is not None:
        _hold(connection, row, hold)
        return []
    if post.withheld(ready):
        return []
    if not effect.unclear:
        ready = post.carry(ready, _companions(connection, ready, gate, post, now))
    return [ready.begun(ready.params)]


def _companions(connection: Connection, effect: Effect, gate: Gate, post: Post, now: datetime) -> list[Effect]:
    """The messages that go out with one, with their texts; those that nobody wants any more are cancelled."""
    rows = post.companions(effect, ~_blocked())
    others = [row_effect(row) for row in rows]
    present = Present(connection, others)
    found: list[Effect] = []
    for row, other in zip(rows, others, strict=True):
        if not present.wants(other):
            _cancel(connection, row, other, present, now)
        elif gate.hold(row) is None:
            found.append(replace(other, params=present.params(other, wanted=True)))
    return found


def _still_deciding(connection: Connection, effect: Effect, now: datetime) -> Hold | None:
    """A collection waits until its rule has looked at all that is due, so that its members go in together."""
    if effect.kind != COLLECTION or effect.unclear or now - effect.created > LONG_DECIDING:
        return None
    if not is_deciding(connection, effect.rule, now):
        return None
    return Hold(EffectState(effect.state), now + DECIDING, "its rule is still deciding", None)


def _said(connection: Connection, effect: Effect) -> Ruling:
    said = load_rulings(connection, [(effect.rule, effect.target.key)])
    return said.get((effect.rule, effect.site, effect.target.id), NONE)


def _begin(
    connection: Connection, begun: Sequence[Effect], caps: Mapping[str, Caps], now: datetime, replica: str | None
) -> None:
    if not begun:
        return
    stamp = micros(now)
    plain: list[dict[str, Any]] = []
    absent: list[dict[str, Any]] = []
    for one in begun:
        values = {"ident": int(one.id), "number": one.attempts, "stamp": stamp}
        if one.kind == ALERT or (one.kind == TAG and one.params["absent"]):
            # Kept, so that after a kill a tag that is there then is known to be ours, and a message is said again word
            # for word.
            kept = {key: value for key, value in one.params.items() if key != "wanted"}
            absent.append(values | {"stored": pack(kept)})
        else:
            plain.append(values)
    many(connection, _BEGIN, plain)
    many(connection, _BEGIN_ABSENT, absent)
    started = [{"effect": int(one.id), "number": one.attempts, "started": stamp, "replica": replica} for one in begun]
    many(connection, _ATTEMPT, started)
    # The version that launches it, which may be newer than the one that asked for it.
    launches = [
        {"ident": int(one.id), "version": caps[one.rule].version}
        for one in begun
        if one.kind == LAUNCH and not one.unclear and one.rule in caps
    ]
    if launches:
        connection.execute(
            update(effects).where(effects.c.id == bindparam("ident")).values(rule_version=bindparam("version")),
            launches,
        )


def _hold(connection: Connection, row: Any, hold: Hold) -> None:
    due = None if hold.due is None else micros(hold.due)
    connection.execute(
        update(effects)
        .where(effects.c.id == row.id)
        .values(state=str(hold.state), due=due, error=hold.reason, held_for=hold.held_for)
    )


def _cancel(connection: Connection, row: Any, effect: Effect, present: Present, now: datetime) -> None:
    if effect.kind == LAUNCH and "relaunch" in effect.params:
        # A launch whose failed job was to be run again: it was carried out, and stays so.
        done = {"state": str(EffectState.DONE), "due": None, "held_for": None, "error": None}
        connection.execute(update(effects).where(effects.c.id == row.id).values(**done))
        return
    values: dict[str, Any] = {"state": str(EffectState.CANCELLED), "updated": micros(now), "due": None}
    values |= {"error": NOT_WANTED, "held_for": None, "single": None}  # it may be wished for again
    connection.execute(update(effects).where(effects.c.id == row.id).values(**values))
    if effect.kind == LAUNCH:
        call_waiting(connection, effect.rule, now, never_sent=True)
    if effect.kind == ALERT:
        note_needless(connection, effect)
        forget_post(connection, effect)
    if effect.kind == TAG and effect.params["operation"] == ADD:
        key = (effect.site, subject_of(effect.params))
        if present.book.marks.get(key) in ("trying", "failed") and not present.is_claimed(key):
            present.book.set_mark(*key, None)


def recover(
    connection: Connection,
    now: datetime,
    waits: Mapping[str, float] | float,
    *,
    living: Collection[str] | None = None,
) -> int:
    """Close the attempts that a killed daemon left open; the site is asked first.

    Args:
        connection: of the transaction.
        now: the present, UTC.
        waits: site → seconds before it is asked (its `unclear_wait` after a reset), or one number for all.
        living: the replicas that are there; their attempts are left alone. None: there are none but us, at the start.

    Returns:
        how many there were.
    """
    query = select(effects).where(effects.c.state == str(EffectState.RUNNING))
    if living is not None:
        kept = (
            select(attempts.c.effect)
            .where(attempts.c.ended.is_(None), attempts.c.replica.in_(sorted(living)))
            .where(attempts.c.effect == effects.c.id)
        )
        query = query.where(~kept.exists())
    rows = connection.execute(query).all()
    for row in rows:
        wait = timedelta(seconds=waits if isinstance(waits, int | float) else waits.get(row.site, 0.0))
        connection.execute(
            update(attempts)
            .where(and_(attempts.c.effect == row.id, attempts.c.ended.is_(None)))
            .values(ended=micros(now), outcome=str(Outcome.UNKNOWN), error=KILLED)
        )
        values: dict[str, Any] = {"state": str(EffectState.WAITING), "unclear": row.unclear + 1, "looked": 0}
        values |= {"due": micros(now + wait), "pause": max(wait // timedelta(microseconds=1), row.pause or 0)}
        values |= {"error": f"{KILLED}; the site is asked first", "updated": micros(now)}
        if row.kind == LAUNCH and row.launched is None:
            values["launched"] = micros(now)
        connection.execute(update(effects).where(effects.c.id == row.id).values(**values))
    return len(rows)


def next_effect(connection: Connection, sites: Collection[str]) -> datetime | None:
    """When the next effect that is not kept waiting by an earlier one of its lane is due."""
    query = select(func.min(effects.c.due)).where(
        effects.c.state.in_(DUE), effects.c.site.in_(sites), effects.c.due.is_not(None), ~_blocked()
    )
    found = connection.execute(query).scalar()
    return None if found is None else moment(found)


def waited_for(connection: Connection, sites: Collection[str], now: datetime, soon: datetime) -> bool:
    """Whether an effect is due, or a retry or a look at an unclear outcome is due so soon that it is worth waiting for.

    What waits for a limit, a paused rule, a digest or the end of a silence is not: its turn comes in a later run.
    """
    by_itself = or_(effects.c.held_for.is_(None), effects.c.held_for == GROUP)
    query = (
        select(effects.c.id)
        .where(effects.c.state.in_(DUE), effects.c.site.in_(sites), ~_blocked())
        .where(or_(effects.c.due <= micros(now), and_(effects.c.due <= micros(soon), by_itself)))
        .limit(1)
    )
    return connection.execute(query).first() is not None
