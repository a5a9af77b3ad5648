"""Undoing a rule: what it keeps so is given back, exactly what the rule made and never what people set.

Tags and open alerts go, through the same claims by which they came: a tag that another rule wants too stays. Drafts on
a Neuroscout server are deleted, unless people have worked on them. Launches, notes and files stay and are listed. The
rule is paused, so that it does not do it all again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from flyball.ledger.book import load_claims, load_subjects, store_book
from flyball.ledger.codec import micros
from flyball.ledger.looking import forget_looks
from flyball.ledger.naming import members
from flyball.ledger.planning import add_effect
from flyball.ledger.scouting import take_drafts_back
from flyball.ledger.tables import claims, effects, rules
from flyball.model.effect import EffectState
from flyball.rules.claims import ALERT, COLLECTION, TAG, Book, Owner
from flyball.rules.reconciling import reconcile

Json = dict[str, Any]
RETRACT = "retract"
_NOT_BEGUN = (str(EffectState.PLANNED), str(EffectState.HELD))


def undo(connection: Connection, rule: str, now: datetime) -> Json:
    """Give back what a rule keeps so, in all cells of its matrix; what was queued, what was cancelled, and what stays.

    Raises:
        LookupError: the ledger knows no such rule.
    """
    mine = members(connection, rule)
    if not mine:
        raise LookupError(f"the ledger knows no rule {rule!r}")
    connection.execute(update(rules).where(rules.c.id.in_(mine)).values(paused=True))
    queued = cancelled = 0
    for member in mine:
        forget_looks(connection, member)
        cancelled += connection.execute(
            update(effects)
            .where(effects.c.rule == member, effects.c.state.in_(_NOT_BEGUN), effects.c.attempts == 0)
            .values(state=str(EffectState.CANCELLED), single=None, due=None, updated=micros(now), error="undone")
        ).rowcount
        queued += _withdraw_all(connection, member, now)
    queued += take_drafts_back(connection, mine, now)
    ours = effects.c.rule.in_(mine)
    undone = (ours, effects.c.kind.in_((TAG, ALERT, COLLECTION)), effects.c.state == str(EffectState.DONE))
    connection.execute(update(effects).where(*undone).values(state=str(EffectState.UNDONE), updated=micros(now)))
    stays = connection.execute(
        select(effects.c.id, effects.c.kind, effects.c.summary)
        .where(ours, effects.c.state == str(EffectState.DONE))
        .order_by(effects.c.id)
    )
    return {
        "rule": rule,
        "paused": True,
        "queued": queued,
        "cancelled": cancelled,
        "stays": [{"id": str(row.id), "kind": row.kind, "summary": row.summary} for row in stays],
    }


def _withdraw_all(connection: Connection, rule: str, now: datetime) -> int:
    owners: set[Owner] = {
        (row.rule, row.site, row.target)
        for row in connection.execute(
            select(claims.c.rule, claims.c.site, claims.c.target).where(claims.c.rule == rule)
        )
    }
    book = Book()
    load_claims(connection, book, owners)
    mine = [claim for owner in sorted(owners) for claim in book.claims.get(owner, {}).values()]
    load_subjects(connection, book, {(claim.target.site, str(claim.subject)) for claim in mine if claim.kind == TAG})
    for claim in mine:  # `when_over: leave` is about conditions, not about taking the rule back
        book.claims[claim.owner][claim.slot] = replace(claim, over=RETRACT)
    queued = 0
    for owner in sorted(owners):
        standing = list(book.claims.get(owner, {}).values())
        if not standing:
            continue
        for planned in reconcile(rule, standing[0].target, (), exhaustive=True, book=book):
            add_effect(connection, planned, version="", state=EffectState.PLANNED, decision=None, now=now)
            queued += 1
    store_book(connection, book, now)
    return queued
