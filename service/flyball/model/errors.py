"""Errors, named by what the caller does next.

    FlyballError
    ├── ConfigError          fix the file or the setting; the process ends with exit code 2
    ├── SiteError            something a site answered, or failed to answer
    │   ├── Transient        try again, no earlier than `wait` seconds from now
    │   ├── Permanent        the same request can never succeed; give up and say why
    │   │   └── Gone         the thing does not exist (404), or is hidden from this key (403 on K19)
    │   ├── Refused          the site understood and said no: credentials or permission (401, 402, 403)
    │   └── UnknownOutcome   the request may or may not have been carried out: ask the site first
    └── Stopping             the daemon is stopping; the work goes back untouched

Foreign errors (aiohttp's, SQLite's) are translated once, at the border where they appear, keep their cause, and
carry trimmed text without secrets.
"""

from __future__ import annotations


class FlyballError(Exception):
    """Root of everything this program raises on purpose."""


class ConfigError(FlyballError):
    """A setting or a rule file that a person must mend. The text names the place and the remedy."""


class Stopping(FlyballError):  # noqa: N818 - reads as the state it reports
    """The daemon is stopping; the caller hands its work back."""


class SiteError(FlyballError):
    """Base of what may go wrong with one request to a site.

    Args:
        message: one line for people: what failed and, where known, the site's own reason (trimmed).
        status: the HTTP status, or None when no status line arrived.
        request_id: the site's `request_id`, when the error body carried one.
        site: the configured name of the site.
    """

    def __init__(
        self, message: str, *, status: int | None = None, request_id: str | None = None, site: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.site = site


class Transient(SiteError):  # noqa: N818 - named by what the caller does next
    """Trying again later can succeed. `wait` is in seconds, taken from Retry-After where the site sent one."""

    def __init__(
        self,
        message: str,
        *,
        wait: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
        site: str | None = None,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id, site=site)
        self.wait = wait


class Permanent(SiteError):  # noqa: N818 - named by what the caller does next
    """Repeating the same request cannot succeed (400, 409, 422, an answer that makes no sense)."""


class Gone(Permanent):
    """404: the object is absent. A listed ancestor that answers 403 is `Refused`, not gone."""


class Refused(SiteError):  # noqa: N818 - named by what the caller does next
    """The site refuses this key (401, 402) or this object to this key (403)."""


class UnknownOutcome(SiteError):  # noqa: N818 - named by what the caller does next
    """A request that changes something got no usable answer: it may have been carried out.

    `timed_out` is True after our own time-out (the site may still be at work and commit later), False after a
    reset, a truncated answer or an ambiguous 5xx.
    """

    def __init__(
        self,
        message: str,
        *,
        timed_out: bool = False,
        status: int | None = None,
        request_id: str | None = None,
        site: str | None = None,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id, site=site)
        self.timed_out = timed_out
