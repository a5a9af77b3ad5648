"""Structured search: `/dataexplorer/search` with its status, its parser and its suggestions.

The index has one document for each container, analysis and file, with its ancestors; a query has to
hold for one document. Files are found as such; for the other kinds of results the documents are
grouped by the container that is asked for, most matches first (K19).
"""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

from flyball.sandbox import shapes
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.errors import Refusal, invalid
from flyball.sandbox.maps import inside, leaves
from flyball.sandbox.search.filters import read_filters
from flyball.sandbox.search.index import LEVELS, Entry
from flyball.sandbox.search.language import QueryError, parse
from flyball.sandbox.search.matching import PatternError, Test, compile_query, contains
from flyball.sandbox.search.suggest import suggest
from flyball.sandbox.tables import Doc

_RETURNS = ("file", "acquisition", "session", "analysis", "project", "subject", "collection")
_MOST = 10_000
_USUAL = 100
_SHOWN = {
    "group": ("_id", "label"),
    "project": ("_id", "label"),
    "subject": ("_id", "code", "label", "created"),
    "session": ("_id", "label", "created", "timestamp"),
    "acquisition": ("_id", "label", "created", "timestamp"),
    "analysis": ("_id", "label", "created", "user"),
    "file": ("name", "type", "size", "mimetype", "created", "classification", "origin"),
    "collection": ("_id", "label", "curator", "created"),
}
_ABOVE = {
    "project": ("group", "project"),
    "subject": ("group", "project", "subject"),
    "session": ("group", "project", "subject", "session"),
    "acquisition": ("group", "project", "subject", "session", "acquisition"),
    "analysis": ("group", "project", "subject", "session", "acquisition", "analysis"),
    "file": ("group", "project", "subject", "session", "acquisition", "analysis", "file"),
    "collection": ("collection",),
}


def _search(call: Call) -> Reply:
    body = call.json_map()
    returned = body.get("return_type")
    if returned not in _RETURNS:
        raise invalid(400, "Must specify return type")
    size = _size(call, body)
    found = _found(call, body, str(returned))
    sort = body.get("sort")
    hits = [_hit(call, entry, str(returned)) for entry in (found if sort else found[:size])]
    _sort(hits, sort)
    hits = hits[:size]
    if call.flag("csv"):
        return _as_csv(hits)
    if call.flag("simple"):
        return Reply(body=[{"return_type": returned, **hit} for hit in hits])
    rows = [{"_id": _own_id(hit, str(returned)), "_source": hit, "_score": 1.0} for hit in hits]
    answer: Doc = {"results": rows}
    if call.flag("facets"):
        answer["facets"] = {}
    return Reply(body=answer)


def _size(call: Call, body: Doc) -> int:
    """How many hits at most: the query's word counts before the body's (K19)."""
    given = call.query.get("size", [""])[-1] or body.get("size", _USUAL)
    if given == "all":
        return _MOST
    try:
        size = int(given)
    except (TypeError, ValueError):
        raise invalid(400, 'Size must be an int or "all".') from None
    if size > _MOST:
        raise invalid(400, "Request would return more than 10,000 results. Please add additional filters.")
    return max(1, size)


def _found(call: Call, body: Doc, returned: str) -> list[Entry]:
    tests = [*_query_tests(call, body), *read_filters(body.get("filters"))]
    text = str(body.get("search_string") or "")
    if text:
        fits = contains(text)
        tests.append(lambda entry: any(fits(value) for value in entry.text()))
    if not body.get("all_data"):
        tests.append(_readable(call))
    elif call.site.speech.all_data_admin_only and not call.user.admin:
        raise Refusal(403, "Must have site admin privileges to search across all data")
    if returned in {"file", "collection"}:
        entries = call.site.search.entries((returned,))
        return [entry for entry in entries if all(test(entry) for test in tests)]
    groups: dict[str, list[Entry]] = {}
    for entry in _below(call, returned):
        doc = entry.at(returned)
        if doc is not None and all(test(entry) for test in tests):
            groups.setdefault(doc["_id"], []).append(entry)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    # What is shown is taken from the best hit; all of them have the same ancestors.
    return [entries[0] for _, entries in ordered]


