"""The read-only session of the status page: a sealed cookie, nothing kept on the server.

The cookie says until when it is good, and carries a seal made with the token: it survives a restart, works on every
replica, ends when the token is changed, and cannot be turned back into the token.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

COOKIE: Final = "flyball_session"
LASTS: Final = timedelta(days=7)  # a screen on the wall is not signed in every morning
_PURPOSE: Final = b"flyball session 1"


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that depends on neither of them, nor on their lengths."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def seal(token: str, now: datetime) -> str:
    """A cookie's value, good for `LASTS` from now on."""
    until = str(int((now + LASTS).timestamp()))
    return f"{until}.{_mac(token, until)}"


def is_open(token: str, value: str, now: datetime) -> bool:
    """Whether a cookie's value was made by us with this token, and is still good."""
    until, _, mac = value.partition(".")
    if not same(mac, _mac(token, until)):
        return False
    return datetime.fromtimestamp(int(until), UTC) > now


def _mac(token: str, until: str) -> str:
    key = hashlib.sha256(_PURPOSE + _bytes(token)).digest()
    return hmac.new(key, _bytes(until), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(_bytes(text)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # as aiohttp reads headers that are no UTF-8
