"""Files: download and metadata, by container and name or by file id."""

import io
import zipfile
from typing import Any

from flyball.sandbox import files, metadata, shapes
from flyball.sandbox.access import require
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.api.storage import ranged
from flyball.sandbox.errors import Refusal, mapped, not_found, schema
from flyball.sandbox.gear_rules import fire
from flyball.sandbox.state import PLURALS
from flyball.sandbox.tables import Doc

_SPAWNED = Reply(body={"modified": 1, "jobs_spawned": 0})


def _named(call: Call) -> tuple[str, Doc, Doc]:
    level, doc = call.target()
    return level, doc, files.get_file(call.site, doc, call.args["name"])


def _download(call: Call) -> Reply:
    """The content, or with an empty `ticket` a ticket that stands for a key at the same address (wire)."""
    _, _, file = _named(call)
    version = call.query.get("version", [None])[-1]
    file = files.version_of(call.site, file, int(version) if version and version.isdigit() else None)
    if call.query.get("ticket") == [""]:
        ticket = call.site.ids.uuid()
        call.site.tickets[ticket] = (call.user.id, tuple(call.request.segments))
        return Reply(body={"ticket": ticket})
    return _content(call, file)


def _content(call: Call, file: Doc) -> Reply:
    """The bytes, a member or the listing of an archive; or where the storage has the bytes.

    Clients that take redirects get one when the site has signed addresses (K19).
    """
    member = call.query.get("member", [None])[-1]
    if call.flag("info") or member is not None:
        return _from_zip(files.content_of(call.site, file), member)
    if call.site.speech.signed_urls and call.feature("safe-redirect") and not call.flag("view"):
        return Reply(status=302, raw=b"", headers={"Location": _signed(call, file)})
    headers = {"Content-Disposition": f'attachment; filename="{_quoted(file["name"])}"'}
    wanted = call.request.headers.get("range") if call.flag("view") else None
    return ranged(call.site, file, wanted, headers)


def _signed(call: Call, file: Doc) -> str:
    base = f"http://{call.request.headers.get('host', 'localhost')}"
    kind = call.site.speech.signed_urls or "plain"
    return call.site.storage.download_url(base, kind, file, call.site.now)


def _quoted(name: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)


