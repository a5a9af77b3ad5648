"""Requests about files and what is in them: reading, zip members, uploading by form or by ticket."""

from __future__ import annotations

import json
import math
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from flyball.clients.exchange import Does, Request, Slice, from_json, to_json
from flyball.clients.flywheel.wire.answers import Misshapen
from flyball.clients.flywheel.wire.levels import address
from flyball.clients.flywheel.wire.reads import JSON_BODY

OCTETS: Final = ("Accept", "application/octet-stream")
PART: Final = 256 * 1024
"""Parts of a signed upload are multiples of this, but for the last (SDK 23 wire)."""

GOOGLE: Final = "googleapis"
_KINDS: Final = mimetypes.MimeTypes()  # what Python knows by itself, the same on every machine


def file_content(
    level: str, ident: str, name: str, *, version: int | None = None, member: str | None = None, begin: int = 0
) -> Request:
    """The bytes of a file on a container, or of one member of a zip file; from byte `begin` on.

    A range is only honoured with `view=true` (live19), and never for members.
    """
    path, template = address(level, ident, "files", f"{{name}}={name}")
    query: list[tuple[str, str]] = []
    if member is not None:
        query.append(("member", member))
    if version is not None:
        query.append(("version", str(version)))
    headers: tuple[tuple[str, str], ...] = (OCTETS, ("Accept-Encoding", "identity"))
    if begin:
        query.append(("view", "true"))
        headers += (("Range", f"bytes={begin}-"),)
    return Request("GET", path, tuple(query), headers, template=template)


def zip_info(level: str, ident: str, name: str, *, version: int | None = None) -> Request:
    """What a zip file on a container holds."""
    path, template = address(level, ident, "files", f"{{name}}={name}")
    query = (("info", "true"), *((("version", str(version)),) if version is not None else ()))
    return Request("GET", path, query, template=template)


def zip_members(body: bytes) -> list[dict[str, Any]]:
    """The members in such an answer: `[{"path", "size", …}]`."""
    value = _parsed(body)
    members = value.get("members") if isinstance(value, dict) else None
    if not isinstance(members, list):
        raise Misshapen("no list of members")
    return [one for one in members if isinstance(one, dict) and isinstance(one.get("path"), str)]


def upload_form(level: str, ident: str, name: str, content: Slice, metadata: Mapping[str, Any], mark: str) -> Request:
    """A file as form data, its metadata first (SDK 23 wire); `mark` is the boundary, which the file must not hold."""
    path, template = address(level, ident, "files")
    kind = _KINDS.guess_type(name)[0] or "application/octet-stream"
    head = b""
    if metadata:
        about = json.dumps(dict(metadata))
        head += f'--{mark}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{about}\r\n'.encode()
    head += (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(name)}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    ).encode()
    pieces: tuple[bytes | Slice, ...] = (head, content, f"\r\n--{mark}--\r\n".encode())
    headers = (("Content-Type", f"multipart/form-data; boundary={mark}"),)
    return Request("POST", path, (), headers, None, Does.CREATE, template, pieces=pieces)


def ask_ticket(level: str, ident: str, name: str, size: int, metadata: Mapping[str, Any], *, keep: bool) -> Request:
    """Ask where to put a file: a ticket, and addresses that the site has signed. Makes nothing yet.

    `keep`: the file's metadata shall survive its replacement (v23).
    """
    path, template = address(level, ident, "files")
    about: Any = {**metadata, "name": name, "size": size}
    query = (("ticket", ""), *((("preserve_metadata", "true"),) if keep else ()))
    body = to_json({"metadata": [about] if level == "analysis" else about, "filenames": [name]})
    return Request("POST", path, query, (JSON_BODY,), body, Does.READ, template)


def use_ticket(
    level: str, ident: str, ticket: str, *, keep: bool, parts: tuple[Sequence[str], str] | None = None
) -> Request:
    """All is there: the file is made. `parts`: what S3 answered to each part, and the id of the upload."""
    path, template = address(level, ident, "files")
    query = (("ticket", ticket), *((("preserve_metadata", "true"),) if keep else ()))
    body = None
    if parts is not None:
        body = to_json({"multipart": {"e_tags": list(parts[0]), "upload_id": parts[1]}})
    return Request("POST", path, query, (JSON_BODY,), body, Does.CREATE, template, secrets=(ticket,))


def ticket_of(body: bytes, name: str) -> tuple[str, list[str], dict[str, str]]:
    """The ticket, the signed addresses in order, and the headers that go there."""
    value = _parsed(body)
    ticket = value.get("ticket") if isinstance(value, dict) else None
    urls = value.get("urls") if isinstance(value, dict) else None
    found = urls.get(name) if isinstance(urls, dict) else None
    found = [found] if isinstance(found, str) else found
    if not isinstance(ticket, str) or not isinstance(found, list) or not found or not all(map(_is_text, found)):
        raise Misshapen("no ticket with addresses")
    headers = value.get("headers")
    given = headers if isinstance(headers, dict) else {}
    return ticket, found, {str(key): str(text) for key, text in given.items()}


def part_size(size: int, parts: int) -> int:
    """Bytes of each part but the last (SDK 23 wire)."""
    return math.ceil(math.ceil(size / parts) / PART) * PART if parts > 1 else size


def part_headers(url: str, headers: Mapping[str, str], begin: int, length: int, size: int) -> dict[str, str]:
    """The headers for one part: those that the site named; Google is told which bytes they are (SDK 23 wire)."""
    host = urlsplit(url)
    several = length != size
    if several and GOOGLE in host.netloc + host.path:
        span = f"bytes {begin}-{begin + length - 1}/{size}"
        return {**headers, "Content-Type": "application/octet-stream", "Content-Range": span}
    return dict(headers)


def upload_id(url: str) -> str | None:
    """The id of an S3 upload in parts, as its addresses have it."""
    found = parse_qs(urlsplit(url).query).get("uploadId")
    return found[0] if found else None


def replace_classification(
    level: str, ident: str, name: str, values: Mapping[str, Any], modality: str | None
) -> Request:
    """Set a file's classification, and its modality."""
    path, template = address(level, ident, "files", f"{{name}}={name}", "classification")
    body: dict[str, Any] = {"replace": dict(values)}
    if modality:
        body["modality"] = modality
    return Request("PATCH", path, headers=(JSON_BODY,), body=to_json(body), does=Does.SET, template=template)


def modify_file(level: str, ident: str, name: str, values: Mapping[str, Any]) -> Request:
    """Set a file's `type` or `modality`."""
    path, template = address(level, ident, "files", f"{{name}}={name}")
    return Request("PUT", path, headers=(JSON_BODY,), body=to_json(dict(values)), does=Does.SET, template=template)


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        raise Misshapen("no JSON") from None


def parts_of(size: int, parts: int) -> Iterator[tuple[int, int]]:
    """Beginning and length of each part."""
    each = part_size(size, parts)
    for number in range(parts):
        begin = min(number * each, size)
        yield begin, min(each, size - begin)
