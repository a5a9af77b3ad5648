"""The rows of a data view: containers joined downwards, files matched and read, values extracted."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from flyball.sandbox.dialect import Dialect
from flyball.sandbox.errors import Refusal, invalid
from flyball.sandbox.files import content_of
from flyball.sandbox.filters import Condition, read_filter
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc
from flyball.sandbox.views.columns import HIERARCHY, Column, calculation, read_columns
from flyball.sandbox.views.reading import UnreadableError, read_rows
from flyball.sandbox.views.spec import FileSpec, NameFilter, ViewSpec

ERRORS = "errors"
"""The name of the column that says what could not be read."""


class _Missing:
    """The absence of a value, which is not the same as a null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()
Parts = dict[str, Any]
"""One row before extraction: the document of each level, `analysis`, `file`, `file_data`, and the error."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The table: names of the columns in order, and the rows by name."""

    columns: list[str]
    rows: list[Doc]


def evaluate(site: Site, spec: ViewSpec, level: str, doc: Doc, *, filters: list[str]) -> Rows:
    """Run a view over a container.

    Args:
        site: the site.
        spec: the view.
        level: the container's level.
        doc: the container.
        filters: filter strings over the view's columns; all have to hold.

    Raises:
        Refusal: 400 for a filter on a level that the view does not reach.
    """
    conditions = [_filter_column(spec, c) for text in filters if text for c in read_filter([text], site.speech)]
    parts = list(_joined(site, spec, level, doc))
    columns = list(spec.columns)
    if spec.files is not None:
        parts = _with_files(site, spec.files, parts)
        if spec.files.read:
            parts, found = _read(site, spec.files, parts)
            columns += found
    grouped = [*spec.group_by, *columns] if spec.group_by else columns
    rows: list[Doc] = []
    for part in parts:
        if not all(_holds(part, column, condition) for column, condition in conditions):
            continue
        row = {column.name: extract(part, column) for column in grouped}
        if spec.drop_rows and any(value is MISSING for value in row.values()):
            continue
        if spec.errors:
            row[ERRORS] = part.get(ERRORS)
        if not site.speech.queued_views:
            row = _without_empty_levels(row, grouped, level)
        rows.append({name: None if value is MISSING else value for name, value in row.items()})
    names = list(dict.fromkeys(column.name for column in grouped)) + ([ERRORS] if spec.errors else [])
    return Rows(names, rows)


def _without_empty_levels(row: Doc, columns: list[Column], level: str) -> Doc:
    """The row of a 2019 site: a level that has none of the values is left out, keys and all (live19)."""
    below = HIERARCHY[HIERARCHY.index(level) + 1 :]
    for holder in below:
        names = [column.name for column in columns if column.holder == holder]
        if all(row[name] is MISSING for name in names):
            row = {name: value for name, value in row.items() if name not in names}
    return row


# Containers


def _joined(site: Site, spec: ViewSpec, level: str, doc: Doc) -> Iterator[Parts]:
    """The container with its ancestors, and one row for each chain of containers below it."""
    own = doc.get("parents", {})
    above = {name: site.table(name).rows[own[name]] for name in HIERARCHY if name in own}
    wanted = HIERARCHY[: spec.depth]
    yield from _down(site, {**above, level: doc}, level, wanted)


def _down(site: Site, parts: Parts, level: str, wanted: tuple[str, ...]) -> Iterator[Parts]:
    at = HIERARCHY.index(level)
    if at + 1 >= len(wanted):
        yield {name: parts[name] for name in wanted}
        return
    lower = wanted[at + 1]
    for child in site.table(lower).below((level, parts[level]["_id"])):
        yield from _down(site, {**parts, lower: child}, lower, wanted)


# Files


def _with_files(site: Site, spec: FileSpec, parts: list[Parts]) -> list[Parts]:
    """One row for each file that fits; rows without any come last."""
    if spec.analyses is not None:
        filters = spec.analyses
        parts = _unfolded(parts, "analysis", lambda part: _analyses(site, part[spec.container], filters), spec.match)
        holder = "analysis"
    else:
        holder = spec.container
    return _unfolded(parts, "file", lambda part: _fitting(part.get(holder), spec.names), spec.match)


def _analyses(site: Site, doc: Doc, filters: dict[str, NameFilter]) -> list[Doc]:
    found = site.analyses.below(("parent", doc["_id"]))
    gear = {"gear.name": "name", "gear.version": "version"}

    def fits(analysis: Doc) -> bool:
        info = analysis.get("gear_info") or {}
        values = {key: analysis["label"] if key == "label" else info.get(gear[key], "") for key in filters}
        return all(pattern.fits(values[key]) for key, pattern in filters.items())

    return [analysis for analysis in found if fits(analysis)]


def _fitting(holder: Doc | None, names: NameFilter) -> list[Doc]:
    return [file for file in (holder or {}).get("files") or [] if names.fits(file["name"])]


def _unfolded(parts: list[Parts], name: str, find: Any, match: str) -> list[Parts]:
    matched: list[Parts] = []
    unmatched: list[Parts] = []
    for part in parts:
        found = _chosen(find(part), match)
        matched.extend({**part, name: doc} for doc in found)
        if not found:
            unmatched.append(part)
    return [*matched, *unmatched]


