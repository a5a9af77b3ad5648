"""Requests over many containers at once: moves, deletions, checks; and lists of what this site has none of."""

from flyball.sandbox import files
from flyball.sandbox.access import require
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.api.listing import reply_rows, show_container
from flyball.sandbox.errors import Refusal, absent, invalid, listed, not_found, schema
from flyball.sandbox.files import MODALITIES, by_file_id, owner
from flyball.sandbox.state import SINGULARS
from flyball.sandbox.tables import Doc

_EMPTY_PAGE = Reply(body={"count": 0, "total": 0, "results": []})


def _move_sessions(call: Call) -> Reply:
    """Put sessions under other subjects or projects; the answer lists the labels that were there already."""
    body = call.json_map()
    kind, mode = str(body.get("destination_container_type")), body.get("conflict_mode", "skip")
    if kind not in {"subjects", "projects"} or mode not in {"skip", "move", "dry"}:
        raise schema("none", "destination_container_type is subjects or projects, conflict_mode skip, move or dry")
    site = call.site
    if not listed("sources", body.get("sources")) or not listed("destinations", body.get("destinations")):
        raise schema("none", "sources and destinations are required")
    target = site.get(SINGULARS[kind], str(body["destinations"][0]))
    sessions = [site.get("session", str(own)) for own in body["sources"]]
    for level, doc in [(SINGULARS[kind], target), *(("session", session) for session in sessions)]:
        require(site, call.user, level, doc, "PUT")
    conflicts = []
    for session in sessions:
        subject = target if kind == "subjects" else _subject_in(call, target, session)
        there = [] if subject is None else site.sessions.below(("subject", subject["_id"]))
        same = next((s for s in there if s["label"] == session["label"] and s is not session), None)
        if same is not None:
            conflicts.append(
                {
                    "move_type": ["session"],
                    "id": session["_id"],
                    "label": session["label"],
                    "conflict_with": {"type": "session", "id": same["_id"]},
                    "conflict_label": same["label"],
                }
            )
        if mode == "dry" or (same is not None and mode == "skip"):
            continue
        if subject is None:
            old = site.get("subject", session["parents"]["subject"])
            subject = site.add_subject(target["_id"], old["label"], sex=old.get("sex"))
        site.move_session(session, subject)
        site.touch("session", session)
    return Reply(body=conflicts)


def _subject_in(call: Call, project: Doc, session: Doc) -> Doc | None:
    """The subject of the same label in another project."""
    label = call.site.get("subject", session["parents"]["subject"])["label"]
    below = call.site.subjects.below(("project", project["_id"]))
    return next((subject for subject in below if subject["label"] == label), None)


def _known_uids(call: Call) -> Reply:
    """Which of the uids the site has."""
    body = call.json_map()
    if not set(body) <= {"sessions", "acquisitions"} or not body:
        raise schema("none", "sessions and acquisitions are lists of uids")
    answer = {}
    for plural, wanted in body.items():
        there = {doc.get("uid") for doc in call.site.table(plural).rows.values()}
        answer[plural] = [uid for uid in listed(plural, wanted) if uid in there]
    return Reply(body=answer)


def _delete_analyses(call: Call) -> Reply:
    call.require_reason()
    ids = _ids(call)
    for own in ids:
        require(call.site, call.user, "analysis", call.site.get("analysis", own), "DELETE")
        call.site.delete("analysis", own)
    return Reply(body={"deleted": len(ids)})


def _delete_files(call: Call) -> Reply:
    call.require_reason()
    ids = _ids(call)
    for own in ids:
        file = by_file_id(call.site, own)
        level, doc = owner(call.site, file)
        require(call.site, call.user, level, doc, "DELETE")
        files.delete_file(call.site, level, doc, file["name"])
    return Reply(body={"deleted": len(ids)})


def _ids(call: Call) -> list[str]:
    ids = call.json()
    if not isinstance(ids, list) or not all(isinstance(own, str) for own in ids):
        raise schema("none", f"{ids!r} is not a list of ids")
    return ids


def _of_user(call: Call) -> Reply:
    """The containers in whose project a user has an entry."""
    own = call.user.id if call.args["uid"] == "self" else call.args["uid"]
    if own not in call.site.users.rows:
        raise absent("users", own)
    level = SINGULARS[call.request.segments[2]]
    projects = call.site.projects.rows.values()
    mine = {p["_id"] for p in projects if any(entry["_id"] == own for entry in p["permissions"])}

    def only(doc: Doc) -> bool:
        if level == "collection":
            return bool(doc.get("curator") == own)
        if level == "group":
            return any(p["group"] == doc["_id"] for p in projects if p["_id"] in mine)
        return call.site.project_of(level, doc) in mine

    return reply_rows(call, level, call.site.table(level), show_container(call, level), only=only)


def _modalities(_call: Call) -> Reply:
    return Reply(body=[{"_id": own, "classification": known} for own, known in MODALITIES.items()])


def _delete_status(call: Call) -> Reply:
    """Projects are gone as soon as they are deleted."""
    own = call.args["id"]
    if own in call.site.projects.rows:
        raise invalid(400, f"Project {own} is not being deleted")
    raise Refusal(404, f"Could not find projects {own}")


def _none(call: Call) -> Reply:
    if not call.site.speech.file_fields:
        raise not_found()
    return _EMPTY_PAGE


def routes(addresses: Addresses) -> None:
    """Register the addresses of requests over many containers."""
    addresses.add("POST", "/bulk/move/sessions", _move_sessions)
    addresses.add("POST", "/uids", _known_uids)
    addresses.add("DELETE", "/analyses", _delete_analyses)
    addresses.add("DELETE", "/files", _delete_files)
    for plural in ("groups", "projects", "sessions", "acquisitions", "collections"):
        addresses.add("GET", f"/users/{{uid}}/{plural}", _of_user)
    addresses.add("GET", "/modalities", _modalities)
    addresses.add("GET", "/projects/{id}/delete-status", _delete_status)
    for pattern in ("/tasks/reader", "/protocols"):
        addresses.add("GET", pattern, _none)
