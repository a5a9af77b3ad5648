"""Acting, its end: writing how an attempt ended, with all that follows from it in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from flyball.ledger.alerting import note_alert
from flyball.ledger.among import Among
from flyball.ledger.bulk import many
from flyball.ledger.codec import micros, pack, unpack
from flyball.ledger.gathering import note_members
from flyball.ledger.informing import INFO, note_info
from flyball.ledger.limiting import LAUNCH, call_waiting
from flyball.ledger.mirror import chunks
from flyball.ledger.noticing import Route
from flyball.ledger.posting import settle_carried
from flyball.ledger.scouting import after_scout, stage_columns
from flyball.ledger.tables import attempts, effects
from flyball.ledger.tagging import Ended, after_tags
from flyball.model.effect import Blame, Effect, EffectState, Outcome, Report
from flyball.rules.claims import ALERT, COLLECTION, TAG

LONGEST_PAUSE = 300_000_000  # microseconds
_ENDS = (EffectState.DONE, EffectState.FAILED, EffectState.CANCELLED)
_THESE = select(effects).where(Among(effects.c.id, "some"))
_CLOSED = (
    update(attempts)
    .where(attempts.c.effect == bindparam("of_effect"), attempts.c.number == bindparam("of_number"))
    .values(ended=bindparam("at"), outcome=bindparam("how"), error=bindparam("why"))
)


@dataclass(frozen=True, slots=True)
class End:
    """How one attempt ended.

    Attributes:
        effect: as `take` gave it.
        report: of the attempt.
        retry_in: seconds until the next attempt after a transient end; None: there is none, the effect failed.
    """

    effect: Effect
    report: Report
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of some ends.

    Attributes:
        states: the effects' new states, in order.
        looks: how many targets rules must look at because of them.
    """

    states: Sequence[EffectState]
    looks: int


def finish(
    connection: Connection, effect: Effect, report: Report, now: datetime, *, retry_in: float | None, route: Route
) -> EffectState:
    """Write how one attempt ended (see `finish_all`); the effect's new state."""
    return finish_all(connection, [End(effect, report, retry_in)], now, route=route).states[0]


def finish_all(connection: Connection, ends: Sequence[End], now: datetime, *, route: Route) -> Finished:
    """Write how some attempts ended, and what follows.

    Doing it twice changes nothing: an attempt that is closed already is left as it is.

    Args:
        connection: of the transaction.
        ends: of different effects.
        now: the present, UTC.
        route: which looks follow from our own changes (rules that read tags).
    """
    rows = _rows(connection, ends)
    states: list[EffectState] = []
    mine: list[Ended] = []
    changed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for end in ends:
        row = rows.get(int(end.effect.id))
        if row is None:
            states.append(EffectState.CANCELLED)
            continue
        if row.state != str(EffectState.RUNNING) or row.attempts != end.effect.attempts:
            states.append(EffectState(row.state))
            continue
        if end.effect.kind == COLLECTION:
            end = replace(end, report=note_members(connection, end.effect, end.report, now))  # noqa: PLW2901 - slimmer
        state, values = _next_state(row, end.report, now, end.retry_in)
        values |= {"state": str(state), "updated": micros(now), "error": end.report.error}
        if end.effect.kind == LAUNCH:
            values |= _launch_columns(row, end.report, now)
        values |= stage_columns(end.effect, end.report)
        renamed = {f"new_{name}": value for name, value in values.items()}
        changed.setdefault(tuple(sorted(values)), []).append(renamed | {"ident": row.id})
        states.append(state)
        mine.append(Ended(end.effect, end.report, state))
    _close_attempts(connection, mine, now)
    for names, some in changed.items():
        many(connection, _changing(names), some)
    looks = after_tags(connection, [ended for ended in mine if ended.effect.kind == TAG], now, route)
    for ended in mine:
        _after(connection, ended, now)
    return Finished(states, looks)


@lru_cache(maxsize=64)
def _changing(names: tuple[str, ...]) -> Any:
    """The statement that sets these columns of effects."""
    return (
        update(effects)
        .where(effects.c.id == bindparam("ident"))
        .values(**{name: bindparam(f"new_{name}") for name in names})
    )