def _from_zip(content: bytes, member: str | None) -> Reply:
    """The listing of a zip, or one of its members; 400 for what is not there (live19)."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise Refusal(400, "not a zip file") from error
    if member is None:
        return Reply(body={"comment": "", "members": [_member(m) for m in archive.infolist()]})
    if member not in archive.namelist():
        raise Refusal(400, "zip file contains no such member")
    return Reply(raw=archive.read(member), content_type="application/octet-stream")


def _member(info: zipfile.ZipInfo) -> Doc:
    year, month, day, hour, minute, second = info.date_time
    text = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00"
    return {"path": info.filename, "size": info.file_size, "timestamp": text, "comment": ""}


def _modify(call: Call) -> Reply:
    level, doc, file = _named(call)
    body = call.json_map()
    files.modify_file(call.site, level, doc, file, body)
    started = fire(call.site, level, doc, file) if "type" in body else []
    return Reply(body={"modified": 1, "jobs_spawned": len(started)})


def _delete(call: Call) -> Reply:
    level, doc = call.target()
    call.require_reason()
    files.delete_file(call.site, level, doc, call.args["name"])
    return Reply(body={"modified": 1})


def _get_info(call: Call) -> Reply:
    _, _, file = _named(call)
    return Reply(body=shapes.file(call.site, file, info=True))


def _change_info(call: Call) -> Reply:
    call.refuse_patch()
    _, _, file = _named(call)
    metadata.change_file_info(call.site, file, call.json())
    return _SPAWNED


def _classify(call: Call) -> Reply:
    call.refuse_patch()
    _, _, file = _named(call)
    files.classify(call.site, file, call.json_map())
    return _SPAWNED


# By file id (v23)


def _by_id(call: Call) -> Doc:
    if not call.site.speech.files_endpoint:
        raise not_found()
    file = files.by_file_id(call.site, call.args["fid"])
    level, doc = files.owner(call.site, file)
    require(call.site, call.user, level, doc, call.request.method)
    return file


def _file(call: Call) -> Reply:
    return Reply(body=shapes.file(call.site, _version(call), info=True))


def _versions(call: Call) -> Reply:
    file = _by_id(call)
    records = [*call.site.versions.get(file["file_id"], []), file]
    return Reply(body=[{k: f[k] for k in ("file_id", "version", "created", "origin")} for f in records])


def _tags(call: Call) -> Reply:
    """GET the tags, PATCH to add, PUT to set all, DELETE with a body to remove."""
    file = _by_id(call)
    method = call.request.method
    if method == "GET":
        return Reply(body=file["tags"])
    given = call.json()
    if not isinstance(given, list) or not all(isinstance(tag, str) for tag in given):
        raise schema("none", f"{given!r} is not of type 'array'")
    if method == "PATCH":
        tags = list(dict.fromkeys([*file["tags"], *given]))
    elif method == "PUT":
        tags = list(dict.fromkeys(given))
    else:
        tags = [tag for tag in file["tags"] if tag not in given]
    files.retag_file(call.site, file, tags)
    return Reply(body=tags) if method == "PATCH" else _SPAWNED


def _file_info(call: Call) -> Reply:
    file = _by_id(call)
    if call.request.method == "GET":
        return Reply(body=file["info"])
    body: Any = call.json()
    if call.request.method == "PUT":
        body = {"replace": body}
    metadata.change_file_info(call.site, file, body)
    return _SPAWNED


def _file_classification(call: Call) -> Reply:
    files.classify(call.site, _by_id(call), call.json_map())
    return _SPAWNED


def _delete_by_id(call: Call) -> Reply:
    file = _by_id(call)
    call.require_reason()
    level, doc = files.owner(call.site, file)
    files.delete_file(call.site, level, doc, file["name"])
    return Reply(body={"deleted": 1})


def _download_by_id(call: Call) -> Reply:
    return _content(call, _version(call))


def _version(call: Call) -> Doc:
    """The version of a file that the address asks for."""
    version = call.query.get("version", [None])[-1]
    return files.version_of(call.site, _by_id(call), int(version) if version and version.isdigit() else None)


def _zip_info(call: Call) -> Reply:
    return _from_zip(files.content_of(call.site, _version(call)), None)


def _zip_member(call: Call) -> Reply:
    return _from_zip(files.content_of(call.site, _version(call)), call.args["member"])


def _signed_url(call: Call) -> Reply:
    """The address as a JSON text."""
    return Reply(body=_signed(call, _version(call)))


def _move(call: Call) -> Reply:
    """Give a file another name, another container, or both."""
    file = _by_id(call)
    body = call.json_map()
    level, doc = files.owner(call.site, file)
    target = mapped("container_reference", body.get("container_reference")) or {"type": level, "id": doc["_id"]}
    new_level = str(target.get("type"))
    if new_level not in PLURALS or new_level == "group":
        raise schema("container_reference", f"{new_level!r} cannot hold files")
    new_doc = call.site.get(new_level, str(target.get("id")))
    require(call.site, call.user, new_level, new_doc, "POST")
    doc["files"] = [f for f in doc["files"] if f is not file]
    call.site.files.drop(file["file_id"])
    file["name"] = str(body.get("name") or file["name"])
    file["parents"] = {**new_doc.get("parents", {}), new_level: new_doc["_id"]}
    file["parent_ref"] = {"type": new_level, "id": new_doc["_id"]}
    new_doc["files"] = [*new_doc["files"], file]
    call.site.files.add(file)
    call.site.files.moved(file, call.site.now)
    return _SPAWNED


def _input_info(call: Call) -> Reply:
    """The record of an analysis' input, as it was when the analysis was made."""
    call.args["c"] = "analyses"
    _, doc = call.target()
    found = next((f for f in doc["inputs"] if f["name"] == call.args["name"]), None)
    if found is None:
        raise Refusal(404, f"Element not found in list inputs of container: {call.args['name']}")
    return Reply(body=shapes.file(call.site, found, info=True))


def routes(addresses: Addresses) -> None:
    """Register the addresses of files."""
    addresses.add("GET", "/{c}/{id}/files/{name}", _download)
    addresses.add("PUT", "/{c}/{id}/files/{name}", _modify)
    addresses.add("DELETE", "/{c}/{id}/files/{name}", _delete)
    addresses.add("GET", "/{c}/{id}/files/{name}/info", _get_info)
    for method in ("POST", "PATCH"):
        addresses.add(method, "/{c}/{id}/files/{name}/info", _change_info)
        addresses.add(method, "/{c}/{id}/files/{name}/classification", _classify)
    addresses.add("GET", "/analyses/{id}/input_files/{name}/info", _input_info)
    addresses.add("GET", "/files/{fid}", _file)
    addresses.add("DELETE", "/files/{fid}", _delete_by_id)
    addresses.add("GET", "/files/{fid}/versions", _versions)
    addresses.add("GET", "/files/{fid}/download", _download_by_id)
    addresses.add("GET", "/files/{fid}/zip_info", _zip_info)
    addresses.add("GET", "/files/{fid}/zip_member/{member}", _zip_member)
    addresses.add("GET", "/files/{fid}/signed_url", _signed_url)
    addresses.add("POST", "/files/{fid}/move", _move)
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        addresses.add(method, "/files/{fid}/tags", _tags)
    for method in ("GET", "PATCH", "PUT"):
        addresses.add(method, "/files/{fid}/info", _file_info)
    addresses.add("PUT", "/files/{fid}/classification", _file_classification)
