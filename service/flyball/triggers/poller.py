"""The poller of one site: what changed since the cursor, in pages that carry the documents.

For each stream, one request a round: `modified>=T`, oldest first, where T is the cursor less an overlap, for the site's
clock may differ between its own servers and a row may be committed late. What comes twice is recognised in the mirror.
A page, the events made of it, the looks owed and the cursor are stored together.

The cursor is the newest time seen, but never later than the present by the site's own clock: a row from the future (a
clock that was wrong for a while) must not hide what changes until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from flyball.clients.exchange import BodyTooLarge
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.filters import since as since_time
from flyball.clients.flywheel.filters import where
from flyball.concurrency import each
from flyball.ledger.mirror import has_some
from flyball.ledger.noticing import Route, load_cursor, save_cursor
from flyball.model.errors import SiteError
from flyball.model.levels import HIERARCHY, Level
from flyball.model.ports import Clock, Store
from flyball.model.times import parse_time
from flyball.triggers.clocks import ClockEstimate
from flyball.triggers.lengths import Lengths
from flyball.triggers.needs import EPOCH, Needs
from flyball.triggers.paging import Page, pages_by_id
from flyball.triggers.streams import Stream, streams_of
from flyball.triggers.taking import Taking
from flyball.triggers.weather import is_of_the_site
from flyball.triggers.window import Window

log = structlog.get_logger()
SAME_MOMENT = 60.0  # seconds for which the newest time of a stream need not be asked for again
GLANCE = 50  # rows asked for at a time where a round has to look from the newest backwards


@dataclass(slots=True)
class Round:
    """What one round came to, for the status.

    Attributes:
        blind: the site did not let itself be asked for changes: only sweeps bring them.
    """

    requests: int = 0
    rows: int = 0
    changes: int = 0
    newest: datetime | None = None
    blind: bool = False

    def add(self, other: Round) -> None:
        """Take in what another came to."""
        self.requests += other.requests
        self.rows += other.rows
        self.changes += other.changes
        self.blind = self.blind or other.blind


class Poller:
    """Polls one site.

    Args:
        site: configured name.
        client: of the site.
        store: the ledger.
        clock: the time.
        route: which looks a change asks for; replaced when rules are.
        overlap: how far behind the cursor is asked again.
    """

    def __init__(
        self, site: str, client: FlywheelClient, store: Store, clock: Clock, route: Route, overlap: timedelta
    ) -> None:
        self.site = site
        self.client = client
        self.store = store
        self.clock = clock
        self.overlap = overlap
        self.taking = Taking(site, client, store, clock, route)
        self.lengths = Lengths(site, client, store, clock)
        self._contradicted: set[str] = set()  # streams whose empty answers are wrong
        self._windows: dict[str, Window] = {}
        self._marks: dict[Stream, tuple[float, datetime]] = {}  # monotonic seconds of the question, and the answer
        self.stamps = ClockEstimate()
        self._rounds_begun: dict[str, datetime] = {}
        self._ahead: set[str] = set()  # streams whose times lie ahead of the site's own clock for good

    @property
    def projects(self) -> Any:
        """The projects of the site, as far as they are known."""
        return self.taking.projects

    @property
    def route(self) -> Route:
        """Which looks a change asks for."""
        return self.taking.route

    def streams(self, needs: Needs) -> list[Stream]:
        """What is asked for in each round, from the top of the hierarchy."""
        return streams_of(needs, self.client.dialect, self.taking.projects.scoped)

    def site_now(self) -> datetime:
        """The present by the clock behind the site's stamps, as far as it is known."""
        return self.clock.now() + self.skew

    # --- cursors

    async def start(self, stream: Stream) -> None:
        """Set the cursor of a stream that has none to the newest time on the site, before anything is listed."""
        if await self._cursor(stream) is None:
            newest = self._mark(stream) or await self._newest(stream)
            await self._save(stream, EPOCH if newest is None else min(newest, self.site_now()))

    def _mark(self, stream: Stream) -> datetime | None:
        """What the site said of a stream a moment ago, when its clock was to be known."""
        asked, mark = self._marks.pop(stream, (float("-inf"), None))
        return mark if self.clock.monotonic() - asked < SAME_MOMENT else None

    async def reached(self, stream: Stream) -> datetime:
        """The stream's cursor."""
        return await self._cursor(stream) or EPOCH

    async def _cursor(self, stream: Stream) -> datetime | None:
        stored = await self.store.read(lambda connection: load_cursor(connection, self.site, stream.name))
        return parse_time((stored or {}).get("since"))

    async def _save(self, stream: Stream, at: datetime) -> None:
        now, value = self.clock.now(), {"since": at.isoformat()}
        await self.store.write(lambda connection: save_cursor(connection, self.site, stream.name, value, now))

    async def _newest(self, stream: Stream) -> datetime | None:
        """The newest time of a stream, if the site sorts."""
        rows = await self.client.page(
            str(stream.level), sort=f"{stream.field}:desc", limit=1, parent=stream.parent, include_all_info=False
        )
        return max((time for row in rows if (time := stream.time_of(row)) is not None), default=None)

    # --- a round

    async def poll(self, stream: Stream, needs: Needs) -> Round:
        """One round of one stream, to the end of what there is."""
        reached = await self.reached(stream)
        done = Round(newest=reached)
        dialect = self.client.dialect
        if dialect.date_form is None or dialect.operators.get(">=") is False:
            await self._backwards(stream, reached, needs, done)
            return done
        started, limit = self.clock.now(), self.client.effective_limit()
        window = self._windows.setdefault(stream.name, Window(self.overlap))
        window.capacity = limit * 3 // 4
        begun = self._clamp(stream, reached)
        asked = since = max(EPOCH, window.start(begun, self.clock.monotonic()))
        before: Page | None = None
        freshest = begun
        while True:
            page = await self._ask(stream, since, limit, done)
            timed = [(str(row.get("id")), time) for row in page.rows if (time := stream.time_of(row)) is not None]
            window.brought(timed)
            times = [time for _, time in timed]
            last = max(times, default=since)
            freshest = max(freshest, last)
            orderly = times == sorted(times) and stream.field == "modified"
            whole = self.lengths.is_whole(page, before)
            newest = max(times, default=reached) if whole or orderly else reached
            changes = await self._take(stream, page, needs, done, cursor=newest)
            if whole or self.lengths.seems_whole(page, changes):
                self._judge_clock(stream, last, done)
                break
            if not orderly or last <= since:
                await self._by_id(stream, since, needs, done, window)
                break
            since, limit, before = last, min(page.limit * 4, self.client.effective_limit()), page
        window.ended(asked, begun, done.newest or EPOCH, self.clock.monotonic())
        if done.rows:
            self._contradicted.discard(stream.name)
        elif asked <= begun and stream.name not in self._contradicted:
            await self._doubt(stream, asked, done)
        done.blind = stream.name in self._contradicted
        since_then, self._rounds_begun[stream.name] = self._rounds_begun.get(stream.name), started
        if since_then is not None and done.changes and freshest > begun > EPOCH and stream.field == "modified":
            # this round brought it and the one before did not
            self.stamps.observe(freshest, since_then, self.clock.now())
        return done

    @property
    def skew(self) -> timedelta:
        """How far the clock behind the site's stamps is ahead of ours."""
        return self.stamps.skew(self.client.transport.clock.ahead)

    async def newest_stamp(self, needs: Needs) -> datetime | None:
        """The newest change of a container or file, by the site's own stamps; None when nothing is there."""
        times: list[datetime] = []
        asked = self.clock.monotonic()

        async def ask(level: Level) -> None:
            stream = Stream(level)
            try:
                mark = await self._newest(stream)
            except SiteError as error:
                if is_of_the_site(error):
                    raise
                return  # one ill list must not keep the others from being read
            if mark is not None:
                times.append(mark)
                self._marks[stream] = (asked, mark)

        listed = [level for level in HIERARCHY if level in needs.streams]
        await each(
            [one for one in listed if one is not Level.FILE or self.client.dialect.files_endpoint is not False], ask
        )
        return max(times, default=None)

    async def _doubt(self, stream: Stream, asked: datetime, done: Round) -> None:
        """Nothing came, although the row at the cursor should have: it was deleted, or the site does not understand.

        (The wrong spelling, or a field that cannot be asked for, answers 200 with nothing.)
        """
        if asked <= EPOCH and not await self._has_some(stream):
            return  # nothing was ever seen of it
        done.requests += 1
        newest = await self._newest(stream)
        if newest is not None and newest >= asked:
            self._contradicted.add(stream.name)
            log.warning("site.hides_changes", site=self.site, stream=stream.name)

    async def _has_some(self, stream: Stream) -> bool:
        """Whether the mirror has something that the stream should know of."""
        holder = stream.level if stream.brings is not stream.level else None
        return await self.store.read(
            lambda connection: has_some(connection, self.site, stream.brings, right_below=holder)
        )

    async def _ask(self, stream: Stream, since: datetime, limit: int, done: Round) -> Page:
        """A page of what changed since; in smaller pieces, and at last without info, where it would be too large."""
        with_info = True
        while True:
            done.requests += 1
            try:
                rows = await self.client.changes(
                    str(stream.level),
                    since,
                    limit=limit,
                    field=stream.field,
                    parent=stream.parent,
                    include_all_info=with_info,
                )
            except BodyTooLarge:
                if not with_info:
                    raise
                with_info = limit > 1
                limit = max(1, limit // 4)
                continue
            return Page(rows, limit, with_info)

    def _clamp(self, stream: Stream, at: datetime) -> datetime:
        return at if stream.name in self._ahead else min(at, self.site_now())

    def _judge_clock(self, stream: Stream, last: datetime, done: Round) -> None:
        """Pages full of nothing new, all from the future: the site's clock is no guide to its own times."""
        if done.requests > 1 and not done.changes and last > self.site_now() + self.overlap:
            log.info("site.ahead_of_its_clock", site=self.site, stream=stream.name)
            self._ahead.add(stream.name)

    async def _by_id(self, stream: Stream, since: datetime, needs: Needs, done: Round, window: Window) -> None:
        """Everything changed since, by id: where one and the same time fills a page, or the site's order is another.

        The cursor goes no further than to what was the newest time before the walk: what changes meanwhile may lie
        behind it.
        """
        newest = await self._newest(stream)
        done.requests += 1
        last, chosen = since, where(since_time(stream.field, since, self.client.dialect))
        length = 0
        async for page in pages_by_id(self.client, str(stream.level), chosen, parent=stream.parent):
            done.requests += 1
            length = self.lengths.followed(length, len(page.rows))
            timed = [(str(row.get("id")), time) for row in page.rows if (time := stream.time_of(row)) is not None]
            window.brought(timed)
            last = max([last, *(time for _, time in timed)])
            await self._take(stream, page, needs, done, cursor=None)
        await self._advance(stream, max(since, last if newest is None else min(last, newest)), done)

    async def _backwards(self, stream: Stream, reached: datetime, needs: Needs, done: Round) -> None:
        """From the newest back to the cursor, without a filter: where none was proved, or none works."""
        until, number, limit = _back(reached, self.overlap), 1, min(GLANCE, self.client.effective_limit())
        newest, seen = reached, set[Any]()
        while True:
            done.requests += 1
            rows = await self.client.page(
                str(stream.level), sort=f"{stream.field}:desc", limit=limit, number=number, parent=stream.parent
            )
            times = [time for row in rows if (time := stream.time_of(row)) is not None]
            fresh = [row for row in rows if row.get("id") not in seen]
            if not fresh:
                self.lengths.followed(len(seen) if number == 2 else 0, 0)
                break
            seen |= {row.get("id") for row in fresh}
            await self._take(stream, Page(fresh, limit), needs, done, cursor=None)
            newest = max([newest, *times])
            if times != sorted(times, reverse=True) and (number > 1 or len(rows) >= limit):
                done.blind = True  # no order and no filter: a change may be on any page
                return
            if (times and min(times) < until) or len(rows) <= min(self.lengths.whole, limit - 1):
                break
            number += 1
        await self._advance(stream, newest, done)

    async def _advance(self, stream: Stream, at: datetime, done: Round) -> None:
        done.newest = self._clamp(stream, at)
        await self._save(stream, done.newest)

    async def _take(self, stream: Stream, page: Page, needs: Needs, done: Round, *, cursor: datetime | None) -> int:
        done.rows += len(page.rows)
        at = None
        if cursor is not None:
            before, done.newest = done.newest, self._clamp(stream, max(cursor, done.newest or EPOCH))
            if page.rows or before != done.newest:
                at = (self.site, stream.name, {"since": done.newest.isoformat()})
        taken = await self.taking.take(
            stream.level, page.rows, needs, source="poll", cursor=at, with_info=page.with_info
        )
        done.changes += taken.changes
        return taken.changes


def _back(moment: datetime, overlap: timedelta) -> datetime:
    return max(EPOCH, moment - overlap) if moment > EPOCH + overlap else EPOCH
