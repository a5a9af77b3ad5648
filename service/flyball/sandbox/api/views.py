"""Data views: saved ones, running them at once or queued, fetching and saving what they give."""

from collections.abc import Callable
from typing import Any

import orjson

from flyball.sandbox import shapes
from flyball.sandbox.access import require
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.api.listing import reply_rows
from flyball.sandbox.errors import Refusal, absent, invalid, not_found, schema
from flyball.sandbox.files import put_file
from flyball.sandbox.ids import Oid
from flyball.sandbox.query import read_listing
from flyball.sandbox.tables import Doc
from flyball.sandbox.views.columns import listed
from flyball.sandbox.views.executions import queue
from flyball.sandbox.views.grouping import grouped
from flyball.sandbox.views.output import TYPES, rendered
from flyball.sandbox.views.rows import Rows, evaluate, sorted_rows
from flyball.sandbox.views.spec import read_spec

_RUN_ON = {"project", "subject", "session", "acquisition"}
_SAVED_ON = {"project", "subject", "session", "acquisition"}
_HIDDEN = {"revision"}


# Saved views


def _parent(call: Call, own: str, method: str) -> None:
    """The user may do this to the views of a container, a user or the site."""
    if own == "site":
        if method != "GET" and not call.user.admin:
            raise Refusal(403, "is_admin privilege required for action.")
        return
    if own in call.site.users.rows:
        if own != call.user.id and not call.user.admin:
            raise Refusal(403, "user not authorized to perform this operation on the views of others.")
        return
    found = call.site.find(own)
    if found is None:
        raise absent("containers", own)
    require(call.site, call.user, found[0], found[1], method)


def _list(call: Call) -> Reply:
    own = call.args["id"]
    _parent(call, own, "GET")
    return reply_rows(call, "view", call.site.views, _shown, only=lambda doc: bool(doc["parent"] == own))


def _shown(doc: Doc) -> Doc:
    return {k: v for k, v in doc.items() if k not in _HIDDEN}


def _add(call: Call) -> Reply:
    own = call.args["id"]
    _parent(call, own, "POST")
    body = call.json_map()
    if not body.get("label"):
        raise schema("none", "'label' is a required property")
    read_spec(body, call.site.speech)
    site = call.site
    doc = {**body, "_id": site.ids.oid(site.now), "parent": Oid(own) if len(own) == 24 else own}
    doc |= {"origin": {"type": "user", "id": call.user.id}, "created": site.now, "modified": site.now, "revision": 1}
    site.views.add(doc)
    return Reply(body={"_id": doc["_id"]})


def _view(call: Call, method: str) -> Doc:
    doc = call.site.views.rows.get(call.args["vid"])
    if doc is None:
        raise absent("data_views", call.args["vid"])
    _parent(call, str(doc["parent"]), method)
    return doc


def _get(call: Call) -> Reply:
    return Reply(body=_shown(_view(call, "GET")))


def _modify(call: Call) -> Reply:
    doc = _view(call, "PUT")
    body = call.json_map()
    if not body:
        raise schema("none", "{} does not have enough properties")
    read_spec({**_specification(doc), **body}, call.site.speech)
    doc.update(body)
    call.site.views.moved(doc, call.site.now)
    return Reply(body={"modified": 1})


def _delete(call: Call) -> Reply:
    doc = _view(call, "DELETE")
    call.site.views.drop(doc["_id"])
    return Reply(body={"deleted": 1})


def _specification(doc: Doc) -> Doc:
    return {k: v for k, v in doc.items() if k not in {"created", "modified", "revision"}}


def _columns(_call: Call) -> Reply:
    return Reply(body=listed())


# Running


