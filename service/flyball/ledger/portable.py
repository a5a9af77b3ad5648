"""A ledger as a stream of JSON lines, and back: how a lab moves from one database to another, and is backed up.

    {"flyball": "ledger", "format": 1, "schema": "0006", "tables": {"nodes": ["site", …], …}, "sequences": {…}}
    ["nodes", "main", "session", …]          one array a row, the values in the order of the header
    {"end": true, "rows": {"nodes": 1, …}, "sha256": "…"}

Everything that is remembered is in it: once-keys, claims, marks, first sights of rules, generations, what waits. Left
out is who works on the ledger just now. Packed JSON is written as base64, so that it comes back byte for byte. The
check sum is over all bytes before the last line; a stream that is cut off has no last line.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, LargeBinary, Table, func, insert, select

from flyball.ledger.tables import budgets, metadata, replicas
from flyball.model.errors import FlyballError

FORMAT: Final = 1
NAME: Final = "ledger"
_ROWS: Final = 1000
_OF_THE_MOMENT: Final = (replicas, budgets)
TABLES: Final = tuple(table for table in metadata.sorted_tables if table not in _OF_THE_MOMENT)


class NotPortable(FlyballError):  # noqa: N818 - named by what the caller is told
    """The stream, or the ledger that it is to go into, cannot be used; the text says why. Nothing was written."""


def numbered() -> tuple[Table, ...]:
    """The tables whose rows get a number each from the database."""
    return tuple(table for table in TABLES if table.primary_key.columns.keys() == ["id"] and _counts(table))


def _counts(table: Table) -> bool:
    return table.c.id.autoincrement is True


def export(connection: Connection, schema: str, sequences: Mapping[str, int]) -> Iterator[bytes]:
    """The lines of a ledger, each with its line feed.

    Args:
        connection: of a transaction that sees one moment.
        schema: revision of the tables.
        sequences: table → the last number given to one of its rows.
    """
    digest = hashlib.sha256()
    columns = {str(table.name): [str(column.name) for column in table.columns] for table in TABLES}
    header = {"flyball": NAME, "format": FORMAT, "schema": schema, "tables": columns, "sequences": dict(sequences)}
    counted: dict[str, int] = {}
    for line in _with_rows(connection, header, counted):
        digest.update(line)
        yield line
    yield _line({"end": True, "rows": counted, "sha256": digest.hexdigest()})


def _with_rows(connection: Connection, header: Mapping[str, Any], counted: dict[str, int]) -> Iterator[bytes]:
    yield _line(header)
    for table in TABLES:
        packed = _packed(table)
        name = str(table.name)
        counted[name] = 0
        query = select(table).order_by(*table.primary_key.columns)
        for row in connection.execution_options(yield_per=_ROWS).execute(query):
            values = list(row)
            for place in packed:
                if values[place] is not None:
                    values[place] = base64.b64encode(values[place]).decode()
            counted[name] += 1
            yield _line([name, *values])


def _line(value: Any) -> bytes:
    return orjson.dumps(value) + b"\n"


def _packed(table: Table) -> list[int]:
    """The places of columns that hold bytes."""
    return [place for place, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]


def is_empty(connection: Connection) -> bool:
    """Whether nothing is in the ledger yet."""
    return not any(connection.execute(select(table.primary_key.columns[0]).limit(1)).first() for table in TABLES)


def workers(connection: Connection, since: int) -> int:
    """How many replicas gave a sign of life since a time (UTC microseconds)."""
    return connection.scalar(select(func.count()).select_from(replicas).where(replicas.c.seen > since)) or 0


def take_in(connection: Connection, lines: Iterable[bytes], schema: str) -> tuple[dict[str, int], dict[str, int]]:
    """Fill an empty ledger; (table → rows, table → last number given).

    Raises:
        NotPortable: the ledger is not empty, or the stream is not whole; the transaction must be given up.
    """
    if not is_empty(connection):
        raise NotPortable("the ledger is not empty; an import goes into a new one only")
    reading = _Reading(connection, schema)
    for line in lines:
        reading.take(line)
    return reading.ended()


class _Reading:
    """A stream on its way in."""

    def __init__(self, connection: Connection, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._digest = hashlib.sha256()
        self._number = 0
        self._columns: dict[str, list[str]] = {}
        self._sequences: dict[str, int] = {}
        self._tables = {str(table.name): table for table in TABLES}
        self._packed = {str(table.name): {table.columns.keys()[place] for place in _packed(table)} for table in TABLES}
        self._rows = dict.fromkeys(self._tables, 0)
        self._batch: list[dict[str, Any]] = []
        self._of = ""
        self._whole = False

    def take(self, line: bytes) -> None:
        """One line."""
        self._number += 1
        if not line.strip():
            return
        try:
            value = orjson.loads(line)
            if self._whole:
                raise NotPortable(f"line {self._number}: something follows the end")
            if isinstance(value, dict) and value.get("end") is True:
                self._end(value)
                return
            self._digest.update(line)
            if not self._columns:
                self._begin(value)
            else:
                self._row(value)
        except (orjson.JSONDecodeError, LookupError, TypeError, ValueError) as error:
            raise NotPortable(f"line {self._number} of the stream cannot be read: {error}") from error

    def ended(self) -> tuple[dict[str, int], dict[str, int]]:
        """After the last line: what was taken."""
        if not self._whole:
            raise NotPortable("the stream is cut off: its last line is missing")
        return self._rows, self._sequences

    def _begin(self, header: Any) -> None:
        if not isinstance(header, dict) or header.get("flyball") != NAME:
            raise NotPortable("this is no export of a ledger")
        if header["format"] != FORMAT:
            raise NotPortable(f"the export has format {header['format']}, and this version reads {FORMAT}")
        if header["schema"] != self._schema:
            raise NotPortable(
                f"the export has schema {header['schema']}, and this version {self._schema}: "
                "export it with this version, which brings the ledger up first"
            )
        for name, columns in header["tables"].items():
            table = self._tables.get(name)
            if table is None or list(columns) != list(table.columns.keys()):
                raise NotPortable(f"table {name} of the export is not the one of this version")
        self._columns = {name: list(columns) for name, columns in header["tables"].items()}
        self._sequences = {name: int(last) for name, last in header["sequences"].items()}

    def _row(self, value: Any) -> None:
        name, *values = value
        columns = self._columns[name]
        row = dict(zip(columns, values, strict=True))
        for column in self._packed[name]:
            if row[column] is not None:
                row[column] = base64.b64decode(row[column], validate=True)
        if name != self._of or len(self._batch) >= _ROWS:
            self._flush()
            self._of = name
        self._batch.append(row)
        self._rows[name] += 1

    def _flush(self) -> None:
        if self._batch:
            self._connection.execute(insert(self._tables[self._of]), self._batch)
            self._batch = []

    def _end(self, footer: Mapping[str, Any]) -> None:
        self._flush()
        if footer["sha256"] != self._digest.hexdigest():
            raise NotPortable("the stream was changed on its way: its check sum does not fit")
        if footer["rows"] != self._rows:
            raise NotPortable("the stream is not whole: rows are missing")
        self._whole = True
