"""Which rules an id means: a rule, or all the rules that a rule of a file became by its matrix.

The rules of cells have ids that begin with the id in the file and an `@`. People name either.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, or_, select

from flyball.ledger.tables import rules
from flyball.rules.matrix import APART


def of_family(column: Any, rule: str) -> Any:
    """The condition that a column names the rule, or a cell of it."""
    return or_(column == rule, column.startswith(f"{rule}{APART}", autoescape=True))


def members(connection: Connection, rule: str) -> list[str]:
    """The rules that an id means: that rule, or all cells of it that the ledger knows; none: it knows no such rule."""
    query = select(rules.c.id).where(of_family(rules.c.id, rule)).order_by(rules.c.id)
    return [row.id for row in connection.execute(query)]