def _prepared(call: Call, body: Any) -> tuple[Callable[[], Rows], str | None]:
    """What runs the view of a request on the container that its address names, and the project of that.

    Raises:
        Refusal: 400 for a view or a request that cannot be run; 403 or 404 for the container.
    """
    site = call.site
    own = call.query.get("containerId", [""])[-1]
    if not own:
        raise invalid(400, "containerId is required!")
    spec = read_spec(body, site.speech)
    found = site.find(own)
    if found is None or found[0] not in _RUN_ON:
        raise Refusal(404, f"Could not resolve container: {own}")
    level, doc = found
    require(site, call.user, level, doc, "GET")
    query = {k: v for k, v in call.query.items() if k in {"filter", "skip", "limit"}}
    listing = read_listing(query, site.speech)
    sort = call.query.get("sort", [None])[-1]
    if sort and not site.speech.queued_views:
        raise Refusal(422, "Sorting is not supported for data views")
    filters = [*([spec.filter] if spec.filter else []), *query.get("filter", [])]

    def run() -> Rows:
        plain = evaluate(site, spec, level, doc, filters=filters)
        table = sorted_rows(grouped(plain, spec), sort, site.speech)
        end = None if listing.limit is None else listing.skip + listing.limit
        return Rows(table.columns, table.rows[listing.skip : end])

    return run, site.project_of(level, doc)


def _table_reply(call: Call, table: Rows, form: str, name: str) -> Reply:
    if form not in TYPES or (form == "ndjson" and not call.site.speech.queued_views):
        raise invalid(400, f"Unknown formatter type: {form}")
    media, ending = TYPES[form]
    headers = {"Content-Disposition": f'attachment; filename="{name}{ending}"'}
    raw = rendered(table, form, bare_header=call.site.speech.queued_views)
    return Reply(raw=raw, content_type=media, headers=headers)


def _ticket(call: Call) -> Reply | None:
    """A ticket instead of the data, where it is asked for with an empty `ticket`."""
    if call.query.get("ticket") != [""]:
        return None
    ticket = call.site.ids.uuid()
    call.site.tickets[ticket] = (call.user.id, tuple(call.request.segments))
    return Reply(body={"ticket": ticket})


def _format(call: Call, name: str = "format") -> str:
    return call.query.get(name, ["json"])[-1] or "json"


def _run_adhoc(call: Call) -> Reply:
    run, _ = _prepared(call, call.json())
    return _table_reply(call, run(), _format(call), call.query.get("filename", ["view-data"])[-1])


def _run_saved(call: Call) -> Reply:
    run, _ = _prepared(call, _specification(_view(call, "GET")))
    return _ticket(call) or _table_reply(call, run(), _format(call), call.query.get("filename", ["view-data"])[-1])


def _run_and_save(call: Call) -> Reply:
    """Run a view and keep the result as a file: `{view | viewId, containerType, containerId, filename}`."""
    body = call.json_map()
    for name in ("containerType", "containerId", "filename"):
        if not body.get(name):
            raise schema("none", f"'{name}' is a required property")
    if bool(body.get("view")) == bool(body.get("viewId")):
        raise invalid(400, 'Must specify one of "view" object or "viewId"')
    if body["containerType"] not in _SAVED_ON:
        raise invalid(400, f'Must one of "{", ".join(sorted(_SAVED_ON))}" for containerType')
    if body.get("viewId"):
        call.args["vid"] = str(body["viewId"])
        spec = _specification(_view(call, "GET"))
    else:
        spec = body["view"]
    target = call.site.get(body["containerType"], str(body["containerId"]))
    require(call.site, call.user, body["containerType"], target, "POST")
    run, _ = _prepared(call, spec)
    file = _keep(call, body["containerType"], target, run(), _format(call), str(body["filename"]))
    if call.site.speech.queued_views:
        return Reply(body=file)
    event = b"event: result\ndata: " + orjson.dumps([file]) + b"\n\n"
    return Reply(raw=event, content_type="text/event-stream; charset=utf-8")


def _keep(call: Call, level: str, doc: Doc, table: Rows, form: str, name: str) -> Doc:
    content = _table_reply(call, table, form, "").raw or b""
    origin = {"type": "user", "id": call.user.id}
    file = put_file(call.site, level, doc, name.rsplit("/", 1)[-1], content=content, origin=origin)
    shown = shapes.file(call.site, file, info=True)
    if not call.site.speech.file_fields:
        return shown
    # Only here a recent site names a file by its id and version together (SDK 23 models).
    return {**shown, "_id": {"file_id": file["file_id"], "version": file["version"]}, "uuid": file["_id"]}


