"""How fast one site is asked: an adaptive limit of concurrency and rate, and one pause for the whole site.

Concurrency starts at half the setting and grows: doubling per round trip until the first trouble, by one per round
trip after it. A 429, a 503 or one of our own time-outs halves it, at most once a second, since the many answers of one
burst are one piece of news; trouble again within half a minute cuts the rate too. A Retry-After stops every request to
the site for that long. A 503 without one only halves the concurrency: it often is the trouble of single requests, and
a site whose every tenth write fails must not be asked once a second for it. Waiting requests go in the order they
came. Time comes in as two callables, so that tests run on a clock of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flyball.clients.exchange import Seen

_CUT_EVERY = 1.0  # seconds; further trouble within this time is the same trouble
_AGAIN_WITHIN = 30.0  # seconds; trouble again within this time shows that fewer at once is not enough
_RATE_FALL = 0.7
_SHORTEST = 0.3  # seconds over which a rate is measured at the least
_RATE_RISE = 1.2  # per quiet second
_RATE_CREEP = 1.03  # the same, near the rate at which there was trouble last
_RATE_FREE = 10_000.0  # a rate cut without a configured limit is forgotten once it has grown to this
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
        self._rate_most = per_second
        self._rate = per_second
        self._tokens = max(per_second or 1.0, 1.0)
        self._filled_at = clock()
        self._raised_at = clock()
        self._troubled_rate = 0.0
        self._paused_until = float("-inf")
        self._pause_next = _PAUSE_MIN
        self._cut_at = float("-inf")
        self._begun: deque[float] = deque()
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
            self._cut(now, pause=retry_after is None)
        elif seen is Seen.ILL:
            self._halve(now)
        elif seen is Seen.SLOW:
            self._timeouts += 1
            self._cut(now, pause=False)
        if retry_after is not None:
            self._pause(now + retry_after)
        self._pump()

    def snapshot(self) -> PaceSnapshot:
        """The state for status and metrics."""
        return PaceSnapshot(
            concurrency=int(self._window),
            in_flight=self._in_flight,
            waiting=len(self._queue),
            per_second=self._rate,
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
        if self._rate is None:
            return None
        self._fill(now)
        missing = 1.0 - self._tokens
        return missing / self._rate + 1e-6 if missing > 1e-9 else None

    def _begin(self) -> None:
        self._in_flight += 1
        now = self._clock()
        if self._rate is not None:
            self._fill(now)
            self._tokens -= 1.0
        self._begun.append(now)
        while self._begun and self._begun[0] <= now - 1.0:
            self._begun.popleft()

    def _fill(self, now: float) -> None:
        """Puts in the tokens since the last time; a pause earns none, so that it does not end in a burst."""
        rate = self._rate or 1.0
        begin = max(self._filled_at, self._paused_until)
        if now > begin:
            self._tokens = min(self._tokens + (now - begin) * rate, max(rate, 1.0))
        self._filled_at = now

    # --- adapting

    def _grow(self, now: float) -> None:
        self._pause_next = _PAUSE_MIN
        if self._in_flight + 1 >= int(self._window):  # only what is used can be shown to be bearable
            self._window = min(self._window + (1.0 if self._untroubled else 1.0 / self._window), float(self._most))
        if self._rate is None or self._rate == self._rate_most:
            return
        if now - max(self._raised_at, self._cut_at) >= 1.0:
            self._raised_at = now
            self._fill(now)
            near = 0.65 * self._troubled_rate <= self._rate <= 1.15 * self._troubled_rate
            self._rate *= _RATE_CREEP if near else _RATE_RISE
            if self._rate_most is not None:
                self._rate = min(self._rate, self._rate_most)
            elif self._rate > _RATE_FREE:
                self._rate = None

    def _halve(self, now: float) -> bool:
        """Fewer at once, unless that was done just now; whether it was not."""
        if now - self._cut_at < _CUT_EVERY:
            return False
        self._cut_at = now
        self._untroubled = False
        self._window = max(1.0, self._window / 2)
        return True

    def _cut(self, now: float, *, pause: bool) -> None:
        again = now - self._cut_at < _AGAIN_WITHIN
        if not self._halve(now):
            return
        if again:
            self._cut_rate(now)
        if pause:
            self._pause(now + self._pause_next)
            self._pause_next = min(self._pause_next * 2, _PAUSE_MAX)

    def _cut_rate(self, now: float) -> None:
        self._fill(now)
        # Over the time since the last pause: requests that a pause held back are no sign of a low rate.
        since = max(now - 1.0, min(self._paused_until, now - _SHORTEST))
        recent = max(1.0, sum(1 for begun in self._begun if begun > since) / (now - since))
        base = recent if self._rate is None else min(self._rate, recent)
        floor = 1.0 if self._rate_most is None else min(1.0, self._rate_most)
        self._rate = max(floor, base * _RATE_FALL)
        self._troubled_rate = base
        self._tokens = min(self._tokens, 1.0)

    def _pause(self, until: float) -> None:
        now = self._clock()
        self._fill(now)
        self._tokens = min(self._tokens, 1.0)
        self._paused_until = max(self._paused_until, until)
