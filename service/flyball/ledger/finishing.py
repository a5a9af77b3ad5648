"""Acting, its end: writing how an attempt ended, with all that follows from it in the same transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from flyball.ledger.alerting import note_alert
from flyball.ledger.book import load_subjects, store_book
from flyball.ledger.codec import micros, pack, unpack
from flyball.ledger.limiting import LAUNCH, call_waiting
from flyball.ledger.mirror import Change, patch_tags
from flyball.ledger.noticing import Route, Seen, owe, store_event
from flyball.ledger.planning import plan_tag
from flyball.ledger.tables import attempts, effects
from flyball.model.effect import Blame, Effect, EffectState, Outcome, Report
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.rules.claims import ADD, ALERT, TAG, Book, Claim, subject_of
from flyball.rules.keys import whole_of
from flyball.rules.reconciling import LEAVE

_ENDS = (EffectState.DONE, EffectState.FAILED, EffectState.CANCELLED)


def finish(
    connection: Connection, effect: Effect, report: Report, now: datetime, *, retry_in: float | None, route: Route
) -> EffectState:
    """Write how an attempt ended, and what follows; the effect's new state.

    Doing it twice changes nothing: an attempt that is closed already is left as it is.

    Args:
        connection: of the transaction.
        effect: as `take` gave it.
        report: of the attempt.
        now: the present, UTC.
        retry_in: seconds until the next attempt after a transient end; None: there is none, the effect failed.
        route: which looks follow from our own change (rules that read tags).
    """
    row = connection.execute(select(effects).where(effects.c.id == int(effect.id))).first()
    if row is None:
        return EffectState.CANCELLED
    if row.state != str(EffectState.RUNNING) or row.attempts != effect.attempts:
        return EffectState(row.state)
    connection.execute(
        update(attempts)
        .where(attempts.c.effect == row.id, attempts.c.number == effect.attempts)
        .values(ended=micros(now), outcome=str(report.outcome), error=report.error)
    )
    state, values = _next_state(row, report, now, retry_in)
    values |= {"state": str(state), "updated": micros(now), "error": report.error}
    if effect.kind == LAUNCH:
        values |= _launch_columns(row, report, now)
    connection.execute(update(effects).where(effects.c.id == row.id).values(**values))
    if effect.kind == TAG:
        _after_tag(connection, effect, report, state, now, route)
    elif effect.kind == ALERT and state is EffectState.DONE:
        note_alert(connection, effect, now)
    elif effect.kind == LAUNCH and state in _ENDS:
        never_sent = report.outcome in (Outcome.ALREADY, Outcome.SUPERSEDED)
        if never_sent or state is EffectState.FAILED:
            call_waiting(connection, effect.rule, now, never_sent=never_sent)
    return state


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
        if outcome is Outcome.TRANSIENT and report.blame is not Blame.NOBODY:
            values["failures"] = row.failures + 1
        return EffectState.WAITING if row.unclear else EffectState.PLANNED, values
    values = _closed() | ({"outcome": pack(dict(report.detail))} if report.detail else {})
    if outcome is Outcome.SUPERSEDED:
        return EffectState.CANCELLED, values | {"single": None}  # it may be wished for again
    return EffectState.FAILED, values


def _closed() -> dict[str, Any]:
    return {"due": None, "unclear": 0, "looked": 0, "pause": None, "failures": 0}


def _unclear(row: Any, report: Report, now: datetime) -> dict[str, Any]:
    """The site is asked no earlier than the wait that goes with the unclear end, before each look."""
    if report.looked:
        pause = row.pause or 0
        if report.wait is not None:
            pause = max(pause, round(report.wait * 1_000_000))
        return {"looked": row.looked + 1, "due": micros(now) + pause}
    pause = round((report.wait or 0.0) * 1_000_000)
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


def _after_tag(
    connection: Connection, effect: Effect, report: Report, state: EffectState, now: datetime, route: Route
) -> None:
    """Whose the tag is now, and whether that is what the claims want now."""
    if state not in _ENDS:
        return
    site, subject = effect.site, subject_of(effect.params)
    container, tag = effect.params["container"], effect.params["tag"]
    book = Book()
    change: Change | None = None
    if state is EffectState.DONE:
        key = NodeKey(site, Level(container["level"]), container["id"])
        change = patch_tags(connection, key, tag, there=report.detail["present"], whole=whole_of)
        load_subjects(connection, book, [(site, subject)])
        book.present[(site, subject)] = report.detail["present"]
        mark = report.detail["mark"]
        wanted = book.is_wanted(site, subject)
        book.set_mark(site, subject, None if effect.params.get(LEAVE) and not wanted else mark)
        plan_tag(connection, book, site, subject, now=now, last=_claim_of(effect))
    elif effect.params["operation"] == ADD:
        load_subjects(connection, book, [(site, subject)])
        wanted = book.is_wanted(site, subject)
        if book.marks.get((site, subject)) in (None, "trying") and not book.tries.get((site, subject)):
            book.set_mark(site, subject, "failed" if wanted and state is EffectState.FAILED else None)
            if wanted and state is EffectState.CANCELLED:
                plan_tag(connection, book, site, subject, now=now)
    store_book(connection, book, now)
    if change is not None:
        _tell_others(connection, effect, change, now, route)


def give_up_tag(connection: Connection, effect: Effect, now: datetime) -> None:
    """A person refused an effect on a tag: it is not tried again until nobody wants it, or a person says `retry`."""
    if effect.kind != TAG or effect.params["operation"] != ADD:
        return
    book = Book()
    key = (effect.site, subject_of(effect.params))
    load_subjects(connection, book, [key])
    if book.marks.get(key) == "trying" and not book.tries.get(key):
        book.set_mark(*key, "failed" if book.is_wanted(*key) else None)
        store_book(connection, book, now)


def _claim_of(effect: Effect) -> Claim:
    """The claim that an effect on a tag was made for, as far as a further effect needs it."""
    params = {name: effect.params[name] for name in ("container", "tag")}
    over = LEAVE if effect.params.get(LEAVE) else "retract"
    subject = subject_of(effect.params)
    return Claim(effect.rule, effect.target, effect.slot, TAG, effect.once_key, params, over, subject)


def _tell_others(connection: Connection, effect: Effect, change: Change, now: datetime, route: Route) -> None:
    """Our own change of a tag is news for the other rules that read it."""
    seen = Seen(effect.site, "own", str(change.node.level), change.node.id, change.node.label, {"effect": effect.id})
    event = store_event(connection, seen, source="effect", now=now)
    for look in route(change):
        if look.rule != effect.rule:
            owe(connection, look, event=event, now=now)
