"""Hashes as a site writes them, and whether a file of ours is the one on the site. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

KNOWN: Final = ("sha256", "sha384", "sha512", "sha1", "md5")
_WRITTEN: Final = re.compile(r"(?:v\d+-)?(?:(sha\d+|md5)[-:])?([0-9a-fA-F]{32,128})")
_BY_LENGTH: Final = {96: "sha384", 64: "sha256", 128: "sha512"}


def digest_of(text: Any) -> tuple[str, str] | None:
    """Name and hex of a hash as the site writes it (`v0-sha384-…`, live19); None for one of no known kind."""
    found = _WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    name = found[1] or _BY_LENGTH.get(len(found[2]))
    return (name, found[2].lower()) if name in KNOWN else None


def is_same(record: Mapping[str, Any], size: int, digests: Mapping[str, str]) -> bool | None:
    """Whether a file's record is of this content; None: only its bytes can tell.

    Another hash does not settle it: some sites tell hashes of something else.
    """
    theirs = record.get("size")
    if isinstance(theirs, int) and theirs != size:
        return False
    digest = digest_of(record.get("hash"))
    if digest is None or digest[0] not in digests:
        return None
    return True if digests[digest[0]] == digest[1] else None
