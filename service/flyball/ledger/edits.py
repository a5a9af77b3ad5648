"""What an edited rule would change: its targets, also those that it once claimed, and its effects by what they do.

The running rule did what its claims say. So what a plan asks for, beyond these claims, is what the edit brings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from sqlalchemy import Connection, func, select

from flyball.ledger.limiting import LAUNCH
from flyball.ledger.mirror import labelled
from flyball.ledger.straying import claimed
from flyball.ledger.tables import claims
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.rules.cells import cell_keys
from flyball.rules.claims import REMOVE, TAG, Book
from flyball.rules.rule import Rule

Json = dict[str, Any]
SORTS: Final = ("newly_tagged", "untagged", "newly_launched", "other")


def targets_of(connection: Connection, rule: Rule, only: Collection[NodeKey] | None) -> list[NodeKey]:
    """The rule's targets, and what it claimed once; those that its own level's globs leave out are not even counted.

    Args:
        connection: of the transaction.
        rule: the rule.
        only: of these only; None: all.
    """
    globs = None if rule.each is Level.PROJECT else rule.scope.levels.get(str(rule.each))
    if rule.retired:
        found: Iterable[NodeKey] = ()
    elif rule.each is Level.MATRIX:
        found = cell_keys(rule)
    else:
        rows = labelled(connection, rule.site, rule.each)
        found = [key for key, label in rows if globs is None or globs.match(label)]
    every = dict.fromkeys((*found, *sorted(claimed(connection, rule))))
    return [key for key in every if only is None or key in only]


def changes_of(connection: Connection, rule: Rule, effects: Iterable[Json], book: Book) -> Json:
    """What the plan of an edited rule brings.

    `{"rule", "newly_tagged", "untagged", "newly_launched", "other", "kept"}`: the sorts are lists of `{"summary",
    "target"}`, `kept` is the number of the rule's claims that stay as they are.
    """
    found: dict[str, list[Json]] = {name: [] for name in SORTS}
    for one in effects:
        if one["rule"] == rule.id:
            found[_sort_of(one)].append({"summary": one["summary"], "target": one["target"]})
    mine = select(func.count()).select_from(claims).where(claims.c.rule == rule.id)
    before = int(connection.execute(mine).scalar_one())
    gone = sum(owner[0] == rule.id and claim is None for (owner, _), claim in book.changed_claims.items())
    return {"rule": rule.id, **found, "kept": before - gone}


def _sort_of(effect: Json) -> str:
    if effect["kind"] == TAG:
        return "untagged" if effect["params"].get("operation") == REMOVE else "newly_tagged"
    return "newly_launched" if effect["kind"] == LAUNCH else "other"
