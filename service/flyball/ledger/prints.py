"""Fingerprints: of what is packed, and of a node's content (what people and scanners put there). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flyball.rules.keys import fingerprint

# Tags, notes, jobs and analyses do not restart `settle`. An allow-list, because list rows and single answers differ
# in the rest.
_CONTENT = frozenset(
    [
        "label",
        "name",
        "timestamp",
        "timezone",
        "uid",
        "age",
        "sex",
        "info",
        "type",
        "modality",
        "classification",
        "size",
        "version",
        "hash",
        "replaced",
    ]
)


def content_of(parents: Mapping[str, str], doc: Mapping[str, Any]) -> str:
    """Fingerprint of where a node hangs and what it holds."""
    return fingerprint([dict(parents), {key: value for key, value in doc.items() if key in _CONTENT}])


def print_of(*parts: bytes) -> str:
    """Fingerprint (128 bits, hex) of what is packed already."""
    return hashlib.blake2b(b"\0".join(parts), digest_size=16).hexdigest()
