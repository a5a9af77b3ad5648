"""The object storage beside the site: addresses that are good without a key, for one object and one use.

It speaks as the clouds do where clients tell them apart: by the name of the host (here a part of the
path), parts with ETags, 308 between chunks, headers that have to be there or must not.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flyball.sandbox.ids import IdMaker
from flyball.sandbox.tables import Doc

KINDS = ("plain", "s3", "gcs", "azure")
_BUCKETS = {"plain": "bucket", "s3": "bucket.s3.local", "gcs": "storage.googleapis.local", "azure": "lab.blob.local"}
_UPLOAD_LASTS = timedelta(hours=1)
_DOWNLOAD_LASTS = timedelta(seconds=60)
_PART = 256 * 1024
_MOST_PARTS = 16


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signature is good for."""

    method: str
    kind: str
    key: str
    part: int
    last: bool
    until: datetime
    file: Doc | None = None
    """The version of a file that may be fetched."""


@dataclass(slots=True)
class Storage:
    """Objects that were put, and the signatures that are out."""

    ids: IdMaker
    base: str = ""
    """Scheme, host and port, when the storage has a place of its own."""
    grants: dict[str, Grant] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def upload_urls(self, base: str, kind: str, size: int, now: datetime, *, many: bool) -> tuple[str, list[str]]:
        """The key of a new object and the addresses to which its parts are to be put.

        Args:
            base: scheme, host and port of the site.
            kind: how the storage speaks.
            size: the object's bytes as announced.
            now: the time.
            many: whether the client takes more than one address.
        """
        key = self.ids.uuid()
        self.parts[key] = {}
        parts = min(_MOST_PARTS, max(1, -(-size // _PART))) if many and kind in {"s3", "gcs"} else 1
        urls = []
        for part in range(1, parts + 1):
            grant = Grant("PUT", kind, key, part, last=part == parts, until=now + _UPLOAD_LASTS)
            extra = f"partNumber={part}&uploadId={key}&" if kind == "s3" else ""
            urls.append(self._sign(base, grant, extra))
        return key, urls

    def download_url(self, base: str, kind: str, file: Doc, now: datetime) -> str:
        """An address from which a version of a file can be had for a short time."""
        grant = Grant("GET", kind, str(file["_id"]), 1, last=True, until=now + _DOWNLOAD_LASTS, file=file)
        return self._sign(base, grant, "")

    def granted(self, method: str, place: list[str], signature: str, now: datetime) -> Grant | None:
        """The grant that a request has by its signature, if it is good for this and still is."""
        grant = self.grants.get(signature)
        if grant is None or grant.method != method or now > grant.until:
            return None
        return grant if place == [_BUCKETS[grant.kind], grant.key] else None

    def _sign(self, base: str, grant: Grant, extra: str) -> str:
        signature = hashlib.sha256(self.ids.uuid().encode()).hexdigest()[:32]
        self.grants[signature] = grant
        return f"{self.base or base}/storage/{_BUCKETS[grant.kind]}/{grant.key}?{extra}sig={signature}"

    def headers(self, kind: str) -> dict[str, str]:
        """The headers that have to be sent with an upload."""
        return {"x-ms-blob-type": "BlockBlob"} if kind == "azure" else {}

    def whole(self, key: str) -> bytes | None:
        """The object of a key once something was put; its parts in their order."""
        parts = self.parts.get(key)
        return b"".join(parts[number] for number in sorted(parts)) if parts else None
