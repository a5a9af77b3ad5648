"""Files of containers: upload, replacement, metadata, deletion, content.

A file keeps its `file_id` over its versions while `_id` names the version. An upload under a known
name makes a new version that keeps `created` but starts without the old one's info, tags,
classification and modality (live19).
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from flyball.sandbox.errors import Refusal, invalid, listed, mapped, schema, unexpected
from flyball.sandbox.ids import Oid
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

KINDS = {
    ".nii.gz": ("nifti", "application/gzip"),
    ".nii": ("nifti", "application/octet-stream"),
    ".dicom.zip": ("dicom", "application/zip"),
    ".dcm.zip": ("dicom", "application/zip"),
    ".qa.html": ("qa", "text/html"),
    ".html": ("HTML", "text/html"),
    ".zip": ("archive", "application/zip"),
    ".csv": ("tabular data", "text/csv"),
    ".tsv": ("tabular data", "text/tab-separated-values"),
    ".txt": ("text", "text/plain"),
    ".json": ("source code", "application/json"),
    ".pdf": ("pdf", "application/pdf"),
    ".bval": ("bval", "application/octet-stream"),
    ".bvec": ("bvec", "application/octet-stream"),
}
MODALITIES: dict[str, dict[str, list[str]]] = {
    "MR": {
        "Intent": ["Localizer", "Shim", "Calibration", "Fieldmap", "Structural", "Functional", "Screenshot"],
        "Measurement": ["B0", "B1", "T1", "T2", "T2*", "PD", "MT", "ASL", "Perfusion", "Diffusion", "Fieldmap"],
        "Features": ["Quantitative", "Multi-Shell", "Multi-Echo", "Multi-Flip", "Steady-State", "SBRef"],
    }
}
_PIECE = 1 << 20
WRITABLE = {"name", "type", "modality", "info", "classification", "tags", "mimetype", "size", "zip_member_count"}


def kind_of(name: str) -> tuple[str | None, str]:
    """File type and media type, by the end of the name."""
    for ending, kind in KINDS.items():
        if name.endswith(ending):
            return kind
    return None, "application/octet-stream"


def find_file(site: Site, doc: Doc, name: str) -> Doc | None:
    """The container's file of a name."""
    return next((file for file in site.files_of(doc) if file["name"] == name), None)


def get_file(site: Site, doc: Doc, name: str) -> Doc:
    """The container's file of a name.

    Raises:
        Refusal: 404.
    """
    file = find_file(site, doc, name)
    if file is None:
        raise Refusal(404, f"Element not found in list files of container: {name}")
    return file


def put_file(
    site: Site,
    level: str,
    doc: Doc,
    name: str,
    *,
    content: bytes | None = None,
    origin: Doc | None = None,
    preserve: bool = False,
    **meta: Any,
) -> Doc:
    """Add a file to a container, or a new version of one it has.

    Args:
        site: the site.
        level: the container's level.
        doc: the container.
        name: the file's name.
        content: its bytes; None for a made-up file whose bytes are made up when asked for.
        origin: `{"type", "id"}` of who made it.
        preserve: keep the metadata of the version that is replaced.
        meta: type, modality, classification, info, tags, size.
    """
    old = find_file(site, doc, name)
    kind, mimetype = kind_of(name)
    version = site.ids.uuid()
    announced = int(meta.pop("size", len(name)))
    size = len(content) if content is not None else announced
    digest = hashlib.sha384()
    for chunk in [content] if content is not None else made_up(version, 0, size):
        digest.update(chunk)
    kept: Doc = {k: old[k] for k in ("info", "tags", "classification", "modality", "type")} if old and preserve else {}
    file: Doc = {
        "_id": version,
        "name": name,
        "type": kind,
        "mimetype": mimetype,
        "modality": None,
        "size": size,
        "classification": {},
        "tags": [],
        "info": {},
        "hash": f"v0-sha384-{digest.hexdigest()}",
        "origin": origin or {"type": "user", "id": next(iter(site.users.ids), "admin@example.org")},
        "created": old["created"] if old else site.now,
        "modified": site.now,
        **kept,
        **meta,
    }
    if content is not None:
        site.contents[version] = content
    if old is None:
        parents = {**doc.get("parents", {}), level: doc["_id"]}
        file |= {"file_id": site.ids.oid(site.now), "version": 1, "revision": 1}
        file |= {"parent_ref": {"type": level, "id": doc["_id"]}, "parents": parents}
        doc["files"] = [*site.files_of(doc), file]
    else:
        file |= {k: old[k] for k in ("file_id", "parent_ref", "parents")}
        file |= {"version": old["version"] + 1, "revision": old["revision"] + 1, "replaced": site.now}
        site.versions.setdefault(old["file_id"], []).append(old)
        site.files.drop(old["file_id"])
        doc["files"] = [file if f is old else f for f in doc["files"]]
    return site.files.add(file)


