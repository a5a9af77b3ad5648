"""Watching one Neuroscout account: its analyses and collections by one list each a round, whatever their number.

What we made is compared with what we sent when its entry in the list changed, and all of it at each sweep: what people
changed on the web page is shown, and never overwritten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from flyball.clients.neuroscout.board import Board
from flyball.clients.neuroscout.client import NeuroscoutClient
from flyball.effects.scout.comparing import prints
from flyball.ledger.analyses import docs_of, note_edit, notice_analyses, notice_collections, notice_whole
from flyball.ledger.noticing import Route, load_cursor, save_cursor
from flyball.ledger.scouting import Made, call_back, made_on, note_difference
from flyball.model.errors import Gone, Refused, SiteError, Transient
from flyball.model.levels import Level
from flyball.model.ports import Clock, Store
from flyball.rules.rule import Rule
from flyball.triggers.weather import Weather

log = structlog.get_logger()
LONGEST_PAUSE = 300.0  # seconds between tries of a server that does not answer
LISTED = frozenset(
    {"id", "hash_id", "name", "description", "status", "dataset_id", "modified_at", "user", "nv_count"}
)  # what lists show of an analysis
SWEPT = "edits"  # the stream under which the time of the last sweep is kept
MOST_READ = 200  # analyses read singly in one round


def reads_whole(rules: Iterable[Rule], site: str) -> bool:
    """Whether some rule reads what lists do not show of an analysis."""
    return any(
        path[0] == Level.ANALYSIS and (len(path) == 1 or path[1] not in LISTED)
        for rule in rules
        if rule.site == site and rule.each is Level.ANALYSIS
        for path in rule.reads
    )


class ScoutWatch:
    """Watches one account.

    Args:
        client: of the server.
        board: the shared lists.
        store: the ledger.
        clock: the time.
        route: which looks a change asks for.
        every: time between rounds.
        sweep_every: time between comparisons of all that we made.
        changed: called after each round that brought something.
        address: of the server, for advice.
    """

    def __init__(
        self,
        client: NeuroscoutClient,
        board: Board,
        store: Store,
        clock: Clock,
        route: Route,
        *,
        every: timedelta,
        sweep_every: timedelta,
        changed: Callable[[], None],
        address: str,
    ) -> None:
        self.client = client
        self.every = every
        self.sweep_every = sweep_every
        self.weather = Weather()
        self.whole = False
        self._board = board
        self._store = store
        self._clock = clock
        self._route = route
        self._changed = changed
        self._address = address
        self._wake = asyncio.Event()
        self._ready = False
        self._swept: datetime | None = None
        self._wait = 0.0
        self._known: dict[str, dict[str, Any]] = {}
        self._collections: dict[str, dict[str, Any]] = {}
        self._shown: list[Made] = []

    @property
    def site(self) -> str:
        """The site's configured name."""
        return self.client.site

    def use(self, rules: Iterable[Rule]) -> None:
        """Watch for other rules from now on."""
        whole = reads_whole(rules, self.site)
        if whole and not self.whole:
            self._known = {}  # what was listed so far is read singly in the next round
        self.whole = whole
        self.poll_now()

    def poll_now(self) -> None:
        """Start the next round at once."""
        self._wake.set()

    @property
    def ready(self) -> bool:
        """Whether the lists were read, so that rules on each analysis may decide."""
        return self._ready

    def ready_for(self, _levels: Iterable[Level]) -> bool:
        """The same: nothing hangs on anything else there."""
        return self._ready

    def covered(self) -> set[Level]:
        """All levels, once the lists were read."""
        return set(Level) if self._ready else set()

    async def meet(self) -> None:
        """The server is asked in one way only."""

    def start_over(self) -> None:
        """Another one watched meanwhile: the lists have to be read before anything is decided."""
        self._ready = False
        self._known, self._collections = {}, {}
        self.poll_now()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._wake.clear()
            begun = self._clock.monotonic()
            if await self.once():
                await self.sweep_if_due()
            pause = max(0.0, self.every.total_seconds() - (self._clock.monotonic() - begun))
            failures = self.weather.failures
            if failures:
                every = max(1.0, self.every.total_seconds())
                pause = max(min(LONGEST_PAUSE, every * 2 ** min(failures - 1, 8)), self._wait)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def once(self) -> bool:
        """One round; whether the server could be read."""
        weather = self.weather
        try:
            changes = await self._round()
        except SiteError as error:
            weather.failures += 1
            weather.troubles["site"] = self._advice(error)
            weather.show()
            self._wait = error.wait or 0.0 if isinstance(error, Transient) else 0.0
            log.warning("site.unreachable", site=self.site, error=str(error), failures=weather.failures)
            return False
        if weather.failures or not weather.polls:
            now = self._clock.now()
            if await self._store.write(partial(call_back, scout=self.site, now=now)):
                self._changed()
        weather.failures, self._wait = 0, 0.0
        weather.troubles.clear()
        weather.take(2, 0, changes)
        weather.show()
        weather.polls += 1
        weather.last_poll = self._clock.now()
        self._ready = True
        if changes:
            log.info("poll.changes", site=self.site, changes=changes)
            self._changed()
        return True

    async def _round(self) -> int:
        now = self._clock.now()
        listed = await self._board.analyses(now)
        collections = await self._board.collections(now)
        before = {} if not self.weather.polls else dict(self._known)
        made = {str(ident): dict(row) for ident, row in collections.rows.items()}
        if self.weather.polls and listed.rows == self._known and made == self._collections:
            return 0  # nothing is new, and nothing need be written
        rows = await self._completed(listed.rows)
        known = {ident: dict(row) for ident, row in listed.rows.items()}
        self.weather.rows += len(listed.rows) + len(collections.rows)

        def work(connection: Any) -> int:
            noticed = notice_analyses(
                connection, self.site, rows, begun=listed.begun, now=self._clock.now(), route=self._route
            )
            more = notice_collections(connection, self.site, list(collections.rows.values()), self._clock.now())
            return noticed.changes + more

        changes = await self._store.write(work)
        self._known, self._collections = known, made  # once it is stored: else the next round brings it again
        touched = [ident for ident, row in self._known.items() if before and before.get(ident) != row]
        await self._look_closer(touched[:MOST_READ])
        return changes

    async def _completed(self, listed: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of the list; where rules read more than it shows, what is new or changed is read singly first, so
        that nothing is decided on half of an analysis.
        """
        if not self.whole:
            return list(listed.values())
        known = await self._store.read(partial(docs_of, site=self.site))
        rows: list[dict[str, Any]] = []
        for ident, row in listed.items():
            doc = known.get(ident, {})
            whole = row
            if "model" not in doc or any(doc.get(name) != value for name, value in row.items()):
                with suppress(Gone):  # the next list says so
                    whole = {**row, **await self.client.analysis(ident)}
            rows.append(whole)
        return rows

    async def sweep_if_due(self) -> None:
        """Compare all that we made with what we sent, when it is time; read all singly where rules need that."""
        now = self._clock.now()
        if self._swept is None:
            stored = await self._store.read(partial(load_cursor, site=self.site, stream=SWEPT))
            self._swept = None if stored is None else datetime.fromisoformat(stored["at"])
        if self._swept is not None and now - self._swept < self.sweep_every:
            return
        self._swept = now
        try:
            await self._look_closer(list(self._known), sweep=True)
        except SiteError as error:
            log.warning("sweep.broken", site=self.site, error=str(error))
            return
        value = {"at": now.isoformat()}
        await self._store.write(partial(save_cursor, site=self.site, stream=SWEPT, value=value, now=now))

    async def _look_closer(self, idents: Iterable[str], *, sweep: bool = False) -> None:
        """Read analyses singly: those that we made, to see what people changed; in a sweep all, where rules read more
        than lists show.
        """
        made = await self._store.read(partial(made_on, scout=self.site))
        for ident in idents:
            mine = made.get(ident)
            if mine is None and not (self.whole and sweep):
                continue
            try:
                row = await self.client.analysis(ident)
            except Gone:
                continue  # the next list says so
            if mine is not None:
                await self._compare(mine, row)
            if self.whole:
                now = self._clock.now()
                noticed = await self._store.write(
                    partial(notice_whole, site=self.site, row=row, now=now, route=self._route)
                )
                if noticed.changes:
                    self._changed()
        if sweep:
            newest = await self._store.read(partial(made_on, scout=self.site))
            self._show([one for one in newest.values() if one.difference and one.analysis in self._known])

    async def _compare(self, made: Made, row: dict[str, Any]) -> None:
        here = prints(row)
        fields = tuple(field for field, value in made.sent.items() if here.get(field) != value)
        if fields == made.difference:
            return
        now, label = self._clock.now(), str(row.get("name") or made.analysis)

        def work(connection: Any) -> None:
            note_difference(connection, made, fields, now)
            if fields:
                note_edit(connection, self.site, made.analysis, label, fields, now)

        await self._store.write(work)
        if fields:
            log.info("analysis.edited_by_people", site=self.site, analysis=made.analysis, fields=list(fields))
            self._show([*self._shown, Made(made.effect, made.analysis, made.sent, fields)])

    def _show(self, edited: list[Made]) -> None:
        self._shown = list({one.analysis: one for one in edited}.values())
        self.weather.findings = tuple(
            f"analysis {one.analysis} was changed on the server since it was made here: {', '.join(one.difference)}"
            for one in self._shown
        )

    def _advice(self, error: SiteError) -> str:
        if isinstance(error, Refused):
            return f"{error}; check `email` and `password` of site {self.site!r} ({self._address})"
        if isinstance(error, Transient) and error.status is None:
            return f"{error}; check that {self._address} is right and reachable"
        return f"{error} ({self._address})"
