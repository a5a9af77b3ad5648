"""Deciding: which looks are due, and storing a batch of decisions with the effects that they need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, tuple_, update

from flyball.ledger.among import Among
from flyball.ledger.book import load_book, store_book
from flyball.ledger.bulk import many
from flyball.ledger.codec import micros, moment, unpack
from flyball.ledger.limiting import call_all
from flyball.ledger.looking import RULE_OF_DUE, LookKey
from flyball.ledger.mirror import chunks
from flyball.ledger.planning import APPROVAL, add_effect, effect_row, plan_tag
from flyball.ledger.recording import Decided as Decided  # noqa: PLC0414 - what is stored here is offered here
from flyball.ledger.recording import Due as Due  # noqa: PLC0414 - likewise
from flyball.ledger.recording import close_looks, record, still_owed
from flyball.ledger.tables import effects, looks, rules
from flyball.model.effect import EffectState
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.rules.claims import TAG, Book, subject_of
from flyball.rules.engine import effects_of
from flyball.rules.reconciling import untried
from flyball.rules.rule import Mode

_HELD = str(EffectState.HELD)
_EFFECT = insert(effects)
_WAITING = (effects.c.state == _HELD, effects.c.held_for == APPROVAL)
_FOR_APPROVAL = select(effects.c.id).where(*_WAITING).limit(1)
# Built once: for few looks at a time, building a statement costs more than running it.
_OF_RULES = Among(RULE_OF_DUE, "of_rules")
_DUE = select(looks).where(looks.c.due <= bindparam("by"), _OF_RULES).order_by(looks.c.due).limit(bindparam("most"))
_NEXT = select(func.min(looks.c.due)).where(_OF_RULES)


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """What the ledger knows of a rule.

    Attributes:
        id, version: of the rule.
        first_seen: when there was a first version of it, in the time of its site's stamps once that is known.
        version_seen: when this version was there first, by our own clock.
        paused: by a person.
        generation: how often its once-keys were forgotten.
        released: the version whose canary was approved.
    """

    id: str
    version: str
    first_seen: datetime
    version_seen: datetime
    paused: bool
    generation: int
    released: str | None


@dataclass(slots=True)
class Stored:
    """What came of a batch, for the status and the log."""

    decisions: int = 0
    effects: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


def due_looks(connection: Connection, now: datetime, limit: int, rule_ids: Sequence[str]) -> list[Due]:
    """The looks that are due, oldest first, of the rules named."""
    asked = {"by": micros(now), "of_rules": list(rule_ids), "most": limit}
    return [_due(row) for row in connection.execute(_DUE, asked).all()]


def looks_among(connection: Connection, keys: Sequence[LookKey], now: datetime, rule_ids: Collection[str]) -> list[Due]:
    """Those of the looks named that are due, of the rules named."""
    found: list[Due] = []
    for some in chunks([key for key in keys if key.rule in rule_ids]):
        of_these = tuple_(looks.c.rule, looks.c.site, looks.c.level, looks.c.target).in_(some)
        rows = connection.execute(select(looks).where(of_these, looks.c.due <= micros(now)).order_by(looks.c.due))
        found += [_due(row) for row in rows]
    return found


def _due(row: Any) -> Due:
    return Due(row.rule, NodeKey(row.site, Level(row.level), row.target), row.event, row.stamp)


def next_look(connection: Connection, rule_ids: Sequence[str]) -> datetime | None:
    """When the next look is due."""
    found = connection.execute(_NEXT, {"of_rules": list(rule_ids)}).scalar()
    return None if found is None else moment(found)


def see_rules(connection: Connection, versions: dict[str, str], now: datetime) -> dict[str, tuple[RuleRecord, bool]]:
    """Note which rules are loaded; rule → (its record, whether its version is new). First sight is kept for ever.

    What was held back for a limit or a pause is called again.
    """
    known = {row.id: row for row in connection.execute(select(rules))}
    result: dict[str, tuple[RuleRecord, bool]] = {}
    stamp = micros(now)
    for rule, version in versions.items():
        row = known.get(rule)
        if row is None:
            values = {
                "id": rule,
                "version": version,
                "first_seen": stamp,
                "version_seen": stamp,
                "paused": False,
                "present": True,
                "released": None,
                "generation": 0,
            }
            connection.execute(insert(rules).values(**values))
            result[rule] = (RuleRecord(rule, version, now, now, False, 0, None), True)
            continue
        new = row.version != version
        values = {"present": True, "version": version}
        if new:
            values["version_seen"] = stamp
        connection.execute(update(rules).where(rules.c.id == rule).values(**values))
        result[rule] = (_recorded(row, version, now if new else moment(row.version_seen)), new)
    for rule in known.keys() - versions.keys():
        connection.execute(update(rules).where(rules.c.id == rule).values(present=False))
    call_all(connection, versions, [rule for rule, (_, new) in result.items() if new], now)
    return result


def record_of(connection: Connection, rule: str) -> RuleRecord:
    """What the ledger knows of a rule that it has seen."""
    row = connection.execute(select(rules).where(rules.c.id == rule)).one()
    return _recorded(row, row.version, moment(row.version_seen))


def _recorded(row: Any, version: str, version_seen: datetime) -> RuleRecord:
    first_seen = moment(row.first_seen)
    return RuleRecord(row.id, version, first_seen, version_seen, row.paused, row.generation, row.released)


def shift_first_sight(connection: Connection, rules_: Iterable[str], by: timedelta) -> None:
    """Move the first sight of rules that were seen before their site's clock was known."""
    for rule in rules_:
        shifted = rules.c.first_seen + int(by.total_seconds() * 1_000_000)
        connection.execute(update(rules).where(rules.c.id == rule).values(first_seen=shifted))


