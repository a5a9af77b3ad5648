"""Looks: which rule must look at which target, and when. Many are noted with one statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, case, delete, exists, literal, or_, select

from flyball.ledger.bulk import many
from flyball.ledger.codec import micros, unpack
from flyball.ledger.mirror import chunks, descendants, insert_of, inserting
from flyball.ledger.tables import looks, nodes
from flyball.model.levels import CONTAINERS, HIERARCHY, Level
from flyball.model.levels import below as levels_below
from flyball.model.node import Presence
from flyball.rules.scope import Globs


@dataclass(frozen=True, slots=True)
class Look:
    """A rule owes a look at a target, or at every target of level `of` below the container named.

    Attributes:
        due: None for now.
        fits: labels that the targets must have to be worth a look; None: any.
        since: those of them that came or changed before are not worth one; None: all are.
    """

    rule: str
    site: str
    level: Level
    ident: str
    of: Level
    due: datetime | None = None
    fits: Globs | None = None
    since: datetime | None = None


# For questions by due time. Asked for by its bare name, SQLite goes to the rule's looks by the primary key, all of
# them, and sorts what is due: 300 times as long with 200,000 of them. So it can only go by the index of due times.
RULE_OF_DUE: Final = looks.c.rule.concat("")


_LABELLED: Final = frozenset({Level.SUBJECT, Level.SESSION, Level.ACQUISITION, Level.FILE})  # scopes go by the label


class LookKey(NamedTuple):
    """Which look: at most one for a rule and a target."""

    rule: str
    site: str
    level: str
    target: str


Owed = tuple[Look, int | None]  # a look, and the number of the event that led to it


def owe(connection: Connection, look: Look, *, event: int | None, now: datetime) -> int:
    """Note that a rule must look; the number of targets."""
    return owe_all(connection, [(look, event)], now=now)


def owe_all(connection: Connection, owed: Iterable[Owed], *, now: datetime) -> int:
    """Note many looks. A look that is due earlier stays so; each hint raises its stamp. The number of targets."""
    direct: dict[tuple[str, str, Level, str], dict[str, Any]] = {}
    doubtful: dict[tuple[str, Level], list[Owed]] = {}
    wide: dict[tuple[str, Level, Level], dict[tuple[str, str], Owed]] = {}
    for look, event in owed:
        if look.level is look.of and look.fits is not None and look.of in _LABELLED:
            doubtful.setdefault((look.site, look.of), []).append((look, event))
        elif look.level is look.of:
            _put(direct, look, look.ident, event, now)
        elif look.level in CONTAINERS:
            wide.setdefault((look.site, look.level, look.of), {})[(look.rule, look.ident)] = (look, event)
    for (site, level, of), these in wide.items():
        targets = descendants(connection, site, level, sorted({ident for _, ident in these}), of)
        for look, event in these.values():
            since = None if look.since is None else micros(look.since)
            for one in targets.get(look.ident, ()):
                worth = since is None or one.newest is None or one.newest >= since
                if worth and (look.fits is None or look.fits.match(one.label)):
                    _put(direct, look, one.id, event, now)
    for (site, of), some in doubtful.items():
        labels = _labels(connection, site, of, {look.ident for look, _ in some})
        for look, event in some:
            label = labels.get(look.ident)
            if label is None or look.fits is None or look.fits.match(label):
                _put(direct, look, look.ident, event, now)
    rows = list(direct.values())
    many(connection, _merging(connection.dialect.name), rows)
    return len(rows)


def _labels(connection: Connection, site: str, level: Level, idents: set[str]) -> dict[str, str]:
    """Id → label, of those that the mirror has."""
    found: dict[str, str] = {}
    for some in chunks(sorted(idents)):
        query = select(nodes.c.id, nodes.c.label)
        chosen = query.where(nodes.c.site == site, nodes.c.level == str(level), nodes.c.id.in_(some))
        found |= {row.id: row.label for row in connection.execute(chosen)}
    return found


def _put(
    into: dict[tuple[str, str, Level, str], dict[str, Any]],
    look: Look,
    target: str,
    event: int | None,
    now: datetime,
) -> None:
    key = (look.rule, look.site, look.of, target)
    due, urgent = micros(look.due or now), look.due is None
    known = into.get(key)
    if known is None:
        into[key] = {
            "rule": look.rule,
            "site": look.site,
            "level": str(look.of),
            "target": target,
            "due": due,
            "event": event,
            "stamp": micros(now),
            "urgent": urgent,
        }
        return
    known["due"] = min(known["due"], due)
    if urgent:
        known |= {"event": event, "urgent": True}


@lru_cache
def _merging(database: str) -> Any:
    statement = insert_of(database)(looks)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["rule", "site", "level", "target"],
        set_={
            "due": case((new.due < looks.c.due, new.due), else_=looks.c.due),
            "stamp": case((new.stamp > looks.c.stamp, new.stamp), else_=looks.c.stamp + 1),
            "event": case((new.urgent, new.event), else_=looks.c.event),
            "urgent": or_(looks.c.urgent, new.urgent),
            "handed": None,
        },
    )


def owe_everywhere(
    connection: Connection,
    rule: str,
    site: str,
    of: Level,
    *,
    now: datetime,
    since: datetime | None = None,
    scope: Globs | None = None,
) -> int:
    """Owe a look at every present target of a level, within the database; the number of targets.

    Args:
        connection: of the transaction.
        rule: whose look.
        site: the site.
        of: the targets' level.
        now: the present, UTC.
        since: only targets with something at or below them that came or changed at this time or later; None: all.
        scope: only targets in projects whose `group/label` it matches; None: in all.
    """
    target = nodes.alias()
    chosen = [target.c.site == site, target.c.level == str(of), target.c.presence == str(Presence.PRESENT)]
    if since is not None:
        chosen.append(_newer(target, of, micros(since)))
    if scope is not None:
        column = target.c.id if of is Level.PROJECT else target.c.project
        chosen.append(or_(column.in_(_projects(connection, site, scope)), column.is_(None)))
    stamp = micros(now)
    source = select(
        literal(rule),
        target.c.site,
        target.c.level,
        target.c.id,
        literal(stamp),
        literal(None),
        literal(stamp),
        literal(value=True),
    ).where(*chosen)
    columns = ["rule", "site", "level", "target", "due", "event", "stamp", "urgent"]
    statement = inserting(connection, looks).from_select(columns, source)
    new = statement.excluded
    merged = statement.on_conflict_do_update(
        index_elements=["rule", "site", "level", "target"],
        set_={
            "due": case((new.due < looks.c.due, new.due), else_=looks.c.due),
            "stamp": case((new.stamp > looks.c.stamp, new.stamp), else_=looks.c.stamp + 1),
            "urgent": or_(looks.c.urgent, new.urgent),
            "handed": None,
        },
    )
    return int(connection.execute(merged, execution_options={"preserve_rowcount": True}).rowcount)


def _projects(connection: Connection, site: str, scope: Globs) -> list[str]:
    """Ids of the projects in scope, whatever became of them."""
    query = select(nodes.c.id, nodes.c.label, nodes.c.parents)
    rows = connection.execute(query.where(nodes.c.site == site, nodes.c.level == str(Level.PROJECT)))
    return [row.id for row in rows if scope.match(f"{unpack(row.parents).get('group', '')}/{row.label}")]


def _newer(target: Any, of: Level, since: int) -> Any:
    """Something of the target is of this time or later: its own creation or change, or that of what lies below."""
    own = or_(target.c.created >= since, and_(target.c.level == str(Level.FILE), target.c.settled_from >= since))
    if of not in HIERARCHY or of is Level.FILE:
        return own
    under = nodes.alias()
    lower = exists().where(
        under.c.site == target.c.site,
        under.c[str(of)] == target.c.id,
        under.c.level.in_([str(level) for level in levels_below(of)]),
        or_(under.c.created >= since, and_(under.c.level == str(Level.FILE), under.c.settled_from >= since)),
    )
    return or_(own, lower)


def forget_looks(connection: Connection, rule: str) -> None:
    """Drop what a rule owed (it was removed or paused)."""
    connection.execute(delete(looks).where(looks.c.rule == rule))
