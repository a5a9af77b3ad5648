"""Keyset pages over the ledger, newest first: the cursor names the last row that was shown.

A page costs the same wherever it stands, and rows that come in meanwhile neither shift nor double what follows. The
cursor is opaque outside; inside it holds the list's name and a row number, so that one of another list is refused.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, select

from flyball.model.errors import FlyballError

LIMIT: Final = 100
MOST: Final = 1000
_DIGITS: Final = 18  # of a number that surely fits into 64 bits


class BadQuery(FlyballError):  # noqa: N818 - named for what it reports: the question, not the ledger, is wrong
    """A filter, a limit or a cursor that makes no sense. The text says what would.

    Args:
        code: short name for machines: `unknown_rule`, `unknown_state`, `bad_limit`, …
        message: one line for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, as JSON, and the cursor of what follows; None at the end."""

    results: list[dict[str, Any]]
    next: str | None

    def as_json(self) -> dict[str, Any]:
        """`{"results", "next"}`."""
        return {"results": self.results, "next": self.next}


def page(
    connection: Connection,
    table: Table,
    where: Sequence[ColumnElement[bool]],
    shape: Callable[[Any], dict[str, Any]],
    *,
    limit: int,
    after: str | None,
) -> Page:
    """One page of a table's rows, by falling `id`.

    The ids are found first, mostly from an index alone, and only then are the rows read: sorting whole rows of a large
    ledger would cost seconds.
    """
    check_limit(limit)
    chosen = select(table.c.id).where(*where)
    if after is not None:
        chosen = chosen.where(table.c.id < row_after(table.name, after))
    ids = connection.scalars(chosen.order_by(table.c.id.desc()).limit(limit + 1)).all()
    shown = ids[:limit]
    rows = connection.execute(select(table).where(table.c.id.in_(shown)).order_by(table.c.id.desc())) if shown else ()
    more = len(ids) > limit
    return Page([shape(row) for row in rows], cursor(table.name, shown[-1]) if more else None)


def cursor(name: str, row: int | str) -> str:
    """The cursor of what follows `row` in the list `name`."""
    return urlsafe_b64encode(f"{name}:{row}".encode()).decode().rstrip("=")


def read_cursor(name: str, text: str) -> str:
    """The row behind which a cursor of the list `name` stands.

    Raises:
        BadQuery: it is none, or one of another list.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        whose, _, row = urlsafe_b64decode(padded).decode().partition(":")
    except (binascii.Error, UnicodeError):
        whose, row = "", ""
    if whose != name or not row:
        raise BadQuery("bad_cursor", f"`after` is no cursor of this list; take the `next` of a page of {name}")
    return row


def row_after(name: str, text: str) -> int:
    """Likewise, for lists whose rows are numbered."""
    row = read_cursor(name, text)
    if not (row.isascii() and row.isdigit() and len(row) <= _DIGITS):
        raise BadQuery("bad_cursor", f"`after` is no cursor of this list; take the `next` of a page of {name}")
    return int(row)


def check_limit(limit: int) -> None:
    """Refuse a page size that is none."""
    if not 1 <= limit <= MOST:
        raise BadQuery("bad_limit", f"`limit` is a number from 1 to {MOST}, not {limit}")


def one_of(name: str, text: str, known: Collection[str]) -> tuple[str, ...]:
    """The values of a filter, which may be several with commas between; each must be known."""
    values = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for value in values:
        if value not in known:
            choices = ", ".join(sorted(known))
            raise BadQuery(f"unknown_{name}", f"there is no {name} {value!r}; there are {choices}")
    return values