def store_decisions(connection: Connection, batch: Iterable[Decided], now: datetime, *, shared: bool = False) -> Stored:
    """Store decisions, the claims that they make or drop, and the effects that they need; the looks are done.

    `shared`: others decide on this ledger too; what they have decided since the looks were taken stays.
    """
    batch = still_owed(connection, list(batch)) if shared else list(batch)
    _let_go(connection, [item for item in batch if item.mode is Mode.LIVE], now)
    book = load_book(connection, [(item.decision, item.document) for item in batch])
    stored = Stored()
    close_looks(connection, batch)
    wanted: list[dict[str, Any]] = []
    for item, number in zip(batch, record(connection, batch, now), strict=True):
        stored.decisions += 1
        if item.mode is Mode.SHADOW:
            _shadow(connection, item, number, now)
            continue
        holds = item.mode is Mode.APPROVE
        for planned in effects_of(item.decision, book, holds=holds):
            state = EffectState.HELD if holds and not planned.retracts else EffectState.PLANNED
            held_for = APPROVAL if state is EffectState.HELD else None
            version = item.decision.rule_version
            wanted.append(
                effect_row(planned, version=version, state=state, decision=number, now=now, held_for=held_for)
            )
            stored.effects += 1
            stored.kinds[planned.kind] = stored.kinds.get(planned.kind, 0) + 1
    many(connection, _EFFECT, wanted)
    _give_up_held(connection, book, now)
    store_book(connection, book, now)
    return stored


def _let_go(connection: Connection, live: Sequence[Decided], now: datetime) -> None:
    """What waited for a person goes once its rule is live."""
    if not live or connection.execute(_FOR_APPROVAL).first() is None:
        return
    for some in chunks(live):
        connection.execute(
            update(effects)
            .where(*_WAITING)
            .where(effects.c.rule.in_({item.decision.rule for item in some}))
            .where(effects.c.target.in_({item.decision.target.id for item in some}))
            .values(state=str(EffectState.PLANNED), due=micros(now), updated=micros(now))
        )


def _give_up_held(connection: Connection, book: Book, now: datetime) -> None:
    """What waits for a person and is wanted no longer need not be shown to anyone."""
    dropped = [(owner, slot) for (owner, slot), claim in book.changed_claims.items() if claim is None]
    if not dropped or connection.execute(select(effects.c.id).where(effects.c.state == _HELD).limit(1)).first() is None:
        return
    for (rule, site, target), slot in dropped:
        query = select(effects).where(
            effects.c.target == target, effects.c.rule == rule, effects.c.site == site, effects.c.slot == slot
        )
        for row in connection.execute(query.where(effects.c.state == _HELD)).all():
            connection.execute(
                update(effects)
                .where(effects.c.id == row.id)
                .values(
                    state=str(EffectState.CANCELLED),
                    updated=micros(now),
                    single=None,
                    held_for=None,
                    error="no longer wanted",
                )
            )
            if row.kind == TAG:
                subject = subject_of(unpack(row.params))
                untried(book, site, subject)
                plan_tag(connection, book, site, subject, now=now)


def _shadow(connection: Connection, item: Decided, number: int | None, now: datetime) -> None:
    """Record what a rule in shadow would have done, once for each thing; no claims, nothing sent."""
    throw_away = load_book(connection, [(item.decision, item.document)])
    for planned in effects_of(item.decision, throw_away):
        same = select(effects.c.summary).where(
            effects.c.target == planned.target.id,
            effects.c.rule == planned.rule,
            effects.c.slot == planned.slot,
            effects.c.once_key == planned.once_key,
            effects.c.state == str(EffectState.SHADOW),
        )
        last = connection.execute(same.order_by(effects.c.id.desc()).limit(1)).scalar()
        if last != planned.summary:
            add_effect(
                connection,
                planned,
                version=item.decision.rule_version,
                state=EffectState.SHADOW,
                decision=number,
                now=now,
            )
