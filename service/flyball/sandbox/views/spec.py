"""The specification of a data view, checked."""

import fnmatch
import re
from dataclasses import dataclass
from typing import Any

from flyball.sandbox.dialect import Dialect
from flyball.sandbox.errors import invalid, schema, unexpected
from flyball.sandbox.tables import Doc
from flyball.sandbox.views.columns import HIERARCHY, Column, read_columns

MATCHES = ("first", "last", "newest", "oldest", "all")
ACCUMULATORS = ("count", "sum", "mean", "standard_deviation", "minimum", "maximum")
_FORMATS = ("csv", "tsv", "json")
_KEYS = {"parent", "label", "description", "public", "columns", "fileSpec", "includeIds", "includeLabels"}
_KEYS |= {"missingDataStrategy", "_id", "origin"}
_NEWER_KEYS = {"filter", "groupBy", "errorColumn", "sort"}
_FILE_KEYS = {"container", "filter", "analysisFilter", "zipMember", "match", "format", "formatOptions", "columns"}
_FILE_KEYS |= {"processFiles"}
_COLUMN_KEYS = {"src", "dst", "type", "expr", "accumulator"}


@dataclass(frozen=True, slots=True)
class NameFilter:
    """A pattern for names, in any letter case."""

    pattern: re.Pattern[str]
    match: str = "first"

    def fits(self, name: Any) -> bool:
        """Whether a name fits."""
        return isinstance(name, str) and self.pattern.match(name) is not None


@dataclass(frozen=True, slots=True)
class FileSpec:
    """Which files of a level belong to a view, and whether they are read."""

    container: str
    names: NameFilter
    match: str
    analyses: dict[str, NameFilter] | None
    """Look at the files of these analyses instead: patterns by `label`, `gear.name`, `gear.version`."""
    member: NameFilter | None
    read: bool
    format: str | None
    options: Doc
    columns: list[Doc]


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """A data view as it is run."""

    columns: list[Column]
    depth: int
    """How many levels of the hierarchy, from the project, make a row."""
    files: FileSpec | None
    drop_rows: bool
    errors: bool
    group_by: list[Column]
    filter: str | None


def read_spec(body: Any, speech: Dialect) -> ViewSpec:
    """Check a specification.

    Raises:
        Refusal: 400.
    """
    _check_keys(body, _KEYS | (_NEWER_KEYS if speech.queued_views else set()), "none")
    specs = _column_specs(body.get("columns") or [])
    columns = read_columns(specs)
    files = _read_files(body["fileSpec"]) if body.get("fileSpec") else None
    deepest = max((HIERARCHY.index(c.holder) for c in columns if c.holder in HIERARCHY), default=-1)
    if files is not None:
        level = HIERARCHY.index(files.container)
        if level < deepest:
            raise invalid(400, "File match must be the lowest container on the hierarchy")
        deepest = max(deepest, level)
    if deepest < 0:
        raise invalid(400, "A view needs at least one column of a project, subject, session or acquisition")
    if files is None and any(c.holder in {"file", "file_data", "analysis"} for c in columns):
        raise invalid(400, "Columns of files and analyses need a fileSpec")
    group_by = _group_columns(body.get("groupBy"))
    for column in columns:
        if column.accumulator is not None and column.accumulator not in ACCUMULATORS:
            raise schema("accumulator", f"{column.accumulator!r} is not one of {list(ACCUMULATORS)!r}")
    strategy = body.get("missingDataStrategy") or "none"
    if strategy not in {"none", "drop-row"}:
        raise schema("missingDataStrategy", f"{strategy!r} is not one of ['none', 'drop-row']")
    if not isinstance(body.get("filter") or "", str):
        raise schema("filter", f"{body['filter']!r} is not of type 'string'")
    if not group_by:
        columns = _with_defaults(columns, HIERARCHY[: deepest + 1], body)
    return ViewSpec(
        columns=columns,
        depth=deepest + 1,
        files=files,
        drop_rows=strategy == "drop-row",
        errors=bool(body.get("errorColumn")) and not group_by,
        group_by=group_by,
        filter=body.get("filter") or None,
    )


def _check_keys(body: Any, known: set[str], key: str) -> None:
    if not isinstance(body, dict):
        raise schema(key, f"{body!r} is not of type 'object'")
    unknown = sorted(set(body) - known)
    if unknown:
        raise unexpected(unknown[0], key)


def _column_specs(specs: Any) -> list[Doc]:
    if not isinstance(specs, list):
        raise schema("columns", f"{specs!r} is not of type 'array'")
    for spec in specs:
        _check_keys(spec, _COLUMN_KEYS, "columns")
        if not isinstance(spec.get("src"), str):
            raise schema("columns", "'src' is a required property")
    return specs


def _read_files(spec: Any) -> FileSpec:
    _check_keys(spec, _FILE_KEYS, "fileSpec")
    if not spec.get("container") or not spec.get("filter"):
        raise schema("fileSpec", f"'{'filter' if spec.get('container') else 'container'}' is a required property")
    container = str(spec["container"]).removesuffix("s")
    if container not in HIERARCHY:
        raise invalid(400, f"Unexpected file container: {spec['container']}")
    match = spec.get("match") or "first"
    if match not in MATCHES:
        raise schema("fileSpec", f"{match!r} is not one of {list(MATCHES)!r}")
    if spec.get("format") and spec["format"] not in _FORMATS:
        raise schema("fileSpec", f"{spec['format']!r} is not one of {list(_FORMATS)!r}")
    analyses = spec.get("analysisFilter")
    if analyses is not None:
        _check_keys(analyses, {"label", "gear.name", "gear.version"}, "analysisFilter")
    return FileSpec(
        container=container,
        names=_name_filter(spec["filter"]),
        match=match,
        analyses=None if analyses is None else {k: _name_filter(v) for k, v in analyses.items() if v},
        member=_name_filter(spec["zipMember"]) if spec.get("zipMember") else None,
        read=spec.get("processFiles") is not False,
        format=spec.get("format"),
        options=spec.get("formatOptions") or {},
        columns=_column_specs(spec.get("columns") or []),
    )


def _name_filter(spec: Any) -> NameFilter:
    _check_keys(spec, {"value", "regex", "match"}, "filter")
    value = str(spec.get("value") or "")
    try:
        pattern = re.compile(value if spec.get("regex") else fnmatch.translate(value), re.IGNORECASE)
    except re.error:
        raise invalid(400, f"Invalid filter spec: {value}") from None
    return NameFilter(pattern, spec.get("match") or "first")


def _group_columns(spec: Any) -> list[Column]:
    if not spec:
        return []
    _check_keys(spec, {"columns"}, "groupBy")
    listed = spec.get("columns") or []
    return read_columns(_column_specs([{"src": c} if isinstance(c, str) else c for c in listed]))


def _with_defaults(columns: list[Column], levels: tuple[str, ...], body: Doc) -> list[Column]:
    """Labels before and ids behind the columns asked for, unless they are there or not wanted."""
    labels = [Column(c, "code" if c == "subject" else "label", f"{c}.label", "string") for c in levels]
    ids = [Column(c, "_id", f"{c}.id", "string") for c in levels]
    result = list(columns)
    if body.get("includeLabels") is not False:
        for place, column in enumerate(labels):
            if column not in columns:
                result.insert(place, column)
    if body.get("includeIds") is not False:
        result.extend(column for column in ids if column not in columns)
    return result
