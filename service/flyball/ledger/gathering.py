"""Gathering: whose the members of collections are, and what an attempt to bring one in line must know.

Marks of members (subject `collection/LABEL/ID`):

    trying   it was absent when the members were read, and is about to be put in
    ours     we put it in
    people   it was in before we wanted it: never taken out by `sync: own`
    removed  a person took ours out: not put in again while it is claimed

An attempt reads the members and ends, so that "it was absent" is stored before anything is sent; the next one sends.
So a kill in between leaves no doubt about whose a member is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from flyball.ledger.codec import micros, row_node, unpack
from flyball.ledger.limiting import Caps
from flyball.ledger.mirror import ancestor_keys, chunks, find, upsert
from flyball.ledger.tables import claims, decisions, looks, marks, nodes, rules
from flyball.model.decision import Verdict
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey
from flyball.rules.claims import ADD, COLLECTION, collection_subject
from flyball.rules.scope import Scope

EXACT: Final = "exact"
OWN: Final = "own"
ABSENT, PRESENT, OTHERS = "absent", "present", "others"  # what an attempt tells of the members, by id
ADDED, REMOVED, LOST = "put_in", "taken_out", "lost"
_TOLD: Final = frozenset({ABSENT, PRESENT, ADDED, REMOVED, LOST})

_CLAIMS = select(claims.c.rule, claims.c.params)


def is_deciding(connection: Connection, rule: str, now: datetime) -> bool:
    """Whether looks of a rule are due: its members are not all known yet."""
    query = select(looks.c.rule).where(looks.c.rule == rule, looks.c.due <= micros(now)).limit(1)
    return connection.execute(query).first() is not None


def situation(connection: Connection, effect: Effect, caps: Mapping[str, Caps]) -> dict[str, Any]:
    """What an attempt must know.

    `wanted`: what this rule wants in; `elsewhere`: what any rule wants in; `marks`: id → whose it is; `removable`: of
    the others that were in it when it was read, those that are certainly no targets of the rule (`sync: exact`).
    """
    label = effect.params["label"]
    wanted: set[str] = set()
    elsewhere: set[str] = set()
    query = _CLAIMS.where(claims.c.site == effect.site, claims.c.subject == collection_subject(label))
    for row in connection.execute(query):
        mine = unpack(row.params)["members"]
        elsewhere.update(mine)
        if row.rule == effect.rule:
            wanted.update(mine)
    known = _marks_of(connection, effect.site, label)
    found: dict[str, Any] = {"wanted": sorted(wanted), "elsewhere": sorted(elsewhere), "marks": known}
    if connection.execute(select(rules.c.id).where(rules.c.id == effect.rule, rules.c.paused.is_(True))).first():
        return {**found, "sync": OWN} if effect.params["sync"] == EXACT else found  # undone: others' members stay
    others = effect.params.get(OTHERS)
    if effect.params["sync"] == EXACT and others is not None:
        keys = [NodeKey(effect.site, Level.ACQUISITION, ident) for ident in others if ident not in elsewhere]
        found["removable"] = _no_targets(connection, effect.rule, keys, caps)
    return found


def is_needed(connection: Connection, effect: Effect) -> bool:
    """Whether there is anything to put in."""
    if effect.params["operation"] != ADD:
        return True
    subject = collection_subject(effect.params["label"])
    query = select(claims.c.rule).where(
        claims.c.site == effect.site, claims.c.subject == subject, claims.c.rule == effect.rule
    )
    return connection.execute(query.limit(1)).first() is not None


def note_members(connection: Connection, effect: Effect, report: Report, now: datetime) -> Report:
    """Note what an attempt tells of the members; the report without these long lists."""
    if report.outcome not in (Outcome.WAITING, Outcome.DONE, Outcome.ALREADY):
        return report
    label, told = effect.params["label"], report.detail
    set_to = {
        **dict.fromkeys(told.get(ABSENT, ()), "trying"),
        **dict.fromkeys(told.get(PRESENT, ()), "people"),
        **dict.fromkeys(told.get(ADDED, ()), "ours"),
        **dict.fromkeys(told.get(LOST, ()), "removed"),
    }
    rows = [
        {"site": effect.site, "subject": _subject(label, ident), "owner": owner, "updated": micros(now)}
        for ident, owner in set_to.items()
    ]
    for some in chunks(rows):
        upsert(connection, marks, list(some), ("site", "subject"))
    for gone in chunks([_subject(label, ident) for ident in told.get(REMOVED, ())]):
        connection.execute(delete(marks).where(marks.c.site == effect.site, marks.c.subject.in_(gone)))
    return replace(report, detail={name: value for name, value in told.items() if name not in _TOLD})


def _subject(label: str, ident: str) -> str:
    return f"{collection_subject(label)}/{ident}"


def _marks_of(connection: Connection, site: str, label: str) -> dict[str, str]:
    before = _subject(label, "")
    query = select(marks.c.subject, marks.c.owner).where(
        marks.c.site == site, marks.c.subject.startswith(before, autoescape=True)
    )
    return {
        row.subject.removeprefix(before): row.owner
        for row in connection.execute(query)
        if row.subject.startswith(before) and "/" not in row.subject.removeprefix(before)  # SQLite's LIKE knows no case
    }


def _no_targets(connection: Connection, rule: str, keys: Sequence[NodeKey], caps: Mapping[str, Caps]) -> list[str]:
    """Those of which the rule has said no, or which it cannot be about. What is unknown, or not decided yet, stays."""
    known = find(connection, keys)
    files = _files_of(connection, keys)
    above = find(connection, {one for node in known.values() for one in ancestor_keys(node)}) | known
    decided = _verdicts(connection, rule)
    waiting = _waiting(connection, rule)
    scope = caps[rule].scope if rule in caps else None
    found = []
    for key in keys:
        node, mine = known.get(key), files.get(key.id, [])
        if node is None:
            found.append(key.id)  # in no project that any rule is about
            continue
        line = {key.id, *node.parents.values(), *(file.id for file in mine)}
        verdicts = {decided[ident] for ident in line if ident in decided}
        if waiting & line or str(Verdict.UNKNOWN) in verdicts:
            continue
        if verdicts or (scope is not None and _is_outside(scope, node, mine, above)):
            found.append(key.id)
    return found


def _is_outside(scope: Scope, node: Node, files: Sequence[Node], above: Mapping[NodeKey, Node]) -> bool:
    """Whether a rule of that scope cannot be about an acquisition, nor about any of its files."""
    about = files if scope.levels.get(str(Level.FILE)) is not None else [node]
    return all(scope.outside(_labels(one, above)) is not None for one in about)


def _files_of(connection: Connection, keys: Sequence[NodeKey]) -> dict[str, list[Node]]:
    """Acquisition → its files."""
    found: dict[str, list[Node]] = {}
    for some in chunks(list(keys)):
        query = select(nodes).where(
            nodes.c.site == some[0].site,
            nodes.c.acquisition.in_([key.id for key in some]),
            nodes.c.level == str(Level.FILE),
        )
        for row in connection.execute(query):
            found.setdefault(row.acquisition, []).append(row_node(row))
    return found


def _verdicts(connection: Connection, rule: str) -> dict[str, str]:
    """Target → what the rule says of it. All targets of the rule: members may lie below them."""
    query = select(decisions.c.target, decisions.c.verdict).where(
        decisions.c.rule == rule, decisions.c.current.is_(True)
    )
    return {row.target: row.verdict for row in connection.execute(query)}


def _waiting(connection: Connection, rule: str) -> set[str]:
    """Targets that the rule has not decided yet."""
    return {row.target for row in connection.execute(select(looks.c.target).where(looks.c.rule == rule))}


def _labels(node: Node, above: Mapping[NodeKey, Node]) -> dict[str, str]:
    """What scopes are matched with."""
    labels = {str(node.level): node.label}
    for key in ancestor_keys(node):
        one = above.get(key)
        if one is not None:
            label = one.label if key.level is not Level.PROJECT else f"{one.parents.get('group', '')}/{one.label}"
            labels[str(key.level)] = label
    return labels


__all__ = ["COLLECTION", "is_deciding", "is_needed", "note_members", "situation"]
