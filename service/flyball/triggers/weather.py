"""Weather: how the watching of one site goes, for `/status` and `/readyz`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flyball.model.errors import Refused, SiteError, Transient

LOCKED_OUT = (401, 402, 407)


@dataclass(slots=True)
class Weather:
    """How watching goes.

    Attributes:
        polls: rounds in which the site was read; `error` says what of it was not.
        last_poll: when the last of them ended.
        last_requests: requests of the last round.
        rows, changes: since the start.
        error: what is wrong now, for people; None when nothing is.
        failures: rounds in a row in which the site as a whole could not be read.
        sweeping: the level being listed or swept, None when none is.
        findings: how the site differs from what was expected.
        doubts: what it shows that is not believed.
        troubles: stream or level → what is wrong with it.
    """

    polls: int = 0
    last_poll: datetime | None = None
    last_requests: int = 0
    rows: int = 0
    changes: int = 0
    error: str | None = None
    failures: int = 0
    sweeping: str | None = None
    findings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    troubles: dict[str, str] = field(default_factory=dict)

    def take(self, requests: int, rows: int, changes: int) -> None:
        """Count a round."""
        self.last_requests = requests
        self.rows += rows
        self.changes += changes

    def show(self, doubts: tuple[str, ...] = ()) -> None:
        """Bring `error` up to date with the troubles."""
        self.doubts = doubts
        lines = list(dict.fromkeys(self.troubles.values()))
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        self.error = f"{lines[0]}{more}" if lines else None


def advice_on(error: SiteError, site: str, address: str) -> str:
    """What went wrong, at which address, and what to check."""
    if isinstance(error, Refused) and error.status in LOCKED_OUT:
        return f"{error}; check the API key of site {site!r} ({address})"
    if isinstance(error, Transient) and error.status == 429:
        return f"{error}; {address} asks to be asked less often, which is obeyed"
    if isinstance(error, Transient):
        return f"{error}; check that {address} is right and reachable"
    if isinstance(error, Refused):
        return f"{error}; check what the API key of site {site!r} may read ({address})"
    return f"{error} ({address})"


def is_of_the_site(error: SiteError) -> bool:
    """Whether an error is about the site as a whole, so that asking on is of no use now."""
    if isinstance(error, Refused):
        return error.status in LOCKED_OUT
    return isinstance(error, Transient) and error.status == 429


def is_silent(error: SiteError) -> bool:
    """Whether the site itself said nothing: no answer, or one of a proxy before it. One list may be ill, or all."""
    return isinstance(error, Transient) and error.status in (None, 502, 503, 504)
