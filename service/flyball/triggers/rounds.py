"""Rounds: every stream is polled in turn, from the top; one that fails is left alone for a while, the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from flyball.model.errors import Refused, SiteError, Transient
from flyball.model.levels import Level
from flyball.triggers.freshness import Freshness
from flyball.triggers.needs import ORDER, Needs
from flyball.triggers.poller import Poller, Round
from flyball.triggers.streams import Stream
from flyball.triggers.weather import is_of_the_site, is_silent

log = structlog.get_logger()
LONGEST_PAUSE = 300.0  # seconds between tries of a stream that fails
ENOUGH = 2  # streams without any answer, and none with one: it is the site
SHORTEST_TRY = 5.0  # seconds that a stream which failed gets to answer, at least


@dataclass(slots=True)
class Sick:
    """A stream that failed.

    Attributes:
        failures: in a row.
        until: monotonic seconds until which it is left alone.
        error: what was wrong.
    """

    failures: int
    until: float
    error: SiteError

    @property
    def answered(self) -> bool:
        """The site said what is wrong; else it said nothing, which may be no fault of the stream."""
        return not is_silent(self.error)


class Rounds:
    """The rounds of one site.

    Args:
        poller: of the site.
        fresh: told which levels were read.
        every: seconds between rounds.
        trouble: told what is wrong with which stream.
        refused: called when a route that was open is closed now.
    """

    def __init__(
        self,
        poller: Poller,
        fresh: Freshness,
        every: float,
        *,
        trouble: Callable[[str, SiteError], None],
        refused: Callable[[], None],
    ) -> None:
        self._poller = poller
        self._fresh = fresh
        self._every = every
        self._trouble = trouble
        self._refused = refused
        self._sick: dict[str, Sick] = {}
        self.to_come: list[Level] = []
        self.blind: set[Level] = set()

    async def go(self, needs: Needs) -> Round:
        """One round. Streams that failed before come last, so that the others do not wait for them.

        Raises:
            SiteError: the site as a whole cannot be read now.
        """
        total, streams = Round(), self._poller.streams(needs)
        broken: set[Level] = set()
        silent = 0
        answered = False
        for stream in sorted(streams, key=lambda one: one.name in self._sick):
            self.to_come = [other.brings for other in streams if _rank(other) > _rank(stream)]
            try:
                done = await self._one(stream, needs)
            except SiteError as error:
                silent += is_silent(error)
                if is_of_the_site(error) or (silent >= ENOUGH and not answered):
                    self._sick = {name: sick for name, sick in self._sick.items() if sick.answered}
                    raise
                self._note(stream, error)
                broken.add(stream.brings)
                continue
            if done is None:
                broken.add(stream.brings)
                continue
            answered = True
            total.add(done)
            self._note_sight(stream, blind=done.blind)
            if not any(other.brings is stream.brings for other in streams[streams.index(stream) + 1 :]):
                (self._fresh.rounds.failed if stream.brings in broken else self._fresh.rounds.read)(stream.brings)
        for level in broken:
            self._fresh.rounds.failed(level)
        self.to_come = []
        await self._poller.lengths.remember()
        return total

    async def _one(self, stream: Stream, needs: Needs) -> Round | None:
        """Poll a stream; None when it is left alone for now."""
        sick = self._sick.get(stream.name)
        if sick is None:
            return await self._poller.poll(stream, needs)
        if sick.until > self._poller.clock.monotonic():
            self._trouble(stream.name, sick.error)
            return None
        try:
            async with asyncio.timeout(max(SHORTEST_TRY, self._every)):
                done = await self._poller.poll(stream, needs)
        except TimeoutError:
            raise Transient(f"{self._poller.site}: {stream.name} does not answer in time") from None
        self._sick.pop(stream.name, None)
        log.info("stream.recovered", site=self._poller.site, stream=stream.name, failures=sick.failures)
        return done

    def _note(self, stream: Stream, error: SiteError) -> None:
        before = self._sick.get(stream.name)
        failures = 1 if before is None else before.failures + 1
        pause = min(LONGEST_PAUSE, max(1.0, self._every) * 2 ** min(failures - 1, 8))
        if isinstance(error, Transient) and error.wait is not None:
            pause = max(pause, error.wait)
        self._trouble(stream.name, error)
        self._sick[stream.name] = Sick(failures, self._poller.clock.monotonic() + pause, error)
        if isinstance(error, Refused) and stream.level is Level.JOB:
            self._refused()  # another route to jobs may be open
        log.warning("stream.failed", site=self._poller.site, stream=stream.name, error=str(error), failures=failures)

    def _note_sight(self, stream: Stream, *, blind: bool) -> None:
        if blind:
            self.blind.add(stream.brings)
        else:
            self.blind.discard(stream.brings)


def _rank(stream: Stream) -> int:
    return ORDER.index(stream.brings)
