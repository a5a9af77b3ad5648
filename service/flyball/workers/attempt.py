"""One attempt at one effect: a deadline around it, its end turned into a report, the report written in any case."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from flyball.effects.port import Hands, Kinds
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import FlyballError, Permanent, Refused, Transient, UnknownOutcome

log = structlog.get_logger()
DEADLINE = 600.0  # seconds; the transport's own time-outs end a request long before
ERROR_LENGTH = 500


async def attempt(effect: Effect, kinds: Kinds, hands: Hands, *, deadline: float = DEADLINE) -> Report:
    """Carry out one attempt. Every end is a report; only cancellation passes through."""
    kind = kinds.get(effect.kind)
    if kind is None:
        return Report(Outcome.PERMANENT, error=f"this version has no effect kind {effect.kind!r}")
    try:
        async with asyncio.timeout(deadline):
            return await kind.carry_out(effect, hands)
    except TimeoutError:
        return unclear(effect, hands, f"no end within {deadline:.0f} s", timed_out=True)
    except UnknownOutcome as error:
        return unclear(effect, hands, str(error), timed_out=error.timed_out)
    except Transient as error:
        return Report(Outcome.TRANSIENT, error=_trim(error), wait=error.wait)
    except Refused as error:
        # A key that is refused as such (401) is mended in the settings: the effect waits and is not lost.
        outcome = Outcome.TRANSIENT if error.status == 401 else Outcome.REFUSED
        return Report(outcome, error=_trim(error))
    except Permanent as error:
        return Report(Outcome.PERMANENT, error=_trim(error))
    except FlyballError as error:
        return Report(Outcome.PERMANENT, error=_trim(error))


def unclear(effect: Effect, hands: Hands, message: str, *, timed_out: bool) -> Report:
    """A report that the outcome is not known; the site is asked after the site's `unclear_wait`."""
    after_reset, after_timeout = hands.unclear_wait
    return Report(Outcome.UNKNOWN, error=message[:ERROR_LENGTH], wait=after_timeout if timed_out else after_reset)


def _trim(error: Exception) -> str:
    return str(error)[:ERROR_LENGTH]


async def shielded(write: Callable[[], Awaitable[None]]) -> None:
    """Run a write to its end even if the caller is cancelled meanwhile; the cancellation follows afterwards."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(_as_coroutine(write))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _as_coroutine(write: Callable[[], Awaitable[None]]) -> None:
    await write()
