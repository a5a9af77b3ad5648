"""Planning: a new effect enters the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from flyball.ledger.codec import micros, pack
from flyball.ledger.tables import effects, rules
from flyball.model.effect import EffectState
from flyball.rules.claims import ADD, REMOVE, Book, Claim, Planned
from flyball.rules.reconciling import settle_tag, tag_effect

APPROVAL = "approval"


def effect_row(
    planned: Planned,
    *,
    version: str,
    state: EffectState,
    decision: int | None,
    now: datetime,
    held_for: str | None = None,
) -> dict[str, Any]:
    """A new effect as a row of `effects`.

    Args:
        planned: what is to be done.
        version: the rule's.
        state: planned (due now), held or shadow.
        decision: number of the decision that asks for it.
        now: the present, UTC.
        held_for: of a held one, what it waits for.
    """
    stamp = micros(now)
    target = planned.target
    return {
        "site": target.site,
        "rule": planned.rule,
        "rule_version": version,
        "level": str(target.level),
        "target": target.id,
        "path": target.path,
        "kind": planned.kind,
        "state": str(state),
        "once_key": planned.once_key,
        "single": planned.once_key if planned.single and state is not EffectState.SHADOW else None,
        "lane": planned.lane,
        "slot": planned.slot,
        "summary": planned.summary,
        "params": pack(planned.params),
        "created": stamp,
        "updated": stamp,
        "due": stamp if state is EffectState.PLANNED else None,
        "held_for": held_for,
        "attempts": 0,
        "failures": 0,
        "unclear": 0,
        "looked": 0,
        "decision": decision,
    }


def add_effect(
    connection: Connection,
    planned: Planned,
    *,
    version: str,
    state: EffectState,
    decision: int | None,
    now: datetime,
    held_for: str | None = None,
) -> int:
    """Store one effect (see `effect_row`); its number."""
    row = effect_row(planned, version=version, state=state, decision=decision, now=now, held_for=held_for)
    key = connection.execute(insert(effects).values(**row)).inserted_primary_key
    return int(key[0]) if key else 0


def plan_tag(
    connection: Connection, book: Book, site: str, subject: str, *, now: datetime, last: Claim | None = None
) -> None:
    """Bring a tag in line with the claims that stand, outside of any decision; the effect is planned, if one is needed.

    Args:
        connection: of the transaction.
        book: holds the claims and the mark of the tag; changed in place.
        site: the site.
        subject: which tag.
        now: the present, UTC.
        last: who wanted the tag last; in their name it is removed.
    """
    claimants = book.wanting(site, subject)
    holds = bool(claimants) and claimants[0].holds
    operation = settle_tag(book, site, subject, holds=holds)
    if operation == ADD:
        planned, state = tag_effect(claimants[0], ADD), EffectState.HELD if holds else EffectState.PLANNED
    elif operation == REMOVE and last is not None:
        planned, state = tag_effect(last, REMOVE), EffectState.PLANNED
    else:
        return
    version = connection.execute(select(rules.c.version).where(rules.c.id == planned.rule)).scalar()
    add_effect(
        connection,
        planned,
        version=str(version or ""),
        state=state,
        decision=None,
        now=now,
        held_for=APPROVAL if state is EffectState.HELD else None,
    )
