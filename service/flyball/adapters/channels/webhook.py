"""The generic webhook: the message as JSON, with its key and, where a secret is set, its signature. Pure."""

from __future__ import annotations

import hashlib
import hmac

import orjson

from flyball.adapters.channels.texts import Message

KEY = "X-Flyball-Once-Key"
SIGNATURE = "X-Hub-Signature-256"


def webhook_request(message: Message, key: str, secret: str | None) -> tuple[bytes, list[tuple[str, str]]]:
    """Body and headers.

    `X-Flyball-Once-Key` is the same when one message is sent again, new for each repeat; `X-Hub-Signature-256` is
    `sha256=` and the hex HMAC of the body, when a secret is set.
    """
    body = orjson.dumps(dict(message))
    headers = [("Content-Type", "application/json"), (KEY, key)]
    if secret:
        headers.append((SIGNATURE, f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"))
    return body, headers
