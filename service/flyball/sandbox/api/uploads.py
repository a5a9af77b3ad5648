"""Uploads: multipart, by ticket and signed address, of analyses' outputs, and by the labels of the hierarchy.

A file of a name that is there becomes its new version, which starts without the old one's info,
tags, classification and modality unless `preserve_metadata` is asked for (live19).
"""

from typing import Any

import orjson

from flyball.sandbox import files, shapes
from flyball.sandbox.access import require
from flyball.sandbox.api.call import EMPTY, Addresses, Call, Part, Reply
from flyball.sandbox.errors import Refusal, invalid, listed, mapped, schema, unexpected
from flyball.sandbox.gear_rules import fire
from flyball.sandbox.state import CHILDREN
from flyball.sandbox.tables import Doc

LEVELS = ("project", "subject", "session", "acquisition")
_BY_JOB = "Cannot add files to an analysis that was made by a job"


def _target(call: Call) -> tuple[str, Doc]:
    level, doc = call.target()
    if level == "analysis" and doc.get("job"):
        raise invalid(400, _BY_JOB)
    return level, doc


def _upload(call: Call) -> Reply:
    """One request, or the first or the last of a ticket."""
    if "ticket" in call.query:
        if not call.site.speech.upload_tickets:
            # Without signed addresses the ticket request of newer clients means nothing (live19).
            call.target()
            return EMPTY
        ticket = call.query["ticket"][-1]
        return _finish(call, ticket) if ticket else _begin(call)
    level, doc = _target(call)
    return Reply(body=_multipart(call, level, doc))


def _upload_output(call: Call) -> Reply:
    """`/{c}/{id}/analyses/{aid}/files`: the same on the analysis alone."""
    call.target()
    call.args["c"], call.args["id"] = "analyses", call.args["aid"]
    return _upload(call)


def _described(parts: list[Part]) -> list[Doc]:
    """The part `metadata`: a map for one file, a list for several."""
    for part in parts:
        if part.name == "metadata":
            try:
                given = orjson.loads(part.content or b"{}")
            except orjson.JSONDecodeError as error:
                raise invalid(400, f"metadata is no JSON: {error}") from error
            return given if isinstance(given, list) else [given]
    return []


def _multipart(call: Call, level: str, doc: Doc) -> list[Doc]:
    """Part `file` once or several times, and `metadata` before it (live19: one file a request)."""
    parts = call.request.parts or []
    described = _described(parts)
    uploads = [part for part in parts if part.filename is not None]
    if len(uploads) > 1 and not call.site.speech.file_fields:
        raise invalid(400, "Targeted uploads can only send one file")
    answer = []
    for place, part in enumerate(uploads):
        meta = _checked(described[place] if place < len(described) else {})
        if part.content_type and not call.site.speech.file_fields:
            meta["mimetype"] = part.content_type
        answer.append(_store(call, level, doc, str(part.filename), part.content, meta))
    return answer


def _checked(meta: Any) -> Doc:
    """The metadata of one file.

    Raises:
        Refusal: 400 for an unknown key.
    """
    if not isinstance(meta, dict):
        raise schema("metadata", f"{meta!r} is not of type 'object'")
    unknown = set(meta) - files.WRITABLE
    if unknown:
        raise unexpected(min(unknown))
    mapped("info", meta.get("info"))
    for values in mapped("classification", meta.get("classification")).values():
        listed("classification", values)
    listed("tags", meta.get("tags"))
    for name in ("name", "type", "modality", "mimetype"):
        if not isinstance(meta.get(name) or "", str):
            raise schema(name, f"{meta[name]!r} is not of type 'string'")
    if not isinstance(meta.get("size") or 0, int):
        raise schema("size", f"{meta['size']!r} is not of type 'integer'")
    return {key: value for key, value in meta.items() if value is not None}


def _store(call: Call, level: str, doc: Doc, filename: str, content: bytes, meta: Doc) -> Doc:
    """Keep a file; a path is cut to its last part, a name in the metadata counts before the sent one."""
    meta = dict(meta)
    name = str(meta.pop("name", None) or filename).replace("\\", "/").rsplit("/", 1)[-1]
    meta.pop("size", None)
    stored = files.put_file(
        call.site,
        level,
        doc,
        name,
        content=content,
        origin={"type": "user", "id": call.user.id},
        preserve=call.flag("preserve_metadata"),
        **meta,
    )
    fire(call.site, level, doc, stored)
    return shapes.file(call.site, stored, info=True)


# By ticket


def _begin(call: Call) -> Reply:
    """`{"metadata", "filenames"}` gives a ticket and addresses to put the bytes to."""
    level, doc = _target(call)
    body = call.json_map()
    names = body.get("filenames")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise schema("filenames", f"{names!r} is not a list of names")
    given = body.get("metadata") or {}
    described = [_checked(meta) for meta in (given if isinstance(given, list) else [given])]
    site, kind = call.site, call.site.speech.signed_urls or "plain"
    base = f"http://{call.request.headers.get('host', 'localhost')}"
    many = call.feature("multipart_signed_url")
    ticket = site.ids.uuid()
    urls: Doc = {}
    wanted: list[Doc] = []
    for place, name in enumerate(names):
        meta = described[place] if place < len(described) else {}
        size = int(meta.get("size") or 0)
        key, addresses = site.storage.upload_urls(base, kind, size, site.now, many=many)
        urls[name] = addresses if len(addresses) > 1 or kind == "s3" else addresses[0]
        wanted.append({"name": name, "meta": meta, "key": key, "parts": len(addresses), "kind": kind})
    site.uploads[ticket] = {"user": call.user.id, "level": level, "id": doc["_id"], "files": wanted}
    return Reply(body={"ticket": ticket, "urls": urls, "headers": site.storage.headers(kind)})


