"""Once-keys: what makes an effect the same effect, for ever and on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import orjson

PREFIX = "fb-"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PLACES = range(125, -1, -5)  # of 26 digits of 5 bits
DEEPEST = 100  # levels of nesting that count
_ORDERED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
NOT_READ = frozenset({"modified", "revision"})  # book-keeping of the site: no rule looks at them


def once_key(*parts: Any) -> str:
    """`fb-` and 26 base32 characters (130 bits) of a hash over the parts.

    Args:
        parts: JSON values; their order counts, the order of keys in maps does not.
    """
    number = int.from_bytes(hashlib.sha256(_canonical(parts).encode()).digest()[:17], "big") >> 6
    return PREFIX + "".join([_BASE32[number >> place & 31] for place in _PLACES])


def suffix(key: str) -> str:
    """How the key ends a label, a note or a collection's name: ` [fb-xxxxxx]`."""
    return f" [{key[: len(PREFIX) + 6]}]"


def fingerprint(value: Any) -> str:
    """A short hash (128 bits, hex) of a JSON value, the same for equal values whatever the order of keys."""
    return hashlib.blake2b(_bytes(value), digest_size=16).hexdigest()


def whole_of(doc: Mapping[str, Any]) -> str:
    """Fingerprint of all that can be read of a document; the order of its tags does not count."""
    plain = {key: value for key, value in doc.items() if key not in NOT_READ}
    tags = doc.get("tags")
    if isinstance(tags, list):
        plain["tags"] = sorted(map(str, tags))
    return fingerprint(plain)


def _bytes(value: Any) -> bytes:
    """What is hashed of a value: as orjson writes it, eight times as fast, for each row of each page is hashed."""
    try:
        return orjson.dumps(value, default=_text, option=_ORDERED)
    except TypeError:  # of what it cannot write: numbers of more than 64 bits, broken Unicode, very deep nesting
        return _canonical(value).encode()


def _canonical(value: Any) -> str:
    """One text for equal values. Unknown types are written as Python prints them."""
    try:
        return _written(value)
    except (TypeError, RecursionError):
        return _written(_plain(value))


def _written(value: Any) -> str:
    return _ENCODER.encode(value)


def _text(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_text)


def _plain(value: Any, depth: int = 0) -> Any:
    """What has an order and an end: keys of several types have no order (YAML allows `{1: a, b: c}`), and what a person
    nested hundreds of levels deep into `info` would exhaust the stack.
    """
    if depth >= DEEPEST:
        return type(value).__name__
    if isinstance(value, Mapping):
        return {f"{type(key).__name__}:{key}": _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return value
