"""Single containers: read, create, modify, delete, with tags, notes and info."""

from typing import Any

from flyball.sandbox import metadata, shapes
from flyball.sandbox.access import require
from flyball.sandbox.api.call import EMPTY, Addresses, Call, Reply
from flyball.sandbox.errors import Refusal, listed, mapped, not_found, schema
from flyball.sandbox.files import refuse_if_used
from flyball.sandbox.metadata import check_fields
from flyball.sandbox.state import SINGULARS
from flyball.sandbox.tables import Doc

_MODIFIED = Reply(body={"modified": 1})
_TEXT = (str,)
_WITH_INFO = (*(plural for plural in SINGULARS if plural != "groups"), "containers")
"""Groups have tags, but neither notes nor info."""


def _get(call: Call) -> Reply:
    level, doc = call.target()
    look = call.look(single=True)
    shown = shapes.container(call.site, level, doc, look)
    if call.args["c"] == "containers":
        shown["container_type"] = level
    return Reply(body=shown)


def _create(call: Call) -> Reply:
    level = SINGULARS[call.args["c"]]
    doc = _CREATORS[level](call, call.json())
    return Reply(body={"_id": doc["_id"]})


def _create_group(call: Call, body: Any) -> Doc:
    fields = check_fields("group", body, more={"_id": _TEXT})
    if "_id" not in fields:
        raise schema("none", "'_id' is a required property")
    if call.site.groups.rows.get(fields["_id"]):
        raise Refusal(409, f"Group {fields['_id']} already exists")
    if not call.user.admin:
        raise Refusal(403, "is_admin privilege required for action.")
    return call.site.add_group(fields["_id"], str(fields.get("label") or fields["_id"]))


def _parent(call: Call, level: str, own: Any) -> Doc:
    doc = call.site.get(level, str(own))
    require(call.site, call.user, level, doc, "POST")
    return doc


def _label(fields: Doc) -> str:
    if "label" not in fields:
        raise schema("none", "'label' is a required property")
    return str(fields.pop("label"))


def _create_project(call: Call, body: Any) -> Doc:
    fields = check_fields("project", body, more={"group": _TEXT})
    group = call.site.get("group", str(fields.pop("group", None)))
    permissions = [{"_id": call.user.id, "access": "admin"}]
    return call.site.add_project(group["_id"], _label(fields), permissions=permissions, **fields)


def _create_subject(call: Call, body: Any) -> Doc:
    fields = check_fields("subject", body, more={"project": _TEXT})
    project = _parent(call, "project", fields.pop("project", None))
    if not call.site.speech.subject_paths and not call.feature("subject-container"):
        fields["label"] = fields.get("code", "unknown")
    return call.site.add_subject(project["_id"], _label(fields), **fields)


def _create_session(call: Call, body: Any) -> Doc:
    fields = check_fields("session", body, more={"project": _TEXT})
    project = _parent(call, "project", fields.pop("project", None))
    wanted = fields.pop("subject", None) or {}
    if "_id" in wanted:
        subject = _parent(call, "subject", wanted["_id"])
    else:
        label = wanted.get("label") or wanted.get("code") or "unknown"
        known = call.site.subjects.below(("project", project["_id"]))
        found: Doc | None = next((s for s in known if s["label"] == label), None)
        subject = found or call.site.add_subject(project["_id"], label)
    return call.site.add_session(subject["_id"], fields.pop("label", ""), **fields)


def _create_acquisition(call: Call, body: Any) -> Doc:
    fields = check_fields("acquisition", body, more={"session": _TEXT})
    session = _parent(call, "session", fields.pop("session", None))
    return call.site.add_acquisition(session["_id"], fields.pop("label", ""), **fields)


def _create_collection(call: Call, body: Any) -> Doc:
    fields = check_fields("collection", body)
    return call.site.add_collection(_label(fields), curator=call.user.id, **fields)


_CREATORS = {
    "group": _create_group,
    "project": _create_project,
    "subject": _create_subject,
    "session": _create_session,
    "acquisition": _create_acquisition,
    "collection": _create_collection,
}


def _modify(call: Call) -> Reply:
    level, doc = call.target()
    body = call.json()
    if level == "collection" and isinstance(body, dict) and "contents" in body:
        _change_contents(call, doc, body["contents"])
    metadata.modify(call.site, level, doc, check_fields(level, body))
    return _MODIFIED


def _change_contents(call: Call, collection: Doc, contents: Doc) -> None:
    """Add or remove acquisitions; higher nodes are expanded now, unknown ids are skipped (live19)."""
    adds = mapped("contents", contents).get("operation") == "add"
    own = collection["_id"]
    for node in listed("nodes", contents.get("nodes"), dict):
        level, place = str(node.get("level")), str(node.get("_id"))
        acquisitions = call.site.acquisitions
        if level == "acquisition":
            found = [acquisitions.rows[place]] if place in acquisitions.rows else []
        else:
            found = acquisitions.below((level, place))
        for acquisition in found:
            others = [c for c in acquisition["collections"] if c != own]
            acquisition["collections"] = [*others, own] if adds else others


def _delete(call: Call) -> Reply:
    level, doc = call.target()
    call.require_reason()
    if level == "acquisition":
        refuse_if_used(call.site, f"acquisition {doc['_id']}", doc["files"])
    return Reply(body={"deleted": call.site.delete(level, doc["_id"])})


def _delete_many(call: Call) -> Reply:
    level = SINGULARS[call.args["c"]]
    ids = call.json()
    if not isinstance(ids, list):
        raise schema("none", f"{ids!r} is not of type 'array'")
    call.require_reason()
    for own in ids:
        doc = call.site.get(level, own)
        require(call.site, call.user, level, doc, "DELETE")
        call.site.delete(level, own)
    return Reply(body={"deleted": len(ids)})


