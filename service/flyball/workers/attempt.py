"""One attempt at one effect: a deadline around it, its end turned into a report, the report written in any case.

The only file that catches every exception: a mistake in one effect kind must end that effect, not the crew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from flyball.effects.port import Hands, Kinds
from flyball.model.effect import Blame, Effect, Outcome, Report
from flyball.model.errors import FlyballError, Gone, Refused, Stopping, Transient, UnknownOutcome

log = structlog.get_logger()
DEADLINE = 600.0  # seconds; the transport's own time-outs end a request long before
ERROR_LENGTH = 500
KEY_REFUSED = frozenset(
    {401, 402, 407}
)  # the key, the user or a proxy must be mended first; the effect is not to blame
AWAY = frozenset({None, 408, 425, 502, 503, 504})  # the site as a whole, or no answer at all
Mask = Callable[[str], str]
T = TypeVar("T")
E = TypeVar("E")


async def attempt(
    effect: Effect, kinds: Kinds, hands: Hands, *, deadline: float = DEADLINE, mask: Mask | None = None
) -> Report:
    """Carry out one attempt. Every end is a report; only cancellation passes through.

    Args:
        effect: as taken from the ledger.
        kinds: the effect kinds by name.
        hands: what the attempt may use.
        deadline: seconds; a kind may have one of its own, or none.
        mask: takes secrets out of a text; it is applied before the text is cut.
    """

    def text(error: BaseException | str) -> str:
        plain = str(error)
        return (plain if mask is None else mask(plain))[:ERROR_LENGTH]

    kind = kinds.get(effect.kind)
    if kind is None:
        return Report(Outcome.PERMANENT, error=f"this version has no effect kind {effect.kind!r}")
    try:
        async with asyncio.timeout(getattr(kind, "deadline", deadline)):
            return await kind.carry_out(effect, hands)
    except TimeoutError:
        return unclear(hands, f"no end within {deadline:.0f} s", timed_out=True)
    except UnknownOutcome as error:
        return unclear(hands, text(error), timed_out=error.timed_out)
    except Transient as error:
        return Report(Outcome.TRANSIENT, error=text(error), wait=error.wait, blame=blame_of(error))
    except Refused as error:
        if error.status in KEY_REFUSED:
            return Report(Outcome.TRANSIENT, error=text(error), blame=Blame.NOBODY)
        return Report(Outcome.REFUSED, error=text(error))
    except Stopping as error:
        return Report(Outcome.CANCELLED, error=text(error))
    except Gone as error:
        return Report(Outcome.PERMANENT, error=text(error), gone=True)
    except FlyballError as error:
        return Report(Outcome.PERMANENT, error=text(error))
    except Exception as error:  # a mistake in one kind must not take the crew down
        log.exception("effect.broken", effect=effect.id, kind=effect.kind, rule=effect.rule)
        return Report(Outcome.PERMANENT, error=f"internal error: {type(error).__name__}: {text(error)}"[:ERROR_LENGTH])


async def or_else(write: Callable[[Report], Awaitable[T]], report: Report, effect: Effect) -> T:
    """Write a report; should it be one that cannot be written (a kind forgot something in it), write that instead."""
    try:
        return await write(report)
    except FlyballError:
        raise
    except Exception as error:  # the same: one kind's mistake ends one effect
        log.exception("effect.broken", effect=effect.id, kind=effect.kind, rule=effect.rule)
        reason = f"internal error: its end cannot be written: {type(error).__name__}"
        return await write(Report(Outcome.PERMANENT, error=reason))


async def together_or_apart(
    write: Callable[[Sequence[E]], Awaitable[Sequence[T]]], items: Sequence[E]
) -> list[T | Exception]:
    """Write some items in one go, or each by itself when one of them cannot be written; what came of each, in order."""
    try:
        return [*await write(items)]
    except FlyballError as error:  # of the ledger: it would be the same for each
        return [error] * len(items)
    except Exception as error:  # noqa: BLE001 - the same: one kind's mistake ends one effect, and is raised there
        if len(items) == 1:
            return [error]
        return [result for item in items for result in await together_or_apart(write, [item])]


def blame_of(error: Transient) -> Blame:
    """Whose a transient failure is."""
    if error.status == 429:
        return Blame.NOBODY
    return Blame.SITE if error.status in AWAY else Blame.REQUEST


def unclear(hands: Hands, message: str, *, timed_out: bool) -> Report:
    """A report that the outcome is not known; the site is asked after the site's `unclear_wait`."""
    after_reset, after_timeout = hands.unclear_wait
    return Report(Outcome.UNKNOWN, error=message[:ERROR_LENGTH], wait=after_timeout if timed_out else after_reset)


async def shielded(write: Callable[[], Awaitable[None]], *, cancelled: Callable[[], None] | None = None) -> None:
    """Run a write to its end even if the caller is cancelled meanwhile, once or more; the cancellation follows.

    Args:
        write: what must be done.
        cancelled: called at each cancellation, so that the write may hurry.
    """
    task = asyncio.get_running_loop().create_task(_as_coroutine(write))
    interrupted = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            interrupted = True
            if cancelled is not None:
                cancelled()
    task.result()
    if interrupted:
        raise asyncio.CancelledError


async def _as_coroutine(write: Callable[[], Awaitable[None]]) -> None:
    await write()
