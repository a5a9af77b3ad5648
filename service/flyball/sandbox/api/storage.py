"""The object storage over HTTP: puts and gets at signed addresses, which need no key."""

import hashlib

from flyball.sandbox.api.call import Reply, Request
from flyball.sandbox.files import made_up
from flyball.sandbox.state import Site
from flyball.sandbox.storage import Grant
from flyball.sandbox.tables import Doc

_AT_ONCE = 4 << 20


def answer_storage(site: Site, request: Request) -> Reply:
    """Carry out a request to the storage; its path segments are the bucket and the key."""
    grant = site.storage.granted(request.method, request.segments, request.query.get("sig", [""])[-1], site.now)
    if grant is None:
        return _refused(403, "AccessDenied", "The address is not signed for this, or no longer")
    if "authorization" in request.headers:
        return _refused(400, "InvalidArgument", "Only one auth mechanism allowed")
    return _put(site, grant, request) if grant.method == "PUT" else _get(site, grant, request)


def _put(site: Site, grant: Grant, request: Request) -> Reply:
    if "content-length" not in request.headers:
        return _refused(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    if grant.kind == "azure" and request.headers.get("x-ms-blob-type") != "BlockBlob":
        return _refused(400, "MissingRequiredHeader", "x-ms-blob-type is missing")
    site.storage.parts[grant.key][grant.part] = request.body
    tag = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
    status = {"azure": 201, "gcs": 200 if grant.last else 308}.get(grant.kind, 200)
    return Reply(status=status, raw=b"", content_type="application/xml", headers={"ETag": f'"{tag}"'})


def _get(site: Site, grant: Grant, request: Request) -> Reply:
    if "content-type" in request.headers:
        # It would be a part of what was signed.
        return _refused(403, "SignatureDoesNotMatch", "The request carries a header that was not signed")
    if grant.file is None:
        return _refused(404, "NoSuchKey", "The object does not exist")
    return ranged(site, grant.file, request.headers.get("range"))


def ranged(site: Site, file: Doc, wanted: str | None, headers: dict[str, str] | None = None) -> Reply:
    """The bytes of a file, or the part of them that a `Range` header asks for (206; 416 beyond the end)."""
    headers = dict(headers or {})
    size = len(site.contents[file["_id"]]) if file["_id"] in site.contents else int(file["size"])
    span = _span(wanted, size)
    if span is None:
        return _stretch(site, file, 200, 0, size, headers)
    start, end = span
    if start >= size or end < start:
        headers["Content-Range"] = f"bytes */{size}"
        return Reply(status=416, body={"message": "Range not satisfiable", "status_code": 416}, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return _stretch(site, file, 206, start, end + 1, headers)


def _span(wanted: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of a range; None for all, also where the header cannot be read."""
    if wanted is None or not wanted.startswith("bytes=") or "," in wanted:
        return None
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    if not first and last.isdigit():
        return max(0, size - int(last)), size - 1
    if first.isdigit() and (not last or last.isdigit()):
        return int(first), min(int(last or size - 1), size - 1)
    return None


def _stretch(site: Site, file: Doc, status: int, start: int, end: int, headers: dict[str, str]) -> Reply:
    """A part of a file; in pieces when it is large and made up."""
    stored = site.contents.get(file["_id"])
    media = file["mimetype"]
    if stored is not None:
        return Reply(status=status, raw=stored[start:end], content_type=media, headers=headers)
    pieces = made_up(file["_id"], start, end)
    if end - start <= _AT_ONCE:
        return Reply(status=status, raw=b"".join(pieces), content_type=media, headers=headers)
    return Reply(status=status, content_type=media, headers=headers, chunks=pieces, length=end - start)


def _refused(status: int, code: str, message: str) -> Reply:
    """Storages answer in XML."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Reply(status=status, raw=text.encode(), content_type="application/xml")
