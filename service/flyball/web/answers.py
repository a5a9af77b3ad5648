"""Answers: JSON with secrets masked, errors in one shape, security headers on everything.

    {"error": {"code", "message"}}

What the program raises on purpose is told to the caller; what it does not is logged and answered with 500 and no text.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from flyball.ledger.history_pages import BadQuery
from flyball.logs import Secrets
from flyball.model.errors import FlyballError, SiteError, Stopping
from flyball.web.port import BadRequest, NotAvailable, NotFound, NotNow

log = structlog.get_logger()

RETRY_AFTER: Final = {"Retry-After": "5"}
NO_PAGE: Final = "default-src 'none'; frame-ancestors 'none'"

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "flyball",
}
_CODES: Final = {
    400: ("bad_request", "the request makes no sense"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take this method"),
    413: ("too_large", "the body is larger than this address takes"),
    415: ("unsupported_type", "the body is of another type than this address takes"),
}


class Answers:
    """Makes the answers of one server.

    Args:
        secrets: what must not appear in any of them.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        """A JSON answer."""
        return web.Response(body=self.text(value), status=status, content_type="application/json", headers=headers)

    def text(self, value: Any) -> bytes:
        """A value as JSON text in which no secret is left."""
        plain = _dumps(value)
        written = plain.decode()
        if self._secrets.mask(written) == written:
            return plain
        return _dumps(self._secrets.masked(value))  # value by value, so that what comes out is still JSON

    def error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
        """An error answer."""
        return self.json({"error": {"code": code, "message": message}}, status, headers)

    def told(self, error: FlyballError) -> web.Response:
        """What the program says no to on purpose."""
        match error:
            case BadQuery():
                return self.error(400, error.code, str(error))
            case BadRequest():
                return self.error(400, "bad_request", str(error))
            case NotFound():
                return self.error(404, "not_found", str(error))
            case NotNow():
                return self.error(409, "not_now", str(error))
            case NotAvailable():
                return self.error(501, "not_available", str(error))
            case Stopping():
                return self.error(503, "stopping", "the daemon is stopping", RETRY_AFTER)
            case SiteError():
                return self.error(502, "site_error", str(error))
            case _:
                return self.error(503, "unavailable", str(error), RETRY_AFTER)

    def middleware(self) -> Middleware:
        """Turns whatever is raised into an answer; the outermost of the middlewares."""

        @web.middleware
        async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPException as error:
                code, message = _CODES.get(error.status, ("http_error", error.reason))
                allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
                return self.error(error.status, code, message, allow)
            except FlyballError as error:
                return self.told(error)
            except Exception as error:
                log.exception("http.failed", method=request.method, path=request.path)
                if request.writer.output_size:
                    raise ConnectionResetError("an answer was under way already") from error
                return self.error(500, "internal", "the daemon made a mistake; its log says more")

        return answer_errors


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on an answer (a signal handler of aiohttp's)."""
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", NO_PAGE)


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
