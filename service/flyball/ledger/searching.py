"""Searches: the hits of the last time, and the looks that are owed where a new answer differs from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from flyball.ledger.looking import Look, owe_all, owe_everywhere
from flyball.ledger.mirror import find, subtree
from flyball.ledger.noticing import load_facts, save_fact
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import Node, NodeKey
from flyball.model.search import NOT_ASKED, Hits, Search, hit_name
from flyball.rules.keys import fingerprint
from flyball.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Asked:
    """What is on record of a search.

    Attributes:
        hits: of the last time; with a reason where the search cannot be had.
        at: when it was answered last, UTC; None: never.
    """

    hits: Hits
    at: datetime | None


NEVER = Asked(NOT_ASKED, None)


def load_hits(connection: Connection, site: str, searches: Collection[Search]) -> dict[Search, Asked]:
    """What is on record of some searches of a site."""
    names = {_fact_of(site, search): search for search in searches}
    found = load_facts(connection, list(names))
    return {search: _asked(found[name]) if name in found else NEVER for name, search in names.items()}


def save_hits(
    connection: Connection, site: str, search: Search, asked: Asked, rules: Iterable[Rule], now: datetime
) -> int:
    """Store an answer, and owe the looks that follow from it; the number of targets.

    Where hits came or went, the targets above them are looked at; where there were none to be had before, or are none
    now, all targets of the rules are.
    """
    before = load_hits(connection, site, [search])[search].hits
    after = asked.hits
    value = {
        "query": search.query,
        "returns": str(search.returns),
        "names": sorted(after.names),
        "reason": after.reason,
        "at": None if asked.at is None else asked.at.isoformat(),
    }
    save_fact(connection, _fact_of(site, search), value, now)
    if before == after:
        return 0
    if before.reason or after.reason:
        return sum(owe_everywhere(connection, rule.id, site, rule.each, now=now) for rule in rules)
    nodes = nodes_named(connection, site, search.returns, before.names ^ after.names)
    looks = [
        (Look(rule.id, site, rule.each, ident, rule.each), None)
        for rule in rules
        for ident in sorted({node.parents[rule.each] for node in nodes if rule.each in node.parents})
    ]
    return owe_all(connection, looks, now=now)


def nodes_named(connection: Connection, site: str, level: Level, names: Collection[str]) -> list[Node]:
    """The nodes of the mirror that hits name; the others were not read yet, or are none of the rules' business."""
    if level is not Level.FILE:
        return list(find(connection, [NodeKey(site, level, name) for name in sorted(names)]).values())
    holders = sorted({name.partition("/")[0] for name in names})
    wanted = frozenset(names)
    found: dict[NodeKey, Node] = {}
    for holder in _containers(connection, site, holders):
        for members in subtree(connection, site, holder.level, [holder.id]).values():
            found |= {one.key: one for one in members if one.level is Level.FILE and hit_name(one) in wanted}
    return list(found.values())


def _containers(connection: Connection, site: str, idents: Sequence[str]) -> list[NodeKey]:
    """The containers with these ids, whatever their level."""
    return [*find(connection, [NodeKey(site, level, ident) for level in CONTAINERS for ident in idents])]


def _fact_of(site: str, search: Search) -> str:
    return f"search/{site}/{fingerprint([search.query, search.returns])}"


def _asked(value: Any) -> Asked:
    at = value["at"]
    return Asked(Hits(frozenset(value["names"]), value["reason"]), None if at is None else datetime.fromisoformat(at))
