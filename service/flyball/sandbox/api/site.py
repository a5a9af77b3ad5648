"""The site itself: config, version, users, change logs, paths."""

import re
from typing import Any

from flyball.sandbox import shapes
from flyball.sandbox.access import require
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.api.listing import reply_rows
from flyball.sandbox.errors import Refusal, absent, not_found
from flyball.sandbox.files import MODALITIES, by_file_id
from flyball.sandbox.launch import newest_gears
from flyball.sandbox.shapes import Look
from flyball.sandbox.state import CHILDREN, SINGULARS, Site
from flyball.sandbox.tables import Doc

_ID = re.compile(r"<id:(.+)>\Z")


def _config(call: Call) -> Reply:
    speech = call.site.speech
    features = {
        "signed_url": bool(speech.signed_urls),
        "multipart_signed_url": speech.signed_urls in {"s3", "gcs"},
        "tags_in_lists": speech.tags_in_lists,
        "audit_trail": speech.audit_trail,
        "job_prioritization": True,
    }
    body = {
        "site": {"name": "Flyball sandbox", "api_url": "", "central_url": "", "registered": False},
        "features": features if speech.file_fields else {},
        "signed_url": bool(speech.signed_urls),
        "auth": {},
        "created": call.site.now,
        "modified": call.site.now,
    }
    return Reply(body=body)


def _version(call: Call) -> Reply:
    release = "23.0.0" if call.site.speech.file_fields else "10.0.0"
    body = {"_id": "version", "database": 100, "release": "", "flywheel_release": release}
    return Reply(body={**body, "cli_version": release, "applied_fixes": {}})


def _ready(_call: Call) -> Reply:
    return Reply(body={"ready": True})


def _auth_status(call: Call) -> Reply:
    roles = ["public", "user", *(["site_admin"] if call.user.admin else [])]
    body = {"origin": {"type": "user", "id": call.user.id}, "user_id": call.user.id}
    return Reply(body={**body, "user_is_admin": call.user.admin, "is_device": False, "roles": roles})


def _show_user(site: Site, doc: Doc) -> Doc:
    if site.speech.file_fields:
        return {**doc, "avatar": None, "preferences": {}, "api_keys": []}
    plain = {k: v for k, v in doc.items() if k != "disabled"}
    return {**plain, "info": {}, "info_exists": False, "avatars": {}, "permissions": []}


def _users(call: Call) -> Reply:
    return reply_rows(call, "user", call.site.users, lambda doc: _show_user(call.site, doc))


def _user(call: Call) -> Reply:
    own = call.args["uid"]
    if own == "self":
        own = call.user.id
    doc = call.site.users.rows.get(own)
    if doc is None:
        raise absent("users", own)
    return Reply(body=_show_user(call.site, doc))


def _modality(call: Call) -> Reply:
    own = call.args["mid"]
    if own not in MODALITIES:
        raise absent("modalities", own)
    return Reply(body={"_id": own, "classification": MODALITIES[own]})


def _changes(call: Call) -> Reply:
    """Change logs are kept empty: the daemon does not read them."""
    kind, own = call.args["kind"], call.args["id"]
    if kind == "file":
        by_file_id(call.site, own)
    elif kind in SINGULARS.values():
        call.site.get(kind, own)
    else:
        raise not_found()
    body: Doc = {"container_type": kind, "container_id": own, "changes": []}
    if "field" in call.args:
        body["field"] = call.args["field"]
    return Reply(body=body)


# Paths


def _lookup(call: Call) -> Reply:
    path = call.json_map().get("path")
    if not isinstance(path, list) or not path or not all(isinstance(part, str) for part in path):
        raise Refusal(400, "path must be a list of labels")
    if path[0] == "gears":
        return Reply(body={**shapes.gear(_gear(call.site, path)), "container_type": "gear"})
    trail, file = _walk(call, path)
    level, doc = trail[-1]
    if file is not None:
        return Reply(body={**shapes.file(call.site, file, info=True), "container_type": "file"})
    shown = shapes.container(call.site, level, doc, _look(call))
    return Reply(body={**shown, "container_type": level})


def _look(call: Call) -> Look:
    """A looked-up node is shown whole on a 2019 site; a recent one hides info unless asked."""
    if not call.site.speech.include_all_info:
        return Look(single=True)
    return Look(single=call.flag("include_all_info"), info=call.flag("include_all_info"))