def _below(call: Call, returned: str) -> Iterator[Entry]:
    levels = tuple(level for level in LEVELS if level not in {"group", "collection"})
    return call.site.search.entries(levels[levels.index(returned) :])


def _query_tests(call: Call, body: Doc) -> list[Test]:
    query = body.get("structured_query") or ""
    if not query:
        return []
    if not isinstance(query, str):
        raise invalid(400, "structured_query must be a string")
    try:
        return [compile_query(parse(query, or_first=call.site.speech.or_first))]
    except QueryError as error:
        raise invalid(422, str(error)) from error
    except PatternError as error:
        raise invalid(400, "Unable to parse filters - invalid format.") from error


def _readable(call: Call) -> Test:
    """Whether the user has a permission entry of his own; being an admin is none (K19)."""
    plain = call.site.projects.rows
    mine = {own for own, doc in plain.items() if any(p["_id"] == call.user.id for p in doc["permissions"])}

    def test(entry: Entry) -> bool:
        if entry.level == "collection":
            return bool(entry.doc.get("curator") == call.user.id)
        project = entry.doc["_id"] if entry.level == "project" else entry.doc.get("parents", {}).get("project")
        return project in mine

    return test


def _hit(call: Call, entry: Entry, returned: str) -> Doc:
    """A hit with what is shown of it and its ancestors; files have no id there (K19)."""
    hit: Doc = {}
    for level in _ABOVE[returned]:
        doc = entry.at(level)
        if doc is not None:
            hit[level] = {name: doc[name] for name in _SHOWN[level] if name in doc}
    parent = entry.parent()
    if returned == "analysis":
        doc = entry.at("analysis") or {}
        parent = {"_id": doc["parent"]["id"], "type": doc["parent"]["type"]} if doc else None
    if returned in {"file", "analysis"} and parent is not None:
        hit["parent"] = parent
    if returned == "file":
        hit["file"]["info_exists"] = bool(entry.doc["info"])
    project = entry.at("project")
    hit["permissions"] = [] if project is None else shapes.permissions(call.site, "project", project)
    return hit


def _own_id(hit: Doc, returned: str) -> str:
    if returned == "file":
        return f"{hit['parent']['_id']}_{hit['file']['name']}"
    return str(hit[returned]["_id"])


def _sort(hits: list[Doc], sort: Any) -> None:
    """`{"field": "session.created", "order": "asc"}`; what lacks the field comes last."""
    if not isinstance(sort, dict) or not sort.get("field"):
        return
    path = str(sort["field"]).removesuffix(".raw")
    there = [hit for hit in hits if inside(hit, path) is not None]
    gone = [hit for hit in hits if inside(hit, path) is None]
    there.sort(key=lambda hit: str(inside(hit, path)).lower(), reverse=str(sort.get("order", "asc")).lower() == "desc")
    hits[:] = [*there, *gone]


def _as_csv(hits: list[Doc]) -> Reply:
    rows = [dict(leaves({k: v for k, v in hit.items() if k != "permissions"})) for hit in hits]
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    headers = {"Content-Disposition": 'attachment; filename="search.csv"'}
    return Reply(raw=out.getvalue().encode(), content_type="text/csv; charset=utf-8", headers=headers)


def _status(call: Call) -> Reply:
    return Reply(body={"status": "indexing" if call.site.search.is_behind() else "up-to-date"})


def _parse(call: Call) -> Reply:
    try:
        parse(str(call.json_map().get("structured_query", "")), or_first=call.site.speech.or_first)
    except QueryError as error:
        return Reply(body={"valid": False, "errors": error.places})
    return Reply(body={"valid": True, "errors": []})


def _suggest(call: Call) -> Reply:
    return Reply(body=suggest(call.site.search, str(call.json_map().get("structured_query", "")), _readable(call)))


_ROUTES: dict[tuple[str, str], Callable[[Call], Reply]] = {
    ("POST", "/dataexplorer/search"): _search,
    ("GET", "/dataexplorer/search/status"): _status,
    ("POST", "/dataexplorer/search/parse"): _parse,
    ("POST", "/dataexplorer/search/suggest"): _suggest,
}


def routes(addresses: Addresses) -> None:
    """Register the addresses of the search."""
    for (method, pattern), handler in _ROUTES.items():
        addresses.add(method, pattern, handler)
