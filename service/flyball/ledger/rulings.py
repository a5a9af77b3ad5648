"""Rulings: what a person said of one rule on one target. They stand until they are changed.

adopted     the target is the rule's business although its data is older than the rule's `since` (`backfill`)
generation  raised by `forget`: part of every once-key, so that what was done once may be done again
forgotten   runs that were known when a launch was forgotten: they no longer count as equal runs
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from flyball.ledger.among import Among
from flyball.ledger.codec import micros, pack, unpack
from flyball.ledger.mirror import chunks, upsert
from flyball.ledger.tables import rulings
from flyball.model.node import NodeKey

_ON_TARGETS = select(rulings).where(Among(rulings.c.target, "some"))
RulingKey = tuple[str, str, str]  # rule, site, target id


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was said of one rule on one target."""

    adopted: bool = False
    generation: int = 0
    forgotten: frozenset[str] = frozenset()


NONE = Ruling()


def load_rulings(connection: Connection, wanted: Iterable[tuple[str, NodeKey]]) -> dict[RulingKey, Ruling]:
    """The rulings on some (rule, target) pairs; those without any are absent."""
    keys = {(rule, key.site, key.id) for rule, key in wanted}
    found: dict[RulingKey, Ruling] = {}
    for some in chunks(sorted({key[2] for key in keys})):
        for row in connection.execute(_ON_TARGETS, {"some": some}):
            key = (row.rule, row.site, row.target)
            if key in keys:
                found[key] = Ruling(row.adopted, row.generation, frozenset(unpack(row.forgotten)))
    return found


def store_ruling(connection: Connection, key: RulingKey, ruling: Ruling, now: datetime) -> None:
    """Store one ruling."""
    store_rulings(connection, [(key, ruling)], now)


def store_rulings(connection: Connection, many: Sequence[tuple[RulingKey, Ruling]], now: datetime) -> None:
    """Store rulings."""
    rows = [
        {
            "rule": rule,
            "site": site,
            "target": target,
            "adopted": ruling.adopted,
            "generation": ruling.generation,
            "forgotten": pack(sorted(ruling.forgotten)),
            "said": micros(now),
        }
        for (rule, site, target), ruling in many
    ]
    upsert(connection, rulings, rows, ("rule", "site", "target"))