def _delete_analysis(call: Call) -> Reply:
    call.target()
    call.require_reason()
    return Reply(body={"deleted": call.site.delete("analysis", call.args["aid"])})


# Tags


def _add_tag(call: Call) -> Reply:
    level, doc = call.target()
    metadata.add_tag(call.site, level, doc, call.json_map().get("value"))
    return _MODIFIED


def _get_tag(call: Call) -> Reply:
    _, doc = call.target()
    if call.args["tag"] not in doc["tags"]:
        raise Refusal(404, f"Element not found in list tags of container {doc['_id']}")
    return Reply(body=call.args["tag"])


def _rename_tag(call: Call) -> Reply:
    level, doc = call.target()
    metadata.rename_tag(call.site, level, doc, call.args["tag"], call.json_map().get("value"))
    return _MODIFIED


def _delete_tag(call: Call) -> Reply:
    level, doc = call.target()
    metadata.delete_tag(call.site, level, doc, call.args["tag"])
    return _MODIFIED


def _tag_list(call: Call) -> list[str]:
    if not call.site.speech.bulk_tags:
        raise Refusal(501, f"The request method {call.request.method} is not implemented for this server.")
    tags = call.json()
    if not isinstance(tags, list):
        raise schema("none", f"{tags!r} is not of type 'array'")
    return [metadata.check_tag(tag) for tag in tags]


def _add_tags(call: Call) -> Reply:
    level, doc = call.target()
    metadata.retag(call.site, level, doc, list(dict.fromkeys([*doc["tags"], *_tag_list(call)])))
    return EMPTY


def _delete_tags(call: Call) -> Reply:
    level, doc = call.target()
    gone = set(_tag_list(call))
    metadata.retag(call.site, level, doc, [tag for tag in doc["tags"] if tag not in gone])
    return EMPTY


def _bulk_tags(call: Call) -> Reply:
    if not call.site.speech.bulk_tags:
        raise Refusal(404, "The resource could not be found.")
    body = call.json_map()
    tags = [metadata.check_tag(tag) for tag in listed("tags", body.get("tags"))]
    for own in listed("containers", body.get("containers")):
        found = call.site.find(own)
        if found is None:
            raise Refusal(404, f"No container {own} found")
        level, doc = found
        require(call.site, call.user, level, doc, "POST")
        if call.request.segments[1] == "add":
            kept = list(dict.fromkeys([*doc["tags"], *tags]))
        else:
            kept = [tag for tag in doc["tags"] if tag not in tags]
        metadata.retag(call.site, level, doc, kept)
    return EMPTY


# Notes and info


def _noted(call: Call) -> tuple[str, Doc]:
    """The container, unless it is a group: these have neither notes nor info."""
    level, doc = call.target()
    if level == "group":
        raise not_found()
    return level, doc


def _add_note(call: Call) -> Reply:
    level, doc = _noted(call)
    note = metadata.add_note(call.site, level, doc, call.json_map().get("text"), call.user.id)
    return Reply(body=note) if call.site.speech.notes_returned else _MODIFIED


def _get_note(call: Call) -> Reply:
    _, doc = _noted(call)
    note = next((n for n in doc["notes"] if n["_id"] == call.args["nid"]), None)
    if note is None:
        raise Refusal(404, f"Element not found in list notes of container {doc['_id']}")
    return Reply(body=note)


def _change_note(call: Call) -> Reply:
    level, doc = _noted(call)
    text = None if call.request.method == "DELETE" else str(call.json_map().get("text"))
    metadata.change_note(call.site, level, doc, call.args["nid"], text)
    return _MODIFIED


def _change_info(call: Call) -> Reply:
    """PATCH on a recent site; the 2019 server took POST and answered nothing (live19)."""
    call.refuse_patch()
    level, doc = _noted(call)
    metadata.change_info(call.site, level, doc, call.json())
    return _MODIFIED if call.request.method == "PATCH" else EMPTY


def routes(addresses: Addresses) -> None:
    """Register the addresses of single containers."""
    for level in _CREATORS:
        plural = next(p for p, s in SINGULARS.items() if s == level)
        addresses.add("POST", "/{c}", _create, only=(plural,))
        addresses.add("DELETE", "/{c}", _delete_many, only=(plural,))
    addresses.add("GET", "/{c}/{id}", _get)
    addresses.add("PUT", "/{c}/{id}", _modify)
    addresses.add("DELETE", "/{c}/{id}", _delete)
    addresses.add("DELETE", "/{c}/{id}/analyses/{aid}", _delete_analysis)
    addresses.add("POST", "/{c}/{id}/tags", _add_tag)
    addresses.add("PATCH", "/{c}/{id}/tags", _add_tags)
    addresses.add("DELETE", "/{c}/{id}/tags", _delete_tags)
    addresses.add("GET", "/{c}/{id}/tags/{tag}", _get_tag)
    addresses.add("PUT", "/{c}/{id}/tags/{tag}", _rename_tag)
    addresses.add("DELETE", "/{c}/{id}/tags/{tag}", _delete_tag)
    addresses.add("POST", "/bulk/add/tags", _bulk_tags)
    addresses.add("POST", "/bulk/remove/tags", _bulk_tags)
    for method, pattern, handler in (
        ("POST", "/{c}/{id}/notes", _add_note),
        ("GET", "/{c}/{id}/notes/{nid}", _get_note),
        ("PUT", "/{c}/{id}/notes/{nid}", _change_note),
        ("DELETE", "/{c}/{id}/notes/{nid}", _change_note),
        ("POST", "/{c}/{id}/info", _change_info),
        ("PATCH", "/{c}/{id}/info", _change_info),
    ):
        addresses.add(method, pattern, handler, only=_WITH_INFO)