def _rows(connection: Connection, ends: Sequence[End]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for some in chunks([int(end.effect.id) for end in ends]):
        found |= {row.id: row for row in connection.execute(_THESE, {"some": some})}
    return found


def _close_attempts(connection: Connection, ended: Sequence[Ended], now: datetime) -> None:
    rows = [
        {
            "of_effect": int(one.effect.id),
            "of_number": one.effect.attempts,
            "at": micros(now),
            "how": str(one.report.outcome),
            "why": one.report.error,
        }
        for one in ended
    ]
    many(connection, _CLOSED, rows)


def _after(connection: Connection, ended: Ended, now: datetime) -> None:
    """What follows from the end of a message, a launch or a change of info."""
    effect, state = ended.effect, ended.state
    if effect.kind == INFO and state is EffectState.DONE:
        note_info(connection, effect, ended.report)
    elif effect.kind == ALERT and state in _ENDS:
        if state is EffectState.DONE:
            note_alert(connection, effect, now)
        settle_carried(connection, effect, state, ended.report.error, now)
    elif effect.kind == LAUNCH and state in _ENDS:
        never_sent = ended.report.outcome in (Outcome.ALREADY, Outcome.SUPERSEDED)
        if never_sent or state is EffectState.FAILED:
            call_waiting(connection, effect.rule, now, never_sent=never_sent)
    after_scout(connection, effect, ended.report, state, now)


def _next_state(row: Any, report: Report, now: datetime, retry_in: float | None) -> tuple[EffectState, dict[str, Any]]:
    """The new state, and the columns that go with it."""
    outcome = report.outcome
    if outcome in (Outcome.DONE, Outcome.ALREADY):
        more = {"already": True} if outcome is Outcome.ALREADY else {}
        return EffectState.DONE, _closed() | {"outcome": pack({**report.detail, **more})}
    if outcome is Outcome.UNKNOWN:
        return EffectState.WAITING, _unclear(row, report, now)
    if outcome is Outcome.WAITING:
        kept = pack({**unpack(row.params), **report.detail})
        due = micros(now + timedelta(seconds=report.wait or 0.0))
        return EffectState.WAITING, {"due": due, "params": kept, "unclear": 0, "looked": 0, "pause": None}
    if outcome is Outcome.CANCELLED or (outcome is Outcome.TRANSIENT and retry_in is not None):
        values: dict[str, Any] = {"due": micros(now + timedelta(seconds=retry_in or 0.0))}
        if outcome is Outcome.TRANSIENT and report.blame is Blame.REQUEST:
            values["failures"] = row.failures + 1
        return EffectState.WAITING if row.unclear else EffectState.PLANNED, values
    values = _closed() | ({"outcome": pack(dict(report.detail))} if report.detail else {})
    if outcome is Outcome.SUPERSEDED:
        return EffectState.CANCELLED, values | {"single": None}  # it may be wished for again
    return EffectState.FAILED, values


def _closed() -> dict[str, Any]:
    return {"due": None, "unclear": 0, "looked": 0, "pause": None, "failures": 0}


def _unclear(row: Any, report: Report, now: datetime) -> dict[str, Any]:
    """The site is asked no earlier than the wait that goes with the unclear end, before each look. A site that keeps
    giving unclear answers is asked less and less often.
    """
    if report.looked:
        pause = row.pause or 0
        if report.wait is not None:
            pause = max(pause, round(report.wait * 1_000_000))
        return {"looked": row.looked + 1, "due": micros(now) + pause}
    wait = round((report.wait or 0.0) * 1_000_000)
    pause = max(wait, min(wait * 2 ** min(row.unclear, 16), LONGEST_PAUSE))
    return {"unclear": row.unclear + 1, "looked": 0, "pause": pause, "due": micros(now) + pause}


def _launch_columns(row: Any, report: Report, now: datetime) -> dict[str, Any]:
    """The job, its state as known, and since when it counts against the rule's limits."""
    outcome, detail = report.outcome, report.detail
    if outcome is Outcome.UNKNOWN:
        return {} if row.launched is not None else {"launched": micros(now)}
    if outcome not in (Outcome.DONE, Outcome.ALREADY):
        return {"launched": None} if outcome is Outcome.SUPERSEDED else {}
    values = {"job": detail.get("job"), "job_state": detail.get("job_state")}
    if outcome is Outcome.ALREADY:
        return values | {"launched": None}  # others launched it
    return values | {"launched": row.launched if row.launched is not None else micros(now)}