def owner(site: Site, file: Doc) -> tuple[str, Doc]:
    """The container of a file, with its level."""
    ref = file["parent_ref"]
    return ref["type"], site.get(ref["type"], ref["id"])


def delete_file(site: Site, level: str, doc: Doc, name: str) -> None:
    """Delete a file, or nothing: either way the container moves (live19).

    Raises:
        Refusal: 403 when an analysis uses the file (live19).
    """
    file = find_file(site, doc, name)
    if file is not None:
        refuse_if_used(site, f"file {name}", [file])
        doc["files"] = [f for f in doc["files"] if f is not file]
        site.forget_file(file)
    site.touch(level, doc)


def refuse_if_used(site: Site, what: str, files: list[Doc]) -> None:
    """Refuse a deletion when analyses took one of the files as input (403 `analysis_conflict`, live19)."""
    versions = {file["_id"] for file in files}
    users = [str(a["_id"]) for a in site.analyses.rows.values() if any(i["_id"] in versions for i in a["inputs"])]
    if users:
        raise Refusal(403, f"Cannot delete {what} referenced by analyses {users}", reason="analysis_conflict")


def modify_file(site: Site, level: str, doc: Doc, file: Doc, body: Doc) -> None:
    """Set type or modality: the container moves, not the file; a new modality clears the classification."""
    if not body:
        raise schema("none", "{} does not have enough properties")
    for key in body:
        if key not in {"type", "modality", "classification"}:
            raise unexpected(key)
    if "modality" in body and body["modality"] != file["modality"]:
        file["classification"] = {}
    file.update(body)
    site.files.changed(file)
    site.touch(level, doc)


def classify(site: Site, file: Doc, body: Doc) -> None:
    """Change a classification by `add`, `delete` or `replace` (with `modality`).

    Raises:
        Refusal: 422 for a value that the modality does not know (live19).
    """
    modality = body.get("modality", file["modality"])
    current: dict[str, list[str]] = dict(file["classification"])
    if "replace" in body:
        current = dict(mapped("replace", body["replace"]))
    for aspect, values in mapped("add", body.get("add")).items():
        current[aspect] = sorted({*current.get(aspect, []), *listed(aspect, values)})
    for aspect, values in mapped("delete", body.get("delete")).items():
        current[aspect] = [v for v in current.get(aspect, []) if v not in values]
    for values in current.values():
        listed("classification", values)
    known = MODALITIES.get(modality or "")
    unknown = [
        f"{aspect}:{value}"
        for aspect, values in current.items()
        for value in values
        if known is not None and value not in known.get(aspect, [])
    ]
    if unknown:
        text = f"Classification does not match format for modality {modality}. Unallowable key-value pairs: {unknown}"
        raise invalid(422, text, unaccepted_keys=unknown)
    file["modality"] = modality
    file["classification"] = {aspect: values for aspect, values in current.items() if values}
    site.files.moved(file, site.now)


def retag_file(site: Site, file: Doc, tags: list[str]) -> None:
    """Set the file's tags: the file moves, its container does not."""
    site.files.retag(file, tags)
    site.files.moved(file, site.now)


def content_of(site: Site, file: Doc) -> bytes:
    """The bytes of a file; made up, but always the same, for files that the scenario made."""
    stored = site.contents.get(file["_id"])
    return stored if stored is not None else b"".join(made_up(file["_id"], 0, file["size"]))


def made_up(version: str, start: int, end: int) -> Iterator[bytes]:
    """A stretch of the content of a file that was never sent, in pieces."""
    seed = f"{version}\n".encode()
    block = seed * (min(_PIECE, end) // len(seed) + 2)
    while start < end:
        at = start % len(seed)
        piece = block[at : at + min(_PIECE, end - start)]
        yield piece
        start += len(piece)


def version_of(site: Site, file: Doc, version: int | None) -> Doc:
    """A file's record of a version.

    Raises:
        Refusal: 404.
    """
    if version is None or version == file["version"]:
        return file
    for old in site.versions.get(file["file_id"], []):
        if old["version"] == version:
            return old
    raise Refusal(404, f"No version {version} of file {file['file_id']}")


def by_file_id(site: Site, file_id: str) -> Doc:
    """A file by its id.

    Raises:
        Refusal: 404.
    """
    file = site.files.rows.get(Oid(file_id))
    if file is None:
        raise Refusal(404, f"File {file_id} not found")
    return file