def _resolve(call: Call) -> Reply:
    path = call.json_map().get("path")
    if not isinstance(path, list) or not all(isinstance(part, str) for part in path):
        raise Refusal(400, "path must be a list of labels")
    look = call.look(single=False)
    if path and path[0] == "gears":
        if len(path) == 1:
            return Reply(
                body={"path": [], "children": [_node(shapes.gear(g), "gear") for g in newest_gears(call.site)]}
            )
        return Reply(body={"path": [_node(shapes.gear(_gear(call.site, path)), "gear")], "children": []})
    trail, file = _walk(call, path) if path else ([], None)
    nodes = [_path_node(call.site, level, doc, look) for level, doc in trail]
    if file is not None:
        return Reply(body={"path": [*nodes, _node(shapes.file(call.site, file, info=False), "file")], "children": []})
    children: list[Doc] = []
    if not trail:
        groups = call.site.groups.rows.values()
        children = [_path_node(call.site, "group", g, look) for g in groups]
    elif trail[-1][0] in CHILDREN:
        level, doc = trail[-1]
        lower = CHILDREN[level]
        below = call.site.table(lower).below((level, doc["_id"]))
        children = [_path_node(call.site, lower, d, look) for d in below]
    if trail:
        children += [_node(shapes.file(call.site, f, info=False), "file") for f in trail[-1][1].get("files") or []]
    return Reply(body={"path": nodes, "children": children})


def _path_node(site: Site, level: str, doc: Doc, look: Look) -> Doc:
    """A container of a path; on a 2019 site without files and notes (live19)."""
    shown = shapes.container(site, level, doc, look)
    if not site.speech.file_fields:
        shown = {k: v for k, v in shown.items() if k not in {"files", "notes"}}
    return _node(shown, level)


def _node(shown: Doc, level: str) -> Doc:
    return {**shown, "container_type": level, "node_type": level}


def _gear(site: Site, path: list[str]) -> Doc:
    """A gear by name, the last created one, or by name and version."""
    name, version = path[1], path[2] if len(path) > 2 else None
    if version is None:
        found = next((g for g in newest_gears(site) if g["gear"]["name"] == name or f"<id:{g['_id']}>" == name), None)
    else:
        gears = [g for g in site.gears.rows.values() if g["gear"]["name"] == name]
        found = next((g for g in gears if g["gear"]["version"] == version), None)
    if found is None:
        raise Refusal(404, f"No gear {name} found.")
    return found


def _walk(call: Call, path: list[str]) -> tuple[list[tuple[str, Doc]], Doc | None]:
    """The containers along a path of labels, and the file at its end, if it names one."""
    site = call.site
    group = site.groups.rows.get(_wanted(path[0]) or path[0])
    if group is None:
        raise Refusal(404, f"No {path[0]} group found.")
    trail: list[tuple[str, Doc]] = [("group", group)]
    with_subject = site.speech.subject_paths or call.feature("subject-container")
    at = 1
    while at < len(path):
        level, doc = trail[-1]
        if path[at] in {"files", "analyses"}:
            break
        lower = CHILDREN.get(level)
        if level == "project" and not with_subject:
            lower = "session"
        if lower is None:
            raise Refusal(404, f"No {path[at]} found. Did you mean files/{path[at]}?")
        trail.append((lower, _child(site, level, doc, lower, path[at])))
        at += 1
    level, doc = trail[-1]
    require(site, call.user, level, doc, "GET")
    if at < len(path) and path[at] == "analyses" and at + 1 < len(path):
        below = site.analyses.below(("parent", doc["_id"]))
        doc = _pick(below, path[at + 1], "analysis")
        trail.append(("analysis", doc))
        at += 2
    if at < len(path) and path[at] == "files" and at + 1 < len(path):
        file = next((f for f in site.files_of(doc) if path[at + 1] in {f["name"], f"<id:{f['file_id']}>"}), None)
        if file is None:
            raise Refusal(404, f"No {path[at + 1]} file found.")
        return trail, file
    return trail, None


def _wanted(part: str) -> str | None:
    match = _ID.match(part)
    return match.group(1) if match else None


def _child(site: Site, level: str, doc: Doc, lower: str, part: str) -> Doc:
    return _pick(site.table(lower).below((level, doc["_id"])), part, lower)


def _pick(docs: list[Doc], part: str, level: str) -> Doc:
    own = _wanted(part)
    found = next((d for d in docs if (d["_id"] == own if own else d["label"] == part)), None)
    if found is None:
        raise Refusal(404, f"No {part} {level} found.")
    return found


def routes(addresses: Addresses) -> None:
    """Register the addresses of the site itself."""
    for pattern, handler in _SIMPLE.items():
        addresses.add("GET", pattern, handler)
    addresses.add("POST", "/lookup", _lookup)
    addresses.add("POST", "/resolve", _resolve)


_SIMPLE: dict[str, Any] = {
    "/config": _config,
    "/version": _version,
    "/system/ready": _ready,
    "/auth/status": _auth_status,
    "/users": _users,
    "/users/{uid}": _user,
    "/modalities/{mid}": _modality,
    "/changes/{kind}/{id}": _changes,
    "/changes/{kind}/{id}/fields/{field}": _changes,
}
