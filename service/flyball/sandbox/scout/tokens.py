"""Tokens as the server makes and reads them: JWT, signed with HMAC and SHA-256 (RFC 7519).

Written out here rather than taken from a library, since the wording of each refusal is part of what
clients see.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Any

import orjson

from flyball.sandbox.scout.errors import TokenRefusal

_HEADER_PARTS = 2
_SEGMENTS = 3


def make_token(secret: str, user_id: int, now: datetime, life_s: float) -> str:
    """A token for a user, good from now for so many seconds."""
    moment = int(now.timestamp())
    claims = {"exp": int(now.timestamp() + life_s), "iat": moment, "nbf": moment, "identity": user_id}
    head = _encode(orjson.dumps({"typ": "JWT", "alg": "HS256"}))
    signed = head + "." + _encode(orjson.dumps(claims))
    return signed + "." + _encode(_sign(secret, signed))


def read_header(secret: str, header: str | None, now: datetime) -> int:
    """The user id in an `Authorization` header.

    Raises:
        TokenRefusal: absent, of another scheme, malformed, not ours, or expired.
    """
    if not header:
        raise TokenRefusal("Authorization Required", "Request does not contain an access token")
    parts = header.split()
    if parts[0].lower() != "jwt":
        raise TokenRefusal("Invalid JWT header", "Unsupported authorization type")
    if len(parts) < _HEADER_PARTS:
        raise TokenRefusal("Invalid JWT header", "Token missing")
    if len(parts) > _HEADER_PARTS:
        raise TokenRefusal("Invalid JWT header", "Token contains spaces")
    claims = _read(secret, parts[1])
    if float(claims.get("exp", 0)) <= now.timestamp():
        raise _bad("Signature has expired")
    return int(claims.get("identity", 0))


def _read(secret: str, token: str) -> dict[str, Any]:
    segments = token.split(".")
    if len(segments) < _SEGMENTS:
        raise _bad("Not enough segments")
    if len(segments) > _SEGMENTS:
        raise _bad("Too many segments")
    header = _load(segments[0], "header")
    claims = _load(segments[1], "payload")
    if header.get("alg") != "HS256":
        raise _bad("The specified alg value is not allowed")
    expected = _sign(secret, f"{segments[0]}.{segments[1]}")
    if not hmac.compare_digest(expected, _decode(segments[2], "crypto")):
        raise _bad("Signature verification failed")
    return claims


def _load(segment: str, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(_decode(segment, what).decode())
    except (UnicodeDecodeError, orjson.JSONDecodeError) as error:
        raise _bad(f"Invalid {what} string: {error}") from error
    if not isinstance(value, dict):
        raise _bad(f"Invalid {what} string: must be a json object")
    return value


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(segment: str, what: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError) as error:
        raise _bad(f"Invalid {what} padding") from error


def _sign(secret: str, text: str) -> bytes:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()


def _bad(description: str) -> TokenRefusal:
    return TokenRefusal("Invalid token", description)
