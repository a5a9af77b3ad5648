"""Custom predictors: reading uploaded events files into predictors, with the ends seen on the real server.

Two mistakes never end: the upload stays PENDING, with a traceback.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from flyball.sandbox.scout.records import Collection, Event, Predictor
from flyball.sandbox.scout.state import Scout

_TIMES = ("onset", "duration")
_EMPTY = {"", "n/a", "NA", "N/A", "nan", "NaN", "null", "NULL"}
"""What the reader of tables takes for no value (pandas.read_csv)."""


@dataclass(frozen=True, slots=True)
class EventsFile:
    """One uploaded table and the runs that it is for."""

    runs: list[int]
    content: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """What was posted."""

    dataset_id: int
    files: list[EventsFile]
    descriptions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Table:
    columns: list[str]
    rows: list[dict[str, str]]


class _Failed(Exception):  # noqa: N818 -- an end of an upload, not a fault of the program
    """Reading stops here; the text goes to the traceback."""


def start_upload(scout: Scout, collection: Collection, upload: Upload) -> bool:
    """Queue an upload; False if the queue is down (the collection stays, PENDING)."""
    return scout.submit(scout.habits.upload_s, _acts(scout, collection, upload))


def _acts(scout: Scout, collection: Collection, upload: Upload) -> list[Callable[[], None]]:
    """What happens to an upload, in order: one act for each predictor, then the end."""
    try:
        tables = [_read(file.content) for file in upload.files]
    except _Failed as failure:
        return [partial(_end, collection, "FAILED", str(failure))]
    if any(name not in table.columns for table in tables for name in _TIMES):
        return [partial(_end, collection, "PENDING", 'Not all columns have "onset" and "duration"')]
    first = set(tables[0].columns)
    if any(len(first & set(table.columns)) != len(first) for table in tables):
        return [partial(_end, collection, "PENDING", "Event files contain distinct columns")]
    columns = sorted(first - set(_TIMES))

    def make(column: str) -> None:
        if collection.status == "PENDING":
            try:
                _make(scout, collection, upload, tables, column)
            except _Failed as failure:
                _end(collection, "FAILED", f"Error creating predictors. Failed processing {column}.\n{failure}")

    def finish() -> None:
        if collection.status == "PENDING":
            _end(collection, "OK", None)

    return [*(partial(make, column) for column in columns), finish]


def _end(collection: Collection, status: str, traceback: str | None) -> None:
    collection.status, collection.traceback = status, traceback


def _read(content: bytes) -> _Table:
    try:
        lines = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Failed(f"Error reading event files.\n{error}") from error
    if not lines.strip():
        raise _Failed("Error reading event files.\nNo columns to parse from file")
    reader = csv.DictReader(io.StringIO(lines), delimiter="\t", restval="")
    rows = [{k: v or "" for k, v in row.items() if k is not None} for row in reader]
    return _Table(list(reader.fieldnames or []), rows)


def _make(scout: Scout, collection: Collection, upload: Upload, tables: list[_Table], column: str) -> None:
    """One column becomes one private predictor."""
    own = scout.new_predictor_id()
    if upload.dataset_id not in scout.datasets:
        raise _Failed(_foreign("predictor", "dataset_id", upload.dataset_id))
    made = Predictor(own, column, upload.dataset_id, f"Collection: {collection.name}", private=True)
    made.owner, made.description = collection.owner, upload.descriptions.get(column)
    scout.predictors[own] = made
    collection.predictors.append(own)
    for file, table in zip(upload.files, tables, strict=True):
        for run_id in file.runs:
            if run_id not in scout.runs:
                raise _Failed(_foreign("predictor_run", "run_id", run_id))
            made.runs.add(run_id)
            made.events[run_id] = _events(table, column)


def _events(table: _Table, column: str) -> list[Event]:
    """The rows that have a value; the others are dropped without a word."""
    events: list[Event] = []
    for row in table.rows:
        onset, duration, value = (row.get(name, "").strip() for name in (*_TIMES, column))
        if {onset, duration, value} & _EMPTY:
            continue
        events.append(Event(_seconds(onset), _seconds(duration), value))
    return events


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise _Failed(
            f'(psycopg2.errors.InvalidTextRepresentation) invalid input syntax for type double precision: "{text}"'
        ) from error


def _foreign(table: str, column: str, value: int) -> str:
    """What the database says to a key that is not there."""
    other = column.removesuffix("_id")
    return (
        f'(psycopg2.errors.ForeignKeyViolation) insert or update on table "{table}" violates foreign key constraint '
        f'"{table}_{column}_fkey"\nDETAIL:  Key ({column})=({value}) is not present in table "{other}".'
    )
