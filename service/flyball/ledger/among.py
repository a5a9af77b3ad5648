"""A condition that a column is among many values, as one bound value: the statement stays the same for any number.

`column IN (?, ?, …)` is another text for each number of values. SQLAlchemy writes it anew each time, and the database
parses it anew: for the ledger's small questions that costs more than the answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, BindParameter, Boolean, ColumnElement, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from flyball.ledger.codec import pack

_POSTGRESQL = "postgresql"


class _Values(TypeDecorator[Sequence[Any]]):
    """Texts or whole numbers: a JSON array for SQLite, an array for PostgreSQL."""

    impl = Text
    cache_ok = True

    def __init__(self, whole: bool) -> None:  # noqa: FBT001 - SQLAlchemy copies types by their arguments
        super().__init__()
        self.whole = whole

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name != _POSTGRESQL:
            return dialect.type_descriptor(Text())
        from sqlalchemy.dialects.postgresql import ARRAY  # noqa: PLC0415 - 2 MB that an embedded ledger does not need

        return dialect.type_descriptor(ARRAY(BigInteger if self.whole else Text))

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        values = list(value or ())
        return values if dialect.name == _POSTGRESQL else pack(values).decode()


class Among(ColumnElement[bool]):
    """`column` is one of the values bound to `name`."""

    inherit_cache = True
    type = Boolean()
    _traverse_internals = [  # noqa: RUF012 - SQLAlchemy's way to say what is to be compared
        ("column", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: Any, name: str) -> None:
        self.column = column
        self.values: BindParameter[Any] = BindParameter(name, type_=_Values(isinstance(column.type, Integer)))

    def self_group(self, against: Any = None) -> Among:  # noqa: ARG002 - the base class' signature
        """Itself: the base class would say `… = 1`, and no index answers that."""
        return self


@compiles(Among)
def _on_sqlite(element: Among, compiler: SQLCompiler, **how: Any) -> str:
    column, values = _processed(element, compiler, how)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - made of compiled parts


@compiles(Among, _POSTGRESQL)
def _on_postgresql(element: Among, compiler: SQLCompiler, **how: Any) -> str:
    column, values = _processed(element, compiler, how)
    return f"{column} = ANY ({values})"


def _processed(element: Among, compiler: SQLCompiler, how: Mapping[str, Any]) -> tuple[str, str]:
    return compiler.process(element.column, **how), compiler.process(element.values, **how)
