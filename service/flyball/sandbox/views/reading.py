"""Rows inside of files: CSV, TSV and JSON, also compressed or as members of a zip archive."""

import csv
import gzip
import io
import json
import zipfile
import zlib
from typing import Any

from flyball.sandbox.tables import Doc
from flyball.sandbox.views.spec import FileSpec, NameFilter

_LARGEST_JSON = 10 * 1024 * 1024
_LARGEST_MEMBER = 64 * 1024 * 1024


class UnreadableError(Exception):
    """A file out of which no rows can be read; the message says why."""


def read_rows(name: str, content: bytes, spec: FileSpec) -> tuple[list[str], list[Doc]]:
    """The columns and the rows of a file.

    Args:
        name: the file's name; its ending tells the format unless the specification does.
        content: its bytes.
        spec: the member of an archive that is meant, the format and its options.

    Raises:
        UnreadableError: not of that format, too large, or without such a member.
    """
    columns: list[str] = []
    rows: list[Doc] = []
    try:
        for inner, data in _opened(name, content, spec.member):
            found, more = _rows(inner, data, spec)
            columns = columns or found
            rows.extend({**row, "_index": number} for number, row in enumerate(more))
    except (ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile, csv.Error, TypeError) as error:
        raise UnreadableError(f"Could not read {name}: {error}") from error
    return columns, rows


def _opened(name: str, content: bytes, member: NameFilter | None) -> list[tuple[str, bytes]]:
    if member is not None:
        return _members(name, content, member)
    if name.endswith(".gz"):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            return [(name.removesuffix(".gz"), _bounded(name, packed.read(_LARGEST_MEMBER + 1)))]
    return [(name, content)]


def _bounded(name: str, data: bytes) -> bytes:
    if len(data) > _LARGEST_MEMBER:
        raise UnreadableError(f"Could not read {name}: it unpacks to more than {_LARGEST_MEMBER} bytes")
    return data


def _members(name: str, content: bytes, wanted: NameFilter) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = [info for info in archive.infolist() if wanted.fits(info.filename)]
        if wanted.match in {"newest", "oldest"}:
            found.sort(key=lambda info: info.date_time, reverse=wanted.match == "newest")
        elif wanted.match == "last":
            found.reverse()
        if not found:
            raise UnreadableError(f"Could not find matching zip entry in zip file: {name}")
        chosen = found if wanted.match == "all" else found[:1]
        data: list[tuple[str, bytes]] = []
        for info in chosen:
            with archive.open(info) as member:
                data.append((info.filename, _bounded(name, member.read(_LARGEST_MEMBER + 1))))
        return data


def _rows(name: str, data: bytes, spec: FileSpec) -> tuple[list[str], list[Doc]]:
    kind = spec.format or next((k for k in ("csv", "tsv", "json") if name.lower().endswith(f".{k}")), None)
    if kind is None:
        raise UnreadableError(f"Could not auto-detect file type of {name}")
    if kind == "json":
        return _json_rows(name, data)
    options: dict[str, Any] = {"dialect": "excel-tab"} if kind == "tsv" else {}
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), **{**options, **spec.options})
    rows = [{k: v for k, v in row.items() if k is not None} for row in reader]
    return list(reader.fieldnames or []), rows


def _json_rows(name: str, data: bytes) -> tuple[list[str], list[Doc]]:
    if len(data) > _LARGEST_JSON:
        raise UnreadableError(f"{name} exceeds max length of {_LARGEST_JSON}")
    loaded = json.loads(data)
    rows = loaded if isinstance(loaded, list) else [loaded]
    if not all(isinstance(row, dict) for row in rows):
        raise UnreadableError(f"{name} does not contain a JSON list or object!")
    return list(rows[0]) if rows else [], rows
