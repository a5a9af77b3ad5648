"""How fast one site is asked: an adaptive limit of concurrency and rate, and one pause for the whole site.

Concurrency starts at half the setting and grows: doubling per round trip until the first trouble, by one per round
trip after it. A 429, a 503 that names a time, or one of our own time-outs is a refusal; what it says about the rate is
worked out by `law`. An overload halves the concurrency, a refusal that may be one takes a quarter off, and single ones
that come at any rate change nothing. A Retry-After stops every request to the site for that long, whatever the reason.
A 503 without one only halves the concurrency: it often is the trouble of single requests, and a site whose every tenth
write fails must not be asked once a second for it. Waiting requests go in the order they came. Time comes in as two
callables, so that tests run on a clock of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flyball.clients.exchange import Seen
from flyball.workers.law import Law, News

_CUT_EVERY = 1.0  # seconds; further trouble within this time is the same trouble
_SHORTEST = 0.3  # seconds over which a rate is measured at the least
_PAUSE_MIN = 1.0  # pause after a 429 without Retry-After, in seconds; doubles while it goes on
_PAUSE_MAX = 60.0


@dataclass(frozen=True, slots=True)
class PaceSnapshot:
    """The pace at one moment, for status and metrics.

    Attributes:
        concurrency: requests allowed at once now.
        in_flight, waiting: requests under way, and held back.
        per_second: rate allowed now, None for no limit.
        paused_s: seconds until the site may be asked again, 0 when it may.
        throttled: answers so far that asked for less (429, 503).
        timeouts: own time-outs so far.
    """

    concurrency: int
    in_flight: int
    waiting: int
    per_second: float | None
    paused_s: float
    throttled: int
    timeouts: int


class _Turn:
    """One waiting request: called to go (`granted`), or, as the first in the queue, to watch the time."""

    __slots__ = ("called", "granted")

    def __init__(self, called: asyncio.Future[None]) -> None:
        self.called = called
        self.granted = False


class AdaptivePace:
    """The pace of one site, shared by everything that asks it.

    Args:
        concurrency: requests at once at most, 1 or more.
        per_second: requests begun per second at most, with a burst of one second's worth; None for no limit.
        clock: monotonic seconds.
        sleep: pauses for so many seconds.
    """

    def __init__(
        self,
        concurrency: int = 16,
        per_second: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if concurrency < 1 or (per_second is not None and per_second <= 0):
            raise ValueError("concurrency and per_second must be positive")
        self._clock = clock
        self._sleep = sleep
        self._most = concurrency
        self._window = float(max(1, (concurrency + 1) // 2))
        self._untroubled = True
        self._law = Law(per_second)
        self._tokens = max(per_second or 1.0, 1.0)
        self._filled_at = clock()
        self._paused_until = float("-inf")
        self._pause_next = _PAUSE_MIN
        self._cut_at = float("-inf")
        self._begun: deque[float] = deque()
        self._taken: deque[float] = deque()
        self._in_flight = 0
        self._queue: deque[_Turn] = deque()
        self._watcher: _Turn | None = None
        self._throttled = 0
        self._timeouts = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits for its turn, in order; one request goes out inside."""
        if self._queue or self._obstacle(self._clock()) is not None:
            await self._wait_for_turn()
        else:
            self._begin()
        try:
            yield
        finally:
            self._in_flight -= 1
            self._pump()

    def saw(self, seen: Seen, retry_after: float | None = None) -> None:
        """Takes in how one exchange ended; `retry_after` (seconds) pauses the whole site."""
        now = self._clock()
        if seen is Seen.OK:
            self._grow(now)
        elif seen is Seen.BUSY:
            self._throttled += 1
            self._refused(now, pause=retry_after is None)
        elif seen is Seen.ILL:
            self._halve(now)
        elif seen is Seen.SLOW:
            self._timeouts += 1
            self._refused(now, pause=False)
        if retry_after is not None:
            self._pause(now + retry_after)
        self._pump()

    def snapshot(self) -> PaceSnapshot:
        """The state for status and metrics."""
        return PaceSnapshot(
            concurrency=int(self._window),
            in_flight=self._in_flight,
            waiting=len(self._queue),
            per_second=self._law.rate,
            paused_s=max(0.0, self._paused_until - self._clock()),
            throttled=self._throttled,
            timeouts=self._timeouts,
        )

    # --- waiting

    async def _wait_for_turn(self) -> None:
        """Queues up until let in by `_pump`, which has then counted the request already."""
        loop = asyncio.get_running_loop()
        turn = _Turn(loop.create_future())
        self._queue.append(turn)
        try:
            self._pump()
            while True:
                await turn.called
                if turn.granted:
                    return
                turn.called = loop.create_future()
                await self._sleep(self._obstacle(self._clock()) or 0.0)
                self._watcher = None
                self._pump()
        except BaseException:
            if turn.granted:
                self._in_flight -= 1
            elif turn in self._queue:
                self._queue.remove(turn)
            if self._watcher is turn:
                self._watcher = None
            self._pump()
            raise

    def _pump(self) -> None:
        """Lets in from the front of the queue all that may go; where only time is missing, the first one watches it.

        Letting in happens here at once and not when the waiting task runs again: otherwise every newcomer would find
        a queue, and a saturated site would be served through it one loop turn late.
        """
        while self._queue:
            turn = self._queue[0]
            if turn.called.cancelled():
                self._queue.popleft()
                continue
            if turn is self._watcher:
                return
            obstacle = self._obstacle(self._clock())
            if obstacle is None:
                self._queue.popleft()
                self._begin()
                turn.granted = True
                turn.called.set_result(None)
            else:
                if obstacle > 0:
                    self._watcher = turn
                    turn.called.set_result(None)
                return

    def _obstacle(self, now: float) -> float | None:
        """What keeps a request back: None nothing, 0.0 no room, else seconds until it is worth looking again."""
        if self._paused_until > now:
            return self._paused_until - now
        if self._in_flight >= int(self._window):
            return 0.0
        rate = self._law.rate
        if rate is None:
            return None
        self._fill(now)
        missing = 1.0 - self._tokens
        return missing / rate + 1e-6 if missing > 1e-9 else None

    def _begin(self) -> None:
        self._in_flight += 1
        now = self._clock()
        if self._law.rate is not None:
            self._fill(now)
            self._tokens -= 1.0
        _note(self._begun, now)

    def _fill(self, now: float) -> None:
        """Puts in the tokens since the last time; a pause earns none, so that it does not end in a burst."""
        rate = self._law.rate or 1.0
        begin = max(self._filled_at, self._paused_until)
        if now > begin:
            self._tokens = min(self._tokens + (now - begin) * rate, max(rate, 1.0))
        self._filled_at = now

    # --- adapting

    def _grow(self, now: float) -> None:
        self._pause_next = _PAUSE_MIN
        _note(self._taken, now)
        if self._in_flight + 1 >= int(self._window):  # only what is used can be shown to be bearable
            self._window = min(self._window + (1.0 if self._untroubled else 1.0 / self._window), float(self._most))
        if self._law.rate is not None:
            self._fill(now)
        self._law.accepted(now)

    def _halve(self, now: float) -> None:
        """Fewer at once, unless that was done just now."""
        if now - self._cut_at >= _CUT_EVERY:
            self._cut_at = now
            self._shrink(0.5)

    def _shrink(self, factor: float) -> None:
        self._untroubled = False
        self._window = max(1.0, self._window * factor)

    def _refused(self, now: float, *, pause: bool) -> None:
        self._fill(now)
        news = self._law.refused(now, self._sent(now), float(len(self._taken)))
        self._tokens = min(self._tokens, 1.0) if news is not News.CHANCE else self._tokens
        if news is News.OVERLOAD:
            self._shrink(0.5)
        elif news is News.TRIAL:
            self._shrink(0.75)
        if pause and news is not News.SAME and news is not News.CHANCE:
            self._pause(now + self._pause_next)
            self._pause_next = min(self._pause_next * 2, _PAUSE_MAX)

    def _sent(self, now: float) -> float:
        """Requests a second lately, over the time since the last pause: what a pause held back is no low rate."""
        _forget(self._begun, now)
        _forget(self._taken, now)
        since = max(now - 1.0, min(self._paused_until, now - _SHORTEST))
        return max(1.0, sum(1 for begun in self._begun if begun > since) / (now - since))

    def _pause(self, until: float) -> None:
        now = self._clock()
        self._fill(now)
        self._tokens = min(self._tokens, 1.0)
        self._paused_until = max(self._paused_until, until)


def _note(times: deque[float], now: float) -> None:
    times.append(now)
    _forget(times, now)


def _forget(times: deque[float], now: float) -> None:
    while times and times[0] <= now - 1.0:
        times.popleft()
