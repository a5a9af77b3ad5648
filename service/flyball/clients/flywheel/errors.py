"""From a site's answer to an error named by what to do next. Pure.

    status                      READ, SET            ADD, CREATE
    429                         Transient            Transient (it was turned away, so nothing was done)
    408, 425, 502, 503, 504     Transient            UnknownOutcome (a proxy may say so while the site goes on)
    500 and other 5xx           Transient            UnknownOutcome
    500 with a known complaint  Permanent            Permanent
    401, 402, 403, 407          Refused              Refused
    404, 410                    Gone                 Gone
    404 with an HTML page       Transient            Transient (a proxy has lost the site; the API answers JSON)
    501, 3xx, other 4xx         Permanent            Permanent

A 500 is Transient with `status=500`, so that a caller can give it fewer tries than a 503: K19 answered 500 to plain
input errors (a malformed id, a job retried twice), which no repetition heals. Those whose words are on record are
Permanent at once.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from flyball.clients.exchange import Does, Request, Response, from_json, retry_after, trimmed
from flyball.model.errors import Gone, Permanent, Refused, SiteError, Transient, UnknownOutcome

_MAYBE_LATER = frozenset({408, 425, 502, 503, 504})
_PLAIN_COMPLAINTS = (
    "is not a valid ObjectId",
    "has already been retried",
    "does not support sorting",
    "is not supported for pipelines",
    "object has no attribute",
)  # live19: 500s that are plain input errors
_REFUSALS = {
    401: "the site does not accept the API key (wrong, expired or revoked)",
    402: "the site does not know this user, or has disabled it",
    403: "the site does not permit this to the API key's user",
    407: "a proxy in between asks for a login of its own",
}


def error_of(request: Request, response: Response, *, site: str, now: datetime) -> SiteError:
    """The error that an answer outside 2xx means.

    Args:
        request: what was sent; decides what an unclear answer means.
        response: the answer.
        site: the configured name of the site, put before the text.
        now: the present in UTC, for Retry-After dates.
    """
    reason, request_id = reason_of(response, secrets=request.secrets)
    status = response.status
    message = f"{site}: {request.name} answered {status}{': ' if reason else ''}{reason}"
    if status == 429:
        wait = retry_after(response.headers, now)
        return Transient(message, wait=wait, status=status, request_id=request_id, site=site)
    if status == 501:
        return Permanent(message, status=status, request_id=request_id, site=site)
    if status >= 500 or status in _MAYBE_LATER:
        if status == 500 and any(words in reason for words in _PLAIN_COMPLAINTS):
            return Permanent(message, status=status, request_id=request_id, site=site)
        if request.does in (Does.READ, Does.SET):
            wait = retry_after(response.headers, now)
            return Transient(message, wait=wait, status=status, request_id=request_id, site=site)
        return UnknownOutcome(message, status=status, request_id=request_id, site=site)
    if status in _REFUSALS:
        message = f"{site}: {request.name}: {_REFUSALS[status]}{f' ({reason})' if reason else ''}"
        return Refused(message, status=status, request_id=request_id, site=site)
    if status == 404 and re.match(rb"\s*<(!doctype|html)", response.body[:200], flags=re.IGNORECASE):
        message += "; the page is not the site's own: is it being restarted, or is the address wrong?"
        return Transient(message, status=status, site=site)
    if status in (404, 410):
        return Gone(message, status=status, request_id=request_id, site=site)
    if 300 <= status < 400:
        message += "; the site sends us elsewhere, check the address in the API key"
    return Permanent(message, status=status, request_id=request_id, site=site)


def unusable(request: Request, response: Response, what: str, *, site: str) -> SiteError:
    """The error for a 2xx answer that cannot be used: no JSON, or not the shape that was asked for.

    For READ a text that is no JSON is Transient (a truncated answer, a maintenance page) and JSON of another shape is
    Permanent. For CREATE and ADD both are UnknownOutcome: the site said yes, but not to what.
    """
    message = f"{site}: {request.name} answered {response.status} with {what}"
    if not request.idempotent:
        return UnknownOutcome(message, status=response.status, site=site)
    try:
        from_json(response.body)
    except ValueError:
        return Transient(message, status=response.status, site=site)
    return Permanent(message, status=response.status, site=site)


def reason_of(response: Response, *, secrets: tuple[str, ...] = ()) -> tuple[str, str | None]:
    """The site's own words, trimmed and without the given secrets, and its `request_id`.

    Shapes met: `{"message", "request_id", …}` (live19), FastAPI's `{"detail": [{"loc", "msg"}]}`, a proxy's HTML.
    """
    try:
        body = from_json(response.body)
    except ValueError:
        return _words_of_page(response, secrets), None
    if not isinstance(body, dict):
        return "", None
    request_id = body.get("request_id")
    text = body.get("message") or _detail(body.get("detail")) or body.get("title") or ""
    text = _without_echo(str(text))
    return trimmed(text, secrets=secrets), request_id if isinstance(request_id, str) else None


def _detail(detail: Any) -> str:
    """FastAPI's `detail`: a text, or a list of `{"loc": […], "msg": …}`."""
    if isinstance(detail, str):
        return detail
    if not isinstance(detail, list):
        return ""
    complaints = []
    for item in detail:
        if isinstance(item, dict):
            place = item.get("loc")
            path = ".".join(str(part) for part in place) if isinstance(place, list) else ""
            complaints.append(f"{path}: {item.get('msg', '')}".strip(": "))
    return "; ".join(complaints)


def _without_echo(text: str) -> str:
    """Drops what a schema complaint repeats of the body, cut off anywhere, licence keys included (live19)."""
    return re.sub(r"\{['\"u].*", "{…}", text, count=1, flags=re.DOTALL)


def _words_of_page(response: Response, secrets: tuple[str, ...]) -> str:
    """What an HTML or text answer says, without markup: its title, else its beginning."""
    text = response.body[:4096].decode("utf-8", errors="replace")
    title = re.search(r"<title[^>]*>(.*?)</title>", text, flags=re.IGNORECASE | re.DOTALL)
    text = title[1] if title else re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    return trimmed(text, limit=100, secrets=secrets)