def _finish(call: Call, ticket: str) -> Reply:
    """The files become visible, once, if all of their bytes have arrived."""
    level, doc = _target(call)
    asked = call.site.uploads.get(ticket)
    if asked is None:
        raise Refusal(404, "no such ticket")
    if (asked["level"], asked["id"]) != (level, doc["_id"]) or asked["user"] != call.user.id:
        raise invalid(400, "ticket not for this resource or source IP")
    body = call.json() or {}
    contents: list[tuple[Doc, bytes]] = []
    for file in asked["files"]:
        parts = call.site.storage.parts.get(file["key"], {})
        if len(parts) < file["parts"]:
            raise invalid(400, f"File {file['name']} was not uploaded")
        if file["kind"] == "s3":
            _check_parts(body, file)
        contents.append((file, call.site.storage.whole(file["key"]) or b""))
    del call.site.uploads[ticket]
    answer = []
    for file, content in contents:
        call.site.storage.parts.pop(file["key"], None)
        answer.append(_store(call, level, doc, file["name"], content, file["meta"]))
    return Reply(body=answer)


def _check_parts(body: Any, file: Doc) -> None:
    """An upload in parts to S3 has to be completed with their tags."""
    multipart = body.get("multipart") if isinstance(body, dict) else None
    given = multipart if isinstance(multipart, dict) else {}
    tags = given.get("e_tags")
    if not isinstance(tags, list) or len(tags) != file["parts"] or given.get("upload_id") != file["key"]:
        raise invalid(400, f"The parts of {file['name']} and their tags do not agree")


# By labels


def _by_label(call: Call) -> Reply:
    """`/upload/label`, `/upload/uid`: containers are found or made; a file goes where the metadata names it."""
    parts = call.request.parts or []
    meta = mapped("metadata", (_described(parts) or [{}])[0])
    for level in ("group", *LEVELS):
        listed("files", mapped(level, meta.get(level)).get("files"), dict)
    mapped("subject", (meta.get("session") or {}).get("subject"))
    uploads = [part for part in parts if part.filename is not None]
    group = call.site.get("group", str((meta.get("group") or {}).get("_id")))
    places: list[tuple[str, Doc, list[Doc]]] = [("group", group, [])]
    for level in LEVELS:
        spec = meta.get(level) or ((meta.get("session") or {}).get("subject") if level == "subject" else None)
        if spec is None and level == "subject" and meta.get("session"):
            spec = {"label": "unknown"}
        if spec is None:
            break
        above_level, above, _ = places[-1]
        doc = _found_or_made(call, above_level, above, level, spec)
        places.append((level, doc, spec.get("files") or []))
    answer = []
    for part in uploads:
        level, doc, described = next(
            (place for place in reversed(places) if any(f.get("name") == part.filename for f in place[2])), places[-1]
        )
        if level == "group":
            raise invalid(400, "A file needs a project")
        own = next((f for f in described if f.get("name") == part.filename), {})
        answer.append(_store(call, level, doc, str(part.filename), part.content, _checked(own)))
    return Reply(body=answer)


def _found_or_made(call: Call, above_level: str, above: Doc, level: str, spec: Doc) -> Doc:
    site = call.site
    below = site.table(level).below((above_level, above["_id"]))
    uid, label = spec.get("uid"), str(spec.get("label") or spec.get("code") or "unknown")
    found: Doc | None = next((d for d in below if uid and d.get("uid") == uid), None)
    found = found or next((d for d in below if not uid and d["label"] == label), None)
    if found is not None:
        require(site, call.user, level, found, "POST")
        return found
    if CHILDREN[above_level] != level:
        raise invalid(400, f"A {level} needs a {CHILDREN[above_level]}")
    more = {"uid": uid} if uid else {}
    if level == "project":
        if not call.user.admin:
            raise Refusal(403, "user not authorized to create projects in this group.")
        permissions = [{"_id": call.user.id, "access": "admin"}]
        return site.add_project(above["_id"], label, permissions=permissions)
    require(site, call.user, above_level, above, "POST")
    if level == "subject":
        return site.add_subject(above["_id"], label)
    if level == "session":
        return site.add_session(above["_id"], label, **more)
    return site.add_acquisition(above["_id"], label, **more)


def routes(addresses: Addresses) -> None:
    """Register the addresses of uploads."""
    addresses.add("POST", "/{c}/{id}/files", _upload)
    addresses.add("POST", "/{c}/{id}/analyses/{aid}/files", _upload_output)
    for name in ("label", "uid", "reaper"):
        addresses.add("POST", f"/upload/{name}", _by_label)
