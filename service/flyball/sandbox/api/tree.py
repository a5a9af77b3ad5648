"""`/tree`: chosen fields of containers together with those above, below and beside them, in one request.

At most 50 rows at the top, whatever `limit` says; filter, sort and limit of the top are in the
query, those of connected containers in the specification (live19).
"""

from collections.abc import Callable, Iterable
from typing import Any

from flyball.sandbox import shapes
from flyball.sandbox.access import visible
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.errors import invalid, schema, unexpected
from flyball.sandbox.query import Query, read_listing, run
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Anchor, Doc, Table

_MOST = 50
_SPEC_KEYS = {"fields", "filter", "sort", "limit", "join-origin"}
_LEVELS = ("group", "project", "subject", "session", "acquisition", "analysis")
_PLURAL = {"group": "groups", "project": "projects", "subject": "subjects", "session": "sessions"}
_PLURAL |= {"acquisition": "acquisitions", "analysis": "analyses", "job": "jobs"}
_SINGULAR = {plural: level for level, plural in _PLURAL.items()}


def _graph() -> dict[str, Doc]:
    """Which connections each kind of container has, as `/tree/graph` lists them."""
    graph: dict[str, Doc] = {}
    for level, plural in _PLURAL.items():
        above = _LEVELS[: _LEVELS.index(level)] if level in _LEVELS else _LEVELS
        connections: Doc = {
            name: {"local": f"parents.{name}", "foreign": "_id", "collection": _PLURAL[name], "order": "1"}
            for name in above
        }
        if level in _LEVELS:
            below = _LEVELS[_LEVELS.index(level) + 1 : -1] if level != "analysis" else ()
            connections |= {_PLURAL[name]: {"foreign": f"parents.{level}"} for name in below}
            if level not in {"group", "analysis"}:
                connections["analyses"] = {"foreign": "parent.id"}
            connections["jobs"] = {"foreign": f"parents.{level}"}
        graph[plural] = {"connections": connections}
    return graph


GRAPH = _graph()


def _get_graph(_call: Call) -> Reply:
    return Reply(body=GRAPH)


def _tree(call: Call) -> Reply:
    body = call.json_map()
    if len(body) != 1:
        raise invalid(400, "Expected exactly 1 top-level collection")
    plural, spec = next(iter(body.items()))
    if plural not in GRAPH:
        raise unexpected(plural)
    _check(plural, spec)
    level = _SINGULAR[plural]
    limit = min(int(call.query["limit"][-1]), _MOST) if call.query.get("limit", [""])[-1].isdigit() else _MOST
    query: Query = {**call.query, "limit": [str(limit or _MOST)]}
    listing = read_listing(query, call.site.speech)
    paged = call.feature("pagination")
    allowed = visible(call.site, call.user, level)
    rows = run(call.site.table(plural), listing, call.site.speech, allowed=allowed, counted=paged)
    shown = [_node(call, level, doc, spec) for doc in rows.docs]
    if paged:
        return Reply(body={"count": len(shown), "total": rows.total, "results": shown})
    return Reply(body=shown)


def _check(plural: str, spec: Any) -> None:
    """The specification of a node and of those connected to it.

    Raises:
        Refusal: 400 for a connection that does not exist, or for `info`.
    """
    if not isinstance(spec, dict):
        raise schema(plural, f"{spec!r} is not of type 'object'")
    fields = spec.get("fields") or []
    if not isinstance(fields, list) or any(not isinstance(f, str) or f.split(".")[0] == "info" for f in fields):
        raise schema("fields", "fields are names, and info is not among them")
    for name, inner in spec.items():
        if name in _SPEC_KEYS:
            continue
        if name in {"files", "inputs"}:
            if isinstance(inner, dict) and inner.get("filter"):
                raise invalid(400, "Cannot filter files!")
            continue
        if name not in GRAPH[plural]["connections"]:
            raise unexpected(name, plural)
        _check(GRAPH[plural]["connections"][name].get("collection", name), inner)


def _node(call: Call, level: str, doc: Doc, spec: Doc) -> Doc:
    shown: Doc = {"_id": doc["_id"]}
    for field in spec.get("fields") or []:
        _put(shown, field.split("."), doc)
    for key in ("files", "inputs"):
        if isinstance(spec.get(key), dict):
            shown[key] = _files(call, doc.get(key) or [], spec[key])
    for name, connection in GRAPH[_PLURAL[level]]["connections"].items():
        if name in spec:
            shown[name] = _connected(call, level, doc, name, connection, spec[name])
    return shown


def _put(shown: Doc, path: list[str], doc: Any) -> None:
    """Copy the value at a path, if there is one."""
    if not isinstance(doc, dict) or path[0] not in doc:
        return
    if len(path) == 1:
        shown[path[0]] = doc[path[0]]
    else:
        inner: Doc = shown.setdefault(path[0], {})
        _put(inner, path[1:], doc[path[0]])


def _files(call: Call, files: list[Doc], spec: Doc) -> list[Doc]:
    if spec.get("sort"):
        field, _, order = str(spec["sort"]).partition(":")
        files = sorted(files, key=lambda file: str(file.get(field)), reverse=order.lower() in {"desc", "-1"})
    wanted = [*(spec.get("fields") or []), "_id"]
    shown = [shapes.file(call.site, file, info=False) for file in files[: spec.get("limit")]]
    return [{name: file[name] for name in wanted if name in file and name != "info"} for file in shown]


def _connected(call: Call, level: str, doc: Doc, name: str, connection: Doc, spec: Doc) -> Any:
    site = call.site
    if connection.get("order") == "1":
        place = doc.get("parents", {}).get(name)
        above = site.table(name).rows.get(place) if place else None
        return None if above is None else _node(call, name, above, spec)
    lower = _SINGULAR[name]
    query: Query = {k: [str(spec[k])] for k in ("filter", "sort", "limit") if spec.get(k)}
    within: Anchor = ("parent" if name == "analyses" else level, doc["_id"])
    docs = _rows(site, site.table(name), query, within, visible(site, call.user, lower))
    return [_node(call, lower, each, spec) for each in docs]


def _rows(
    site: Site, table: Table, query: Query, within: Anchor, allowed: Callable[[Doc], bool] | None
) -> Iterable[Doc]:
    return run(table, read_listing(query, site.speech), site.speech, within=within, allowed=allowed).docs


def routes(addresses: Addresses) -> None:
    """Register the addresses of the tree."""
    addresses.add("POST", "/tree", _tree)
    addresses.add("GET", "/tree/graph", _get_graph)