# Queued, as recent sites do it


def _queue_adhoc(call: Call) -> Reply:
    return _queued(call, call.json())


def _queue_saved(call: Call) -> Reply:
    return _queued(call, _specification(_view(call, "GET")))


def _queued(call: Call, view: Any) -> Reply:
    if not call.site.speech.queued_views:
        raise not_found()
    run, project = _prepared(call, view)
    return Reply(body=_shown_execution(queue(call.site, run, project=project, user=call.user.id, view=view)))


def _shown_execution(doc: Doc) -> Doc:
    return {name: value for name, value in doc.items() if value is not None}


def _executions(call: Call) -> Reply:
    """The user's own executions."""
    if not call.site.speech.queued_views:
        raise not_found()

    def own(doc: Doc) -> bool:
        return bool(doc["user_id"] == call.user.id) or (call.user.admin and call.flag("exhaustive"))

    return reply_rows(call, "execution", call.site.executions, _shown_execution, only=own)


def _execution(call: Call) -> Doc:
    doc = call.site.executions.rows.get(call.args["eid"])
    if doc is None or not call.site.speech.queued_views:
        raise absent("data_view_executions", call.args["eid"])
    if doc["user_id"] != call.user.id and not call.user.admin:
        raise Refusal(403, "user not authorized to see the executions of others.")
    return doc


def _get_execution(call: Call) -> Reply:
    return Reply(body=_shown_execution(_execution(call)))


def _result(call: Call) -> Rows:
    doc = _execution(call)
    table = call.site.results.get(doc["_id"])
    if table is None:
        raise invalid(400, f"Data view execution {doc['_id']} is {doc['state']}, there are no data")
    return table  # type: ignore[no-any-return] # the site keeps results without knowing what they are


def _data(call: Call) -> Reply:
    table = _result(call)
    name = call.query.get("file_name", ["view-data"])[-1]
    return _ticket(call) or _table_reply(call, table, _format(call, "file_format"), name)


def _save_execution(call: Call) -> Reply:
    """Keep the result as a file of the project."""
    table = _result(call)
    doc = _execution(call)
    project = call.site.get("project", str(doc["project_id"]))
    require(call.site, call.user, "project", project, "POST")
    form = _format(call, "file_format")
    name = f"{doc['data_view_label'] or 'view-data'}{TYPES.get(form, ('', ''))[1]}"
    return Reply(body=_keep(call, "project", project, table, form, name))


def _delete_execution(call: Call) -> Reply:
    doc = _execution(call)
    call.site.executions.drop(doc["_id"])
    call.site.results.pop(doc["_id"], None)
    return Reply(body={"deleted": 1})


_ROUTES: dict[tuple[str, str], Callable[[Call], Reply]] = {
    ("GET", "/containers/{id}/views"): _list,
    ("POST", "/containers/{id}/views"): _add,
    ("GET", "/views/columns"): _columns,
    ("POST", "/views/data"): _run_adhoc,
    ("POST", "/views/save"): _run_and_save,
    ("POST", "/views/queue"): _queue_adhoc,
    ("GET", "/views/{vid}"): _get,
    ("PUT", "/views/{vid}"): _modify,
    ("DELETE", "/views/{vid}"): _delete,
    ("GET", "/views/{vid}/data"): _run_saved,
    ("POST", "/views/{vid}/queue"): _queue_saved,
    ("GET", "/data_view_executions"): _executions,
    ("GET", "/data_view_executions/{eid}"): _get_execution,
    ("GET", "/data_view_executions/{eid}/data"): _data,
    ("POST", "/data_view_executions/{eid}/save"): _save_execution,
    ("POST", "/data_view_executions/{eid}/delete"): _delete_execution,
}


def routes(addresses: Addresses) -> None:
    """Register the addresses of data views."""
    for (method, pattern), handler in _ROUTES.items():
        addresses.add(method, pattern, handler)
