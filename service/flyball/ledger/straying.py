"""What an edit left behind: rules that are in no matrix any more, and claims where a rule looks no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, and_, select

from flyball.ledger.looking import Look, owe_all
from flyball.ledger.tables import claims, decisions, rules, rulings
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.rules.matrix import family_of
from flyball.rules.rule import Rule


def not_listed(connection: Connection, listed: Collection[str]) -> list[str]:
    """Rules of families that are listed, that are themselves not listed any more and still claim something."""
    families = {family_of(rule) for rule in listed}
    known = [row.id for row in connection.execute(select(rules.c.id))]
    gone = [rule for rule in known if rule not in listed and family_of(rule) in families]
    if not gone:
        return []
    claiming = {row.rule for row in connection.execute(select(claims.c.rule).where(claims.c.rule.in_(gone)).distinct())}
    return sorted(claiming)


def owe_strays(connection: Connection, edited: Iterable[Rule], *, now: datetime) -> int:
    """Owe a look at all that rules claimed where they look no more: another level, another site, another cell.

    Args:
        connection: of the transaction.
        edited: the rules that are new, changed, or taken out of a matrix.
        now: the present, UTC.
    """
    rules_ = {rule.id: rule for rule in edited}
    if not rules_:
        return 0
    strays = [(rule, key) for rule in rules_.values() for key in claimed(connection, rule) if is_stray(rule, key)]
    looks = [(Look(rule.id, key.site, key.level, key.id, key.level), None) for rule, key in strays]
    return owe_all(connection, looks, now=now)


def is_stray(rule: Rule, key: NodeKey) -> bool:
    """Whether a rule looks no more where it once claimed something."""
    return rule.retired or (key.site, key.level) != (rule.site, rule.each)


def claimed(connection: Connection, rule: Rule) -> list[NodeKey]:
    """The targets for which a rule wants something to be so; of a rule on cells also those that it has decided on."""
    query = select(claims.c.site, claims.c.level, claims.c.target).where(claims.c.rule == rule.id).distinct()
    found = [NodeKey(row.site, Level(row.level), row.target) for row in connection.execute(query)]
    if rule.each is Level.MATRIX:
        found += [NodeKey(rule.site, rule.each, ident) for ident in cells_on_record(connection, rule.id, rule.site)]
    return list(dict.fromkeys(found))


def owe_known(connection: Connection, rule: Rule, *, now: datetime) -> int:
    """Owe a look at all that a rule claims, and at what a person made its business, however old it is."""
    keys = set(claimed(connection, rule))
    adopted = select(rulings.c.target).where(
        rulings.c.rule == rule.id, rulings.c.site == rule.site, rulings.c.adopted.is_(True)
    )
    keys |= {NodeKey(rule.site, rule.each, row.target) for row in connection.execute(adopted)}
    looks = [(Look(rule.id, key.site, key.level, key.id, key.level), None) for key in sorted(keys)]
    return owe_all(connection, looks, now=now)


def cells_on_record(connection: Connection, rule: str, site: str) -> set[str]:
    """The cells of a rule on each cell of its matrix that something is claimed or was decided for."""
    found: set[str] = set()
    for table, more in ((claims, None), (decisions, decisions.c.current.is_(True))):
        where = and_(table.c.rule == rule, table.c.site == site, table.c.level == str(Level.MATRIX))
        query = select(table.c.target).where(where if more is None else and_(where, more))
        found |= {row.target for row in connection.execute(query)}
    return found
