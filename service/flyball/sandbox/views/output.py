"""A view's table as the formats in which the site hands it out."""

import csv
import io
from datetime import datetime
from typing import Any

import orjson

from flyball.sandbox.errors import invalid
from flyball.sandbox.maps import inside, leaves
from flyball.sandbox.views.rows import Rows

_JSON = "application/json; charset=utf-8"
TYPES = {
    "json": (_JSON, ".json"),
    "json-flat": (_JSON, ".json"),
    "json-row-column": (_JSON, ".json"),
    "ndjson": ("application/x-ndjson; charset=utf-8", ".ndjson"),
    "csv": ("text/csv; charset=utf-8", ".csv"),
    "tsv": ("text/tab-separated-values; charset=utf-8", ".tsv"),
}


def rendered(table: Rows, form: str, *, bare_header: bool = True) -> bytes:
    """The bytes of a table.

    Args:
        table: the table.
        form: json, json-flat, json-row-column, ndjson, csv or tsv.
        bare_header: write the header of CSV also when there are no rows.

    Raises:
        Refusal: 400 for another format.
    """
    match form:
        case "json":
            return orjson.dumps({"data": table.rows})
        case "json-flat":
            return orjson.dumps(table.rows)
        case "json-row-column":
            rows = [[row.get(name) for name in table.columns] for row in table.rows]
            columns = table.columns if table.rows or bare_header else []
            return orjson.dumps({"data": {"columns": columns, "rows": rows}})
        case "ndjson":
            return b"".join(orjson.dumps(row) + b"\n" for row in table.rows)
        case "csv" | "tsv":
            return _separated(table, "excel" if form == "csv" else "excel-tab", bare_header=bare_header)
    raise invalid(400, f"Unknown formatter type: {form}")


def _separated(table: Rows, dialect: str, *, bare_header: bool) -> bytes:
    """Lines that end in CRLF; maps are laid out in columns of their own, by those of the first row."""
    if not table.rows and not bare_header:
        return b""
    first = table.rows[0] if table.rows else {}
    names: list[tuple[str, str]] = []
    for name in table.columns:
        value = first.get(name)
        inner = [path for path, _ in leaves(value)] if isinstance(value, dict) and value else []
        names.extend((name, path) for path in inner or [""])
    out = io.StringIO(newline="")
    writer = csv.writer(out, dialect=dialect)
    writer.writerow([f"{name}.{path}" if path else name for name, path in names])
    for row in table.rows:
        writer.writerow([_cell(inside(row.get(name), path)) for name, path in names])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value
