"""Peer statistics in the ledger: reading the mirror page by page, and freezing what was worked out for a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from flyball.ledger.codec import row_node
from flyball.ledger.looking import owe_everywhere
from flyball.ledger.mirror import find
from flyball.ledger.noticing import load_fact, save_fact
from flyball.ledger.tables import nodes
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.rules.keys import fingerprint
from flyball.rules.rule import Rule

PAGE = 500
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frozen:
    """One profile's statistics on one site.

    Attributes:
        day: when they were last worked out, by the site's clock.
        meaning: fingerprint of what was worked out (places, metrics, peer groups).
        rows: `[metric, [group…], date, n, median, mad]`.
    """

    day: str
    meaning: str
    rows: list[list[Any]]


def page(
    connection: Connection, site: str, level: Level, after: str, ancestors: Sequence[Level]
) -> list[tuple[Node, dict[Level, Node]]]:
    """The next present nodes of a level by id, each with those of its ancestors that are asked for and known."""
    query = (
        select(nodes)
        .where(
            nodes.c.site == site,
            nodes.c.level == str(level),
            nodes.c.id > after,
            nodes.c.presence == str(Presence.PRESENT),
        )
        .order_by(nodes.c.id)
        .limit(PAGE)
    )
    some = [row_node(row) for row in connection.execute(query)]
    keys = {
        NodeKey(site, above, node.parents[str(above)])
        for node in some
        for above in ancestors
        if str(above) in node.parents
    }
    known = find(connection, keys)
    return [
        (
            node,
            {
                above: known[key]
                for above in ancestors
                if (key := NodeKey(site, above, node.parents.get(str(above), ""))) in known
            },
        )
        for node in some
    ]


def load_frozen(connection: Connection, site: str, profile: str) -> Frozen | None:
    """What was frozen last; None: nothing."""
    fact = load_fact(connection, _name(site, profile))
    return None if fact is None else Frozen(fact["day"], fact["meaning"], fact["rows"])


def freeze(
    connection: Connection,
    site: str,
    profile: str,
    found: Frozen,
    *,
    rules: Sequence[tuple[Rule, datetime | None]],
    now: datetime,
) -> Frozen:
    """Store a day's statistics; where another daemon was first on this day, its numbers hold. What holds now.

    A group whose numbers did not change keeps its date, so that nothing that was decided with them becomes another
    decision. If some numbers did change, the rules look at all their targets again.

    Args:
        connection: of the transaction.
        site: the site.
        profile: the profile's name.
        found: what was worked out.
        rules: those that use the profile, each with the bound of its `since`.
        now: the present, UTC.
    """
    last = load_frozen(connection, site, profile)
    if last is not None and (last.day, last.meaning) == (found.day, found.meaning):
        return last
    rows = found.rows if last is None else _with_old_dates(last.rows, found.rows)
    kept = Frozen(found.day, found.meaning, rows)
    fact = {"profile": profile, "day": kept.day, "meaning": kept.meaning, "rows": rows}
    save_fact(connection, _name(site, profile), fact, now)
    if last is not None and last.rows != rows:
        for rule, since in rules:
            owe_everywhere(connection, rule.id, site, rule.each, now=now, since=since)
    return kept


def _with_old_dates(before: list[list[Any]], now: list[list[Any]]) -> list[list[Any]]:
    known = {(row[0], tuple(row[1])): row for row in before}
    result = []
    for row in now:
        old = known.get((row[0], tuple(row[1])))
        result.append(old if old is not None and old[3:] == row[3:] else row)
    return result


def _name(site: str, profile: str) -> str:
    return f"peers/{site}/{fingerprint(profile)}"