def _chosen(docs: list[Doc], match: str) -> list[Doc]:
    if match in {"newest", "oldest"}:
        docs = sorted(docs, key=lambda doc: doc["created"], reverse=match == "newest")
    elif match == "last":
        docs = docs[::-1]
    return docs if match == "all" else docs[:1]


def _read(site: Site, spec: FileSpec, parts: list[Parts]) -> tuple[list[Parts], list[Column]]:
    """One row for each row of each file; rows whose file is absent or unreadable come last."""
    good: list[Parts] = []
    bad: list[Parts] = []
    columns = _file_columns(spec.columns)
    for part in parts:
        file = part.get("file")
        if file is None:
            bad.append({**part, "file_data": {}, ERRORS: "No file matches"})
            continue
        try:
            names, rows = read_rows(file["name"], content_of(site, file), spec)
        except UnreadableError as error:
            bad.append({**part, "file_data": {}, ERRORS: str(error)})
            continue
        columns = columns or _file_columns([{"src": name} for name in names])
        good.extend({**part, "file_data": row} for row in rows)
    return [*good, *bad], columns


def _file_columns(specs: list[Doc]) -> list[Column]:
    return [Column("file_data", s["src"], s.get("dst") or s["src"], s.get("type"), s.get("expr")) for s in specs]


# Values


def extract(part: Parts, column: Column) -> Any:
    """The value of a column in a row; `MISSING` where there is none."""
    holder = part.get(column.holder, MISSING)
    if column.holder == "file_data" and isinstance(holder, dict) and column.field in holder:
        value = holder[column.field]
    else:
        value = _reached(holder, column.field.split("."))
    if column.expression is not None and value is not MISSING:
        value = calculation(column.expression)(value)
    return value if column.kind is None else converted(value, column.kind)


def _reached(node: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(node, dict):
            node = node.get(step, MISSING)
        elif isinstance(node, list):
            node = node[int(step)] if step.isdigit() and int(step) < len(node) else MISSING
        else:
            return MISSING
        if node is None:
            return None
    return node


def converted(value: Any, kind: str) -> Any:
    """A value as a type; `MISSING` where that cannot be."""
    if value is MISSING or kind == "object":
        return value
    try:
        match kind:
            case "int":
                return MISSING if value is None else int(value)
            case "float":
                return MISSING if value is None else float(value)
            case "bool":
                return not (isinstance(value, str) and value.lower() == "false") and bool(value)
    except (TypeError, ValueError, OverflowError):
        return MISSING
    return _as_text(value)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)


# Filters


def _filter_column(spec: ViewSpec, condition: Condition) -> tuple[Column, Condition]:
    """The column that a condition is about.

    Raises:
        Refusal: 400 when the view does not reach that far down.
    """
    field = condition.field.removeprefix("parents.")
    field = f"{field}.id" if field in HIERARCHY else field
    (column, *_) = read_columns([{"src": field}])
    if column.holder in HIERARCHY and HIERARCHY.index(column.holder) >= spec.depth:
        text = f"Cannot filter on key: {field}, container {column.holder} is not part of the retrieval"
        raise invalid(400, text)
    return replace(column, kind=None), condition


def _holds(part: Parts, column: Column, condition: Condition) -> bool:
    """Whether a row fits a condition; its value is taken for the type of the condition's."""
    value = extract(part, column)
    values = value if isinstance(value, list) else [value]
    wanted = condition.value
    if condition.op == "=~":
        return any(wanted.search(str(v)) is not None for v in values if v is not MISSING and v is not None)
    options = wanted if condition.op == "=|" else [wanted]
    if condition.op in {"=", "=|"}:
        return any(_coerced(v, option) == option for v in values for option in options)
    if condition.op == "!=":
        return not any(_coerced(v, wanted) == wanted for v in values)
    return any(_compared(_coerced(v, wanted), wanted, condition.op) for v in values)


def _coerced(value: Any, like: Any) -> Any:
    if value is MISSING:
        return None
    if isinstance(like, float) and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            return value
    if isinstance(like, str):
        return None if value is None else str(value)
    return value


def _compared(value: Any, wanted: Any, op: str) -> bool:
    try:
        match op:
            case "<":
                return bool(value < wanted)
            case "<=":
                return bool(value <= wanted)
            case ">":
                return bool(value > wanted)
    except TypeError:
        return False
    try:
        return bool(value >= wanted)
    except TypeError:
        return False


def sorted_rows(table: Rows, text: str | None, speech: Dialect) -> Rows:
    """The rows in another order, by columns of the table.

    Raises:
        Refusal: 422 on a site that cannot sort views (K19).
    """
    if not text:
        return table
    if not speech.queued_views:
        raise Refusal(422, "Sorting is not supported for data views")
    rows = list(table.rows)
    for each in reversed(text.split(",")):
        name, _, order = each.partition(":")
        there = [row for row in rows if row.get(name) is not None]
        gone = [row for row in rows if row.get(name) is None]
        there.sort(key=lambda row: _key(row[name]), reverse=order.lower() in {"desc", "-1"})
        rows = [*there, *gone]
    return Rows(table.columns, rows)


def _key(value: Any) -> tuple[int, Any]:
    if isinstance(value, int | float):
        return 0, value
    return 1, str(value)
