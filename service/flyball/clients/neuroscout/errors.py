"""From Neuroscout's answer to an error named by what to do next. Pure.

    status                       READ, SET                CREATE, ADD
    401 with `description`       SignedOut: the token, or the password (whose request it was tells which)
    401 with `message`           Refused: the account is unconfirmed or disabled
    404                          Gone; also what belongs to somebody else
    404 "must be given a name"   Permanent
    429                          Transient                Transient
    500, 502, 503, 504, 408      Transient                UnknownOutcome
    200 with a web page          Transient                UnknownOutcome
    3xx, other 4xx               Permanent                Permanent

A web page in place of JSON is what the server sends for an address below `/api` that it does not know, and what a proxy
sends while the server is away; so it is tried again, with the advice to check the address.

Five shapes of error bodies are on record: `{"message": text}`, `{"message": {"json": {field: [texts]}}}`,
`{"message": {"message": text}}`, `{"message": {field: text}}`, and `{"description", "error", "status_code"}`; beside
them HTML pages, and no answer at all (which the transport names).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from flyball.clients.exchange import Does, Request, Response, from_json, retry_after, trimmed
from flyball.model.errors import Gone, Permanent, Refused, SiteError, Transient, UnknownOutcome

_MAYBE_LATER = frozenset({408, 425})
_WRITES = frozenset({Does.CREATE, Does.ADD})
_WORDS = 300  # characters of a validation error that are shown


class SignedOut(Refused):
    """401 about the token or the password: a new login may help."""


def error_of(request: Request, response: Response, *, site: str, now: datetime) -> SiteError:
    """The error that an answer outside 2xx means.

    Args:
        request: what was sent; decides what an unclear answer means.
        response: the answer.
        site: the configured name of the site, put before the text.
        now: the present in UTC, for Retry-After dates.
    """
    status, body = response.status, _json(response)
    reason = reason_of(response, secrets=request.secrets)
    message = f"{site}: {request.name} answered {status}{': ' if reason else ''}{reason}"
    if status == 429:
        return Transient(message, wait=retry_after(response.headers, now), status=status, site=site)
    if status >= 500 or status in _MAYBE_LATER:
        if request.does in _WRITES:
            return UnknownOutcome(message, status=status, site=site)
        return Transient(message, wait=retry_after(response.headers, now), status=status, site=site)
    if status == 401 and isinstance(body, dict) and "message" not in body:
        return SignedOut(message, status=status, site=site)
    if status in (401, 402, 403, 407):
        return Refused(message, status=status, site=site)
    if status == 404:
        if body is None:
            message += "; is the address of the site right? It ends in /api"
            return Transient(message, status=status, site=site)
        if "must be given a name" in reason:
            return Permanent(message, status=status, site=site)
        return Gone(f"{message} (or it belongs to somebody else)", status=status, site=site)
    if 300 <= status < 400:
        message += "; the server sends us elsewhere, check the address of the site"
    elif body is None:
        message += "; check the address of the site: it ends in /api"
    return Permanent(message, status=status, site=site)


def unusable(request: Request, response: Response, what: str, *, site: str) -> SiteError:
    """The error for a 2xx answer that cannot be used: a web page, broken JSON, or not the shape that was asked for."""
    message = f"{site}: {request.name} answered {response.status} with {what}"
    if request.does in _WRITES:
        return UnknownOutcome(message, status=response.status, site=site)
    return Transient(message, status=response.status, site=site)


def reason_of(response: Response, *, secrets: tuple[str, ...] = ()) -> str:
    """The server's own words in one line, trimmed and without the given secrets."""
    body = _json(response)
    if not isinstance(body, Mapping):
        return _words_of_page(response.body, secrets) if body is None else ""
    found = body.get("message", body.get("description"))
    return trimmed("; ".join(_told(found)), limit=_WORDS, secrets=secrets)


def _told(found: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The texts of an error body, each with the field that it is about."""
    if isinstance(found, Mapping):
        for key, value in found.items():
            inner = key in ("json", "query", "form", "files", "message")
            yield from _told(value, path if inner else (*path, str(key)))
    elif isinstance(found, list):
        for item in found:
            yield from _told(item, path)
    elif found is not None:
        yield f"{'.'.join(path)}: {found}" if path else str(found)


def _json(response: Response) -> Any:
    """The JSON of an answer, None where there is none."""
    if not response.is_json:
        return None
    try:
        return from_json(response.body)
    except ValueError:
        return None


def _words_of_page(body: bytes, secrets: tuple[str, ...]) -> str:
    """What an HTML or text answer says: its title, else its beginning without markup."""
    text = body[:4096].decode("utf-8", errors="replace")
    title = re.search(r"<title[^>]*>(.*?)</title>", text, flags=re.IGNORECASE | re.DOTALL)
    text = title[1] if title else re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    return trimmed(text, limit=100, secrets=secrets)
