"""What the Neuroscout effects have in common: their reports, their pauses, and what `retry` means for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from flyball.effects.port import Hands
from flyball.effects.scout.port import Scout
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Permanent, Refused, Transient

QUEUED: Final = "queued"
COMPILING: Final = "compiling"
REPORTING: Final = "reporting"
UPLOADED: Final = "uploaded"

RECENT: Final = timedelta(seconds=1)  # a list that others have just asked for is as good as one's own
LONGEST_PAUSE = 60.0  # seconds between looks at what takes long
LOGIN_PAUSE = 300.0  # seconds until an account that was refused is tried again
_TRACEBACK = 2000  # characters that are kept
_SHOWN = 300  # and of them those that an error shows


def scout_of(effect: Effect, hands: Hands) -> Scout:
    """The server that the effect is about.

    Raises:
        Permanent: it is not in the settings any more.
    """
    name = str(effect.params.get("scout"))
    scout = hands.scouts.get(name)
    if scout is None:
        raise Permanent(f"there is no Neuroscout site {name!r} in the settings")
    return scout


def waiting(stage: str, pause: float, message: str, learnt: Mapping[str, Any] | None = None) -> Report:
    """Nothing to be done now; what was learnt is kept with the effect."""
    return Report(Outcome.WAITING, {**(learnt or {}), "stage": stage}, message, wait=pause)


def pause_after(scout: Scout, effect: Effect, now: datetime) -> float:
    """Seconds until the next look: the longer it lasts already, the longer, so that hours cost few looks."""
    value = effect.params.get("since")
    lasted = (now - instant(value)).total_seconds() if isinstance(value, str) else 0.0
    return min(max(scout.pause, lasted / 8), LONGEST_PAUSE)


def deleted(ident: str) -> Report:
    """Somebody deleted what we made."""
    message = f"analysis {ident} was deleted on the server; `flyball retry` makes it again"
    return Report(Outcome.PERMANENT, {"analysis": ident, "deleted": ident}, message, gone=True)


def stuck(effect: Effect, ident: str, now: datetime, learnt: Mapping[str, Any]) -> Report:
    """The server does not come to an end with it."""
    waited = timedelta(seconds=float(effect.params["wait"]))
    message = (
        f"analysis {ident} has not come to an end within {waited}: the server's worker may be away, or have lost it; "
        f"`flyball retry {effect.id}` goes on waiting"
    )
    since = learnt.get("since") or effect.params.get("since")
    detail = {**learnt, "status": "PENDING", "stuck": True, "since": since, "stage": None, "ended": now.isoformat()}
    return Report(Outcome.PERMANENT, detail, message)


def compile_failed(effect: Effect, ident: str, traceback: str, learnt: Mapping[str, Any]) -> Report:
    """The server says why it cannot compile it."""
    sent = learnt.get("compiled") or effect.params.get("compiled")
    since = learnt.get("since") or effect.params.get("since")
    detail = {**learnt, "status": "FAILED", "compiled": sent, "since": since, "stage": None}
    detail["traceback"] = traceback.strip()[:_TRACEBACK]
    reason = " ".join(traceback.split())[:_SHOWN]
    return Report(Outcome.PERMANENT, detail, f"analysis {ident} cannot be compiled: {reason}")


def is_retry_of(effect: Effect, name: str, value: str) -> bool:
    """Whether the effect had ended because of this very thing, and a person said `retry` since."""
    return bool(effect.outcome) and (effect.outcome or {}).get(name) == value


def instant(value: str) -> datetime:
    """A time that was kept as text."""
    return datetime.fromisoformat(value)


@contextmanager
def with_login_advice() -> Iterator[None]:
    """An account that is refused stops nothing for good: once the settings are mended, everything goes on. Until then
    it is tried seldom, for a server may lock the account.
    """
    try:
        yield
    except Refused as error:
        if error.status != 401:
            raise
        raise Transient(str(error), wait=LOGIN_PAUSE, status=429, site=error.site) from error
