"""List addresses: site-wide, below a container, and nested analyses."""

from collections.abc import Callable

from flyball.sandbox import shapes
from flyball.sandbox.access import visible
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.errors import invalid, not_found
from flyball.sandbox.query import read_listing, run
from flyball.sandbox.shapes import Look
from flyball.sandbox.state import SINGULARS
from flyball.sandbox.tables import Anchor, Doc, Table

Show = Callable[[Doc], Doc]


def reply_rows(
    call: Call,
    level: str,
    table: Table,
    show: Show,
    *,
    within: Anchor | None = None,
    only: Callable[[Doc], bool] | None = None,
    always_page: bool = False,
) -> Reply:
    """Answer a list request: the bare rows, or the page object where it is asked for."""
    paged = always_page or call.feature("pagination")
    seen = visible(call.site, call.user, level)
    allowed = seen
    if only is not None:
        allowed = only if seen is None else lambda doc: only(doc) and seen(doc)
    listing = read_listing(call.query, call.site.speech)
    rows = run(table, listing, call.site.speech, within=within, allowed=allowed, counted=paged)
    shown = [show(doc) for doc in rows.docs]
    if paged:
        return Reply(body={"count": len(shown), "total": rows.total, "results": shown})
    return Reply(body=shown)


def show_container(call: Call, level: str) -> Show:
    """How a container looks in a list."""
    look: Look = call.look(single=False)
    site = call.site
    return lambda doc: shapes.container(site, level, doc, look)


def _everything(call: Call) -> Reply:
    level = SINGULARS[call.args["c"]]
    only = None
    if level == "acquisition" and "collection_id" in call.query:
        wanted = call.query["collection_id"][-1]
        only = _in_collection(wanted)
    return reply_rows(call, level, call.site.table(level), show_container(call, level), only=only)


def _in_collection(wanted: str) -> Callable[[Doc], bool]:
    return lambda doc: wanted in doc["collections"]


def _children(call: Call) -> Reply:
    """Children of a container; those of a hidden or absent one are an empty list (live19)."""
    above, level = SINGULARS[call.args["c"]], SINGULARS[call.args["sub"]]
    return reply_rows(call, level, call.site.table(level), show_container(call, level), within=(above, call.args["id"]))


def _child_handler(sub: str) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        call.args["sub"] = sub
        return _children(call)

    return handler


def _analyses(call: Call) -> Reply:
    _, doc = call.target()
    show = show_container(call, "analysis")
    return reply_rows(call, "analysis", call.site.analyses, show, within=("parent", doc["_id"]))


def _nested_analyses(call: Call) -> Reply:
    """`/{c}/{id}/{sub|all}/analyses`: the analyses of the containers below."""
    level, doc = call.target()
    sub = call.args["sub"]
    if sub != "all" and sub not in SINGULARS:
        raise invalid(400, f"unknown level {sub}")
    only = None if sub == "all" else _of_level(SINGULARS[sub])
    show = show_container(call, "analysis")
    return reply_rows(call, "analysis", call.site.analyses, show, within=(level, doc["_id"]), only=only)


def _of_level(level: str) -> Callable[[Doc], bool]:
    return lambda doc: doc["parent"]["type"] == level


def _collection_acquisitions(call: Call) -> Reply:
    own = call.site.get("collection", call.args["id"])["_id"]
    session = call.query.get("session", [None])[-1]

    def only(doc: Doc) -> bool:
        return own in doc["collections"] and session in {None, doc["session"]}

    show = show_container(call, "acquisition")
    return reply_rows(call, "acquisition", call.site.acquisitions, show, only=only)


def _collection_sessions(call: Call) -> Reply:
    own = call.site.get("collection", call.args["id"])["_id"]
    held = {a["session"] for a in call.site.acquisitions.rows.values() if own in a["collections"]}
    show = show_container(call, "session")
    return reply_rows(call, "session", call.site.sessions, show, only=lambda doc: doc["_id"] in held)


def _files(call: Call) -> Reply:
    if not call.site.speech.files_endpoint:
        raise not_found()
    info = call.look(single=False).info

    def show(doc: Doc) -> Doc:
        return shapes.file(call.site, doc, info=info)

    return reply_rows(call, "file", call.site.files, show, always_page=True)


def routes(addresses: Addresses) -> None:
    """Register the list addresses."""
    for plural in SINGULARS:
        addresses.add("GET", "/{c}", _everything, only=(plural,))
    for above, subs in {
        "groups": ("projects",),
        "projects": ("subjects", "sessions", "acquisitions"),
        "subjects": ("sessions", "acquisitions"),
        "sessions": ("acquisitions",),
    }.items():
        for sub in subs:
            addresses.add("GET", f"/{{c}}/{{id}}/{sub}", _child_handler(sub), only=(above,))
    addresses.add("GET", "/{c}/{id}/analyses", _analyses)
    addresses.add("GET", "/{c}/{id}/{sub}/analyses", _nested_analyses)
    addresses.add("GET", "/collections/{id}/acquisitions", _collection_acquisitions)
    addresses.add("GET", "/collections/{id}/sessions", _collection_sessions)
    addresses.add("GET", "/files", _files)
