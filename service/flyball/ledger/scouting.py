"""Effects on a Neuroscout server: what an attempt must know of the others, and what follows from its end.

An analysis that compiles is marked in its row (`job_state`), so that the bound on the compile queue holds over a
restart and over replicas; one that waits for a place is marked likewise, and called when a place gets free.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from flyball.ledger.codec import micros, pack, row_target, unpack
from flyball.ledger.mirror import chunks
from flyball.ledger.planning import effect_row
from flyball.ledger.tables import attempts, effects
from flyball.model.effect import Effect, EffectState, Report
from flyball.rules.claims import Planned

ANALYSIS: Final = "neuroscout.analysis"
PREDICTORS: Final = "neuroscout.predictors"
DELETE: Final = "delete"
COMPILING: Final = "compiling"
QUEUED: Final = "queued"
CALLED: Final = 2  # of those that wait for a place; one may have become needless meanwhile
MOST_EARLIER: Final = 20

_WAITING, _RUNNING = str(EffectState.WAITING), str(EffectState.RUNNING)
_UNFINISHED = (str(EffectState.PLANNED), str(EffectState.HELD), _WAITING, _RUNNING)


def takes_back(effect: Effect) -> bool:
    """Whether an effect deletes a draft."""
    return effect.kind == ANALYSIS and effect.params.get("operation") == DELETE


def known_to_attempt(connection: Connection, effect: Effect) -> dict[str, Any]:
    """What an attempt at an analysis must know: `earlier` effects of the same rule for the same target, newest first,
    with what they made and sent; the ids of effects that are `compiling`, and of those that `perhaps` are; the names of
    `uploads` under way.
    """
    if effect.kind != ANALYSIS or takes_back(effect):
        return {}
    return {
        "earlier": _earlier(connection, effect),
        "compiling": _compiling(connection),
        "perhaps": _perhaps(connection),
        "uploads": _uploads(connection),
    }


def _earlier(connection: Connection, effect: Effect) -> list[dict[str, Any]]:
    query = (
        select(effects.c.once_key, effects.c.params, effects.c.outcome)
        .where(effects.c.target == effect.target.id, effects.c.rule == effect.rule, effects.c.kind == ANALYSIS)
        .where(effects.c.slot == effect.slot, effects.c.site == effect.site, effects.c.once_key != effect.once_key)
        .order_by(effects.c.id.desc())
        .limit(MOST_EARLIER)
    )
    found = []
    for row in connection.execute(query):
        params, outcome = unpack(row.params), unpack(row.outcome) or {}
        if params.get("operation") != DELETE and params.get("scout") == effect.params.get("scout"):
            entry = {name: outcome.get(name) or params.get(name) for name in ("analysis", "sent")}
            found.append({"key": row.once_key, **entry})
    return found


def _compiling(connection: Connection) -> list[str]:
    query = select(effects.c.id).where(
        effects.c.kind == ANALYSIS, effects.c.job_state == COMPILING, effects.c.state.in_((_WAITING, _RUNNING))
    )
    return [str(row.id) for row in connection.execute(query)]


def _perhaps(connection: Connection) -> list[str]:
    """Effects that may be compiling by now, or be about to: those in the hands of replicas, none of which sees who
    enters the queue at another one, and those that ended unclear. Who is taken last counts them all.
    """
    in_hands = select(attempts.c.effect).where(
        attempts.c.effect == effects.c.id, attempts.c.ended.is_(None), attempts.c.replica.is_not(None)
    )
    query = select(effects.c.id).where(
        effects.c.kind == ANALYSIS,
        or_(
            and_(effects.c.state == _RUNNING, in_hands.exists()),
            and_(effects.c.state == _WAITING, effects.c.unclear > 0),
        ),
    )
    return [str(row.id) for row in connection.execute(query)]


def _uploads(connection: Connection) -> list[str]:
    query = select(effects.c.params).where(effects.c.kind == PREDICTORS, effects.c.state.in_(_UNFINISHED))
    return sorted({str(unpack(row.params).get("name")) for row in connection.execute(query)})


def stage_columns(effect: Effect, report: Report) -> dict[str, Any]:
    """How far an analysis is, as its row says it."""
    return {"job_state": report.detail.get("stage")} if effect.kind == ANALYSIS else {}


def after_scout(connection: Connection, effect: Effect, report: Report, state: EffectState, now: datetime) -> None:
    """What follows from the end of an attempt: a free place is offered, and what was deleted is undone."""
    if effect.kind == ANALYSIS and report.detail.get("stage") not in (COMPILING, QUEUED):
        _call(connection, now)
    if effect.kind == ANALYSIS and report.detail.get("stage") == QUEUED and "refused" not in report.detail:
        _ask_again(connection, effect, now)
    if effect.kind == PREDICTORS and state is not EffectState.WAITING:
        _call(connection, now)  # an analysis may have waited for the collection
    if effect.kind == ANALYSIS and state is EffectState.DONE and not takes_back(effect):
        _free_earlier(connection, effect)
    if takes_back(effect) and state is EffectState.DONE and "kept" not in report.detail:
        values = {"state": str(EffectState.UNDONE), "single": None, "due": None, "updated": micros(now)}
        connection.execute(
            update(effects)
            .where(effects.c.kind == ANALYSIS, effects.c.once_key == effect.params["key"])
            .where(effects.c.id != int(effect.id))
            .values(**values)
        )


def _ask_again(connection: Connection, effect: Effect, now: datetime) -> None:
    """One of those for whom it waits has ended while it was told to wait: it was not there to be called."""
    if set(effect.params.get("compiling", ())) - set(_compiling(connection)):
        connection.execute(update(effects).where(effects.c.id == int(effect.id)).values(due=micros(now)))


def _free_earlier(connection: Connection, effect: Effect) -> None:
    """Earlier versions of the rule asked for another content; should it come back to one of these, that is to be done
    again.
    """
    ended = (str(EffectState.DONE), str(EffectState.FAILED))
    connection.execute(
        update(effects)
        .where(effects.c.target == effect.target.id, effects.c.rule == effect.rule, effects.c.kind == ANALYSIS)
        .where(effects.c.site == effect.site, effects.c.slot == effect.slot, effects.c.once_key != effect.once_key)
        .where(effects.c.state.in_(ended), effects.c.single.is_not(None))
        .values(single=None)
    )


def _call(connection: Connection, now: datetime) -> None:
    """Those that wait longest for a place come again at once."""
    query = (
        select(effects.c.id)
        .where(effects.c.kind == ANALYSIS, effects.c.state == _WAITING, effects.c.job_state == QUEUED)
        .where(effects.c.due > micros(now), effects.c.unclear == 0)
        .order_by(effects.c.id)
        .limit(CALLED)
    )
    ids = [row.id for row in connection.execute(query)]
    if ids:
        connection.execute(update(effects).where(effects.c.id.in_(ids)).values(due=micros(now)))


def call_back(connection: Connection, scout: str, now: datetime) -> int:
    """The server answers again: what was put off while it did not comes at once; how many effects these are."""
    query = select(effects.c.id, effects.c.params).where(
        effects.c.kind.in_((ANALYSIS, PREDICTORS)),
        effects.c.state == str(EffectState.PLANNED),
        effects.c.due > micros(now),
        effects.c.held_for.is_(None),
        effects.c.failures == 0,
    )
    ids = [row.id for row in connection.execute(query) if unpack(row.params).get("scout") == scout]
    for some in chunks(ids):
        connection.execute(update(effects).where(effects.c.id.in_(some)).values(due=micros(now)))
    return len(ids)


def take_drafts_back(connection: Connection, rules: Collection[str], now: datetime) -> int:
    """Plan the deletion of what some rules made on Neuroscout servers; how many are looked at.

    Whether it is a draft still, and whether people have worked on it, is seen when it is to be deleted.
    """
    query = select(effects).where(effects.c.rule.in_(list(rules)), effects.c.kind == ANALYSIS)
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for row in connection.execute(query.order_by(effects.c.id.desc())).all():
        params, outcome = unpack(row.params), unpack(row.outcome) or {}
        ident = outcome.get("analysis") or params.get("analysis")
        if params.get("operation") == DELETE or not isinstance(ident, str) or ident in seen:
            continue
        seen.add(ident)
        rows.append(effect_row(_deletion(row, params, outcome, ident), **_PLANNED, now=now))
    if rows:
        connection.execute(insert(effects), rows)
        # Those that wait for the server are wanted no longer; until they are given up, their deletion waits for them.
        waiting = (effects.c.rule.in_(list(rules)), effects.c.kind == ANALYSIS, effects.c.state == _WAITING)
        connection.execute(update(effects).where(*waiting, effects.c.unclear == 0).values(due=micros(now)))
    return len(rows)


@dataclass(frozen=True, slots=True)
class Made:
    """An analysis that an effect of ours made, or brought up to date last.

    Attributes:
        effect: its number.
        sent: fingerprints of the content that was sent, by field.
        difference: the fields that people are known to have changed.
    """

    effect: int
    analysis: str
    sent: Mapping[str, str]
    difference: tuple[str, ...] = ()


def made_on(connection: Connection, scout: str) -> dict[str, Made]:
    """What we made on a Neuroscout server and keep no longer busy; hash id → by which effect, and how."""
    query = select(effects.c.id, effects.c.params, effects.c.outcome).where(
        effects.c.kind == ANALYSIS, effects.c.state == str(EffectState.DONE)
    )
    found: dict[str, Made] = {}
    for row in connection.execute(query.order_by(effects.c.id)):
        params, outcome = unpack(row.params), unpack(row.outcome) or {}
        ident, sent = outcome.get("analysis"), outcome.get("sent")
        if params.get("scout") == scout and isinstance(ident, str) and sent and params.get("operation") != DELETE:
            found[ident] = Made(row.id, ident, sent, tuple(outcome.get("difference") or ()))
    return found


def note_difference(connection: Connection, made: Made, fields: Sequence[str], now: datetime) -> None:
    """Show with an effect in what people changed what it made; nothing is overwritten."""
    row = connection.execute(select(effects.c.outcome).where(effects.c.id == made.effect)).first()
    if row is None:
        return
    outcome = {**(unpack(row.outcome) or {}), "difference": list(fields)}
    if not fields:
        outcome.pop("difference")
    connection.execute(
        update(effects).where(effects.c.id == made.effect).values(outcome=pack(outcome), updated=micros(now))
    )


_PLANNED: Final[Mapping[str, Any]] = {"version": "", "state": EffectState.PLANNED, "decision": None}


def _deletion(row: Any, params: Mapping[str, Any], outcome: Mapping[str, Any], ident: str) -> Planned:
    target = row_target(row)
    wanted = {
        "operation": DELETE,
        "scout": params.get("scout"),
        "analysis": ident,
        "key": row.once_key,
        "sent": outcome.get("sent") or params.get("sent") or {},
    }
    summary = f"delete draft {ident} ({params.get('name')!r})"
    return Planned(row.rule, target, ANALYSIS, row.once_key, row.slot, summary, wanted, single=False, retracts=True)


def unended_scouting(connection: Connection) -> int:
    """Effects on Neuroscout servers that wait for the server, or for their turn there."""
    query = select(func.count()).where(
        effects.c.kind.in_((ANALYSIS, PREDICTORS)), effects.c.state.in_((_WAITING, _RUNNING))
    )
    return int(connection.execute(query).scalar_one())
