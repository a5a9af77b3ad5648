"""Recording: a batch of decisions, and the end of the looks that led to them, in a few statements.

A decision that says what the last one on the same target said is confirmed, and no row is added: the history shows
what changed, not how often it was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, tuple_, update

from flyball.ledger.among import Among
from flyball.ledger.bulk import insert_numbered, many
from flyball.ledger.codec import micros, pack
from flyball.ledger.mirror import chunks
from flyball.ledger.prints import print_of
from flyball.ledger.tables import decisions, looks
from flyball.model.decision import Decision
from flyball.model.node import Document, NodeKey
from flyball.rules.rule import Mode

_About = tuple[str, str, str, str]  # rule, site, level, target

_THIS_LOOK = (
    looks.c.rule == bindparam("of_rule"),
    looks.c.site == bindparam("of_site"),
    looks.c.level == bindparam("of_level"),
    looks.c.target == bindparam("of_target"),
    looks.c.stamp == bindparam("of_stamp"),
)
_LOOK = (looks.c.rule, looks.c.site, looks.c.level, looks.c.target)
_ABOUT = (decisions.c.rule, decisions.c.site, decisions.c.level, decisions.c.target)
# Built once: for few decisions at a time, building a statement costs more than running it.
_STANDING = select(decisions.c.id, decisions.c.digest, *_ABOUT).where(
    Among(decisions.c.target, "some"),
    Among(decisions.c.rule, "of_rules"),
    decisions.c.current.is_(True),
)
_DONE = delete(looks).where(*_THIS_LOOK)
_LATER = update(looks).where(*_THIS_LOOK).values(due=bindparam("again"), urgent=False, handed=None)


@dataclass(frozen=True, slots=True)
class Due:
    """A look that is due."""

    rule: str
    key: NodeKey
    event: int | None
    stamp: int


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision to store, with the look that led to it."""

    due: Due
    decision: Decision
    document: Document | None
    mode: Mode = Mode.LIVE


def close_looks(connection: Connection, batch: Sequence[Decided]) -> None:
    """The looks are done, or wait for when the decision can change; but not where a new hint came meanwhile."""
    done: list[dict[str, Any]] = []
    later: list[dict[str, Any]] = []
    for item in batch:
        due, again = item.due, item.decision.look_again
        row: dict[str, Any] = {
            "of_rule": due.rule,
            "of_site": due.key.site,
            "of_level": str(due.key.level),
            "of_target": due.key.id,
            "of_stamp": due.stamp,
        }
        if again is None:
            done.append(row)
        else:
            later.append(row | {"again": micros(again)})
    many(connection, _DONE, done)
    many(connection, _LATER, later)


def still_owed(connection: Connection, batch: Sequence[Decided]) -> list[Decided]:
    """Those whose look stands as it was when it was taken. With several replicas, another one may have decided since,
    on a later state; what was decided on an earlier one must not replace that.
    """
    stamps: dict[_About, int] = {}
    for some in chunks([_look_of(item) for item in batch]):
        query = select(*_LOOK, looks.c.stamp).where(tuple_(*_LOOK).in_(some))
        for rule, site, level, target, stamp in connection.execute(query):
            stamps[(rule, site, level, target)] = stamp
    return [item for item in batch if stamps.get(_look_of(item)) == item.due.stamp]


def _look_of(item: Decided) -> _About:
    key = item.due.key
    return item.due.rule, key.site, str(key.level), key.id


def record(connection: Connection, batch: Sequence[Decided], now: datetime) -> list[int | None]:
    """Store the decisions of a batch, one at most for each rule and target; their numbers, in order.

    None for those that were put off (no verdict yet).
    """
    stamp = micros(now)
    told = [(place, _row(item, stamp)) for place, item in enumerate(batch) if item.decision.verdict is not None]
    last = _current(connection, [row for _, row in told])
    numbers: list[int | None] = [None] * len(batch)
    confirmed: list[int] = []
    replaced: list[int] = []
    fresh: list[tuple[int, dict[str, Any]]] = []
    for place, row in told:
        number, digest = last.get(_about(row), (None, ""))
        if number is not None and digest == row["digest"]:
            numbers[place] = number
            confirmed.append(number)
            continue
        if number is not None:
            replaced.append(number)
        fresh.append((place, row))
    for some in chunks(confirmed):
        connection.execute(update(decisions).where(decisions.c.id.in_(some)).values(confirmed=stamp))
    for some in chunks(replaced):
        connection.execute(update(decisions).where(decisions.c.id.in_(some)).values(current=False))
    if fresh:
        given = insert_numbered(connection, decisions, [row for _, row in fresh])
        for (place, _), number in zip(fresh, given, strict=True):
            numbers[place] = number
    return numbers


def _row(item: Decided, stamp: int) -> dict[str, Any]:
    decision, target = item.decision, item.decision.target
    because = pack([line.as_json() for line in decision.because])
    wishes = [[wish.slot, str(wish.want), wish.once_key] for wish in decision.wishes]
    return {
        "rule": decision.rule,
        "version": decision.rule_version,
        "site": target.site,
        "level": str(target.level),
        "target": target.id,
        "path": target.path,
        "verdict": str(decision.verdict),
        "because": because,
        "digest": print_of(because, pack([str(decision.verdict), wishes, decision.rule_version])),
        "decided": stamp,
        "confirmed": stamp,
        "event": item.due.event,
        "current": True,
    }


def _about(row: dict[str, Any]) -> _About:
    return row["rule"], row["site"], row["level"], row["target"]


def _current(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[_About, tuple[int, str]]:
    """The decisions that stand: what they are about → number and digest."""
    found: dict[_About, tuple[int, str]] = {}
    names = sorted({row["rule"] for row in rows})
    for some in chunks(sorted({row["target"] for row in rows})):
        asked = {"some": some, "of_rules": names}
        for number, digest, rule, site, level, target in connection.execute(_STANDING, asked).all():
            found[(rule, site, level, target)] = (number, digest)
    return found
