"""Incoming webhooks: what a delivery must look like. Pure: bytes and headers in, a verdict out."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SIGNATURE = "x-hub-signature-256"
_IDS = ("x-delivery-id", "x-github-delivery", "x-request-id")
KEPT = 16 * 1024  # bytes of a body that is kept whole in the ledger, for rules to read
_LONGEST = 200  # characters of a delivery's id and of a target that are taken


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery that may be stored.

    Attributes:
        id: of the sender, None when it sent none: then nothing tells a repetition from a new one.
        target: `session:ID`, a bare id or a path of labels; None: the hook only says that something happened.
        more: what else the body says; nothing of a long one (`KEPT`).
    """

    id: str | None
    target: str | None
    more: Mapping[str, Any]


class NotTaken(Exception):  # noqa: N818 - it is an answer
    """The delivery is refused; `status` is the HTTP status to answer with."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def signature(secret: str, body: bytes) -> str:
    """What the signature header must hold: `sha256=` and the hex HMAC of the body."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def check_delivery(secret: str, headers: Mapping[str, str], body: bytes) -> Delivery:
    """Check one delivery.

    Args:
        secret: of the hook.
        headers: with names in lower case.
        body: as received.

    Raises:
        NotTaken: 401 for a missing or wrong signature, 415 for another content type, 400 for a body that is no object.
    """
    given = headers.get(SIGNATURE, "")
    if not hmac.compare_digest(given.encode(), signature(secret, body).encode()):
        raise NotTaken(401, "bad_signature", "the signature in X-Hub-Signature-256 does not fit the body")
    kind = headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise NotTaken(415, "not_json", "send the body as application/json")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise NotTaken(400, "broken_json", "the body is no JSON") from None
    if not isinstance(content, dict):
        raise NotTaken(400, "no_object", 'the body must be an object, such as {"target": "session:ID"}')
    target = content.get("target")
    if target is not None and not (isinstance(target, str) and 0 < len(target) <= 10 * _LONGEST and _is_text(target)):
        raise NotTaken(400, "bad_target", "target is a text: level:ID, an id, or group/project/subject/…")
    ident = next((headers[name][:_LONGEST] for name in _IDS if headers.get(name)), None)
    if ident is not None:  # bytes that are no text came through as lone halves of characters
        ident = ident.encode("utf-8", "backslashreplace").decode()
    more = {key: value for key, value in content.items() if key != "target"} if len(body) <= KEPT else {}
    return Delivery(ident, target, more)


def _is_text(target: str) -> bool:
    """Whether it can be stored: no lone halves of characters, and no NUL."""
    try:
        target.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in target


def read_target(text: str) -> tuple[str | None, str | None, tuple[str, ...]]:
    """A target as (level, id, path): `session:ID` gives level and id, a bare id only that, anything else a path."""
    level, colon, ident = text.partition(":")
    if colon and level.isalpha() and "/" not in level:
        return level, ident, ()
    if len(text) == 24 and all(character in "0123456789abcdef" for character in text):
        return None, text, ()
    return None, None, tuple(text.split("/"))
