"""Downloads of whole containers: a ticket for their files, then an archive laid out by labels."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any

from flyball.sandbox.access import require, visible
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.errors import Refusal, invalid, listed, schema
from flyball.sandbox.files import content_of
from flyball.sandbox.state import PLURALS, Site
from flyball.sandbox.tables import Doc

_ROOT = "scitran"
_LEVELS = ("project", "subject", "session", "acquisition")


def _create(call: Call) -> Reply:
    """`{"nodes": [{"level", "_id"}], "filters": […]}` gives a ticket with a summary."""
    body = call.json_map()
    nodes = listed("nodes", body.get("nodes"), dict)
    if not nodes:
        raise schema("nodes", "a list of nodes is required")
    tests = [_filter(spec) for spec in listed("filters", body.get("filters"), dict)]
    found: dict[str, tuple[str, Doc]] = {}
    for node in nodes:
        level = str(node.get("level"))
        if level not in PLURALS:
            raise schema("nodes", f"{level!r} is no level")
        doc = call.site.get(level, str(node.get("_id")))
        require(call.site, call.user, level, doc, "GET")
        for path, file in _files(call, level, doc):
            if not tests or any(test(file) for test in tests):
                found[file["file_id"]] = (f"{path}/{file['name']}", file)
    if not found:
        raise Refusal(404, "No files matching the given filter could be found")
    name = f"{_ROOT}_{call.site.now:%Y%m%d_%H%M%S}.tar"
    ticket = call.site.ids.uuid()
    call.site.bundles[ticket] = {"filename": name, "files": list(found.values())}
    size = sum(file["size"] for _, file in found.values())
    return Reply(body={"ticket": ticket, "file_cnt": len(found), "size": size, "filename": name})


def _filter(spec: Any) -> Any:
    """`{"types": {"plus": […], "minus": […]}}`, likewise `tags`."""
    if not isinstance(spec, dict):
        raise schema("filters", f"{spec!r} is not of type 'object'")

    def test(file: Doc) -> bool:
        for key, values in (("types", [file["type"]]), ("tags", file["tags"])):
            rule = spec.get(key) or {}
            plus, minus = set(rule.get("plus") or rule.get("+") or []), set(rule.get("minus") or rule.get("-") or [])
            if (plus and not plus & set(values)) or minus & set(values):
                return False
        return True

    return test


def _files(call: Call, level: str, doc: Doc) -> Iterator[tuple[str, Doc]]:
    """The files of a container and of all below it; analyses only when they are asked for themselves."""
    site = call.site
    if level == "collection":
        members = [a for a in site.acquisitions.rows.values() if doc["_id"] in a["collections"]]
    else:
        members = [doc]
        members += [d for lower, d in site.descendants(level, doc["_id"]) if lower != "analysis"]
    seen = visible(site, call.user, "acquisition")
    for member in members:
        if seen is not None and level in {"group", "collection"} and not seen(member):
            continue
        path = f"{member['label']}/output" if level == "analysis" else _path(site, member)
        for file in site.files_of(member):
            yield path, file


def _path(site: Site, doc: Doc) -> str:
    """Root, group, then the labels down to the container; a slash within a label is no level."""
    parents = doc.get("parents", {})
    above = [site.table(level).rows[parents[level]] for level in _LEVELS if level in parents]
    labels = [str(d["label"]).replace("/", "_") for d in [*above, doc]]
    return "/".join([_ROOT, str(parents.get("group", doc["_id"])), *labels])


def _fetch(call: Call) -> Reply:
    """The archive of a ticket; the ticket stands for a key."""
    bundle = call.site.bundles.get(call.query.get("ticket", [""])[-1])
    if bundle is None:
        raise Refusal(404, "No such download ticket")
    form = call.query.get("format", ["tar"])[-1]
    if form not in {"tar", "zip"}:
        raise invalid(400, f"Unknown format {form}")
    members = _unique([(path, content_of(call.site, file)) for path, file in bundle["files"]])
    raw = _tar(members) if form == "tar" else _zip(members)
    name = f"{bundle['filename'].removesuffix('.tar')}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Reply(raw=raw, content_type="application/octet-stream", headers=headers)


def _unique(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Containers of one label share a folder, so that names may need a number."""
    used: dict[str, int] = {}
    named = []
    for path, content in members:
        used[path] = used.get(path, 0) + 1
        if used[path] > 1:
            folder, _, name = path.rpartition("/")
            path = f"{folder}_{used[path] - 1}/{name}"  # noqa: PLW2901 -- the path with its number
        named.append((path, content))
    return named


def _tar(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(mode="w", fileobj=buffer) as archive:
        for path, content in members:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _zip(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members:
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()


def routes(addresses: Addresses) -> None:
    """Register the addresses of downloads of containers."""
    addresses.add("POST", "/download", _create)
    addresses.add("GET", "/download", _fetch)
