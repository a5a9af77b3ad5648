"""The token that a login gives: how long it is good for. It is read, not checked: only the server can do that."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

import orjson

EARLY = 60.0  # seconds before its end at which a token is renewed, at the most
SHARE = 0.1  # of its life, for tokens that live shorter


@dataclass(frozen=True, slots=True)
class Token:
    """A JSON Web Token as the server gave it.

    Attributes:
        text: what goes after `JWT ` in the header; a secret.
        issued, expires: seconds since the epoch by the server's clock, None where it does not say.
    """

    text: str = field(repr=False)
    issued: float | None = None
    expires: float | None = None

    def is_due(self, now: float) -> bool:
        """Whether it should be renewed before it is used.

        Args:
            now: seconds since the epoch, by the server's clock.
        """
        if self.expires is None:
            return False
        life = self.expires - self.issued if self.issued is not None else None
        early = EARLY if life is None else min(EARLY, life * SHARE)
        return now >= self.expires - early


def token_of(text: str) -> Token:
    """The token with the times that it claims; none where it cannot be read."""
    parts = text.split(".")
    if len(parts) != 3:
        return Token(text)
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return Token(text)
    if not isinstance(claims, dict):
        return Token(text)
    return Token(text, _seconds(claims.get("iat")), _seconds(claims.get("exp")))


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
