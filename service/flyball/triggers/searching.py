"""Asking a site's search for the rules: hits are kept in the ledger, and read again before they are used.

The index lags behind the site's database, and nobody knows how far. So hits are asked for again now and then, oftener
after something changed; what came among them is read by its own address, and what a rule then sees of it is the
mirror's, never the index's. While the index is away or rebuilt, the last hits are good for a while; then nothing is
known. An answer that may be cut off says nothing about what is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog

from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.wire.search import MOST_HITS
from flyball.ledger.searching import NEVER, Asked, load_hits, nodes_named, save_hits
from flyball.model.errors import Permanent, Refused, SiteError
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import Node, NodeKey
from flyball.model.ports import Clock, Store
from flyball.model.search import Hits, Search, file_name
from flyball.rules.rule import Rule
from flyball.triggers.needs import Needs
from flyball.triggers.presence import SAMPLE
from flyball.triggers.taking import Taking
from flyball.triggers.weather import is_of_the_site

log = structlog.get_logger()
RENEW = 60.0  # seconds until a search is asked again where nothing changes
HOT = 120.0  # seconds after a change in which it is asked in each round: the index is behind
GOOD_FOR = timedelta(minutes=10)  # how long hits are good while they cannot be asked for again
NOT_RELIABLE = ("reindex", "error")
FEW = 200  # new hits that are read one by one; more are read through the level's list


class Searching:
    """The searches of one site's rules.

    Args:
        site: configured name.
        client: of the site.
        store: the ledger.
        clock: the time.
        taking: takes in what is read again.
    """

    def __init__(self, site: str, client: FlywheelClient, store: Store, clock: Clock, taking: Taking) -> None:
        self._site = site
        self._client = client
        self._store = store
        self._clock = clock
        self._taking = taking
        self._asked: dict[Search, float] = {}
        self._hot_until = 0.0
        self._has_status = True
        self.trouble: SiteError | None = None

    async def look(self, needs: Needs, *, changed: bool) -> int:
        """Ask what is due; the number of looks that follow.

        Args:
            needs: of the rules.
            changed: this round brought something.

        Raises:
            SiteError: the site as a whole cannot be asked.
        """
        using: dict[Search, list[Rule]] = {}
        for rule in needs.rules:
            for search in rule.searches:
                using.setdefault(search, []).append(rule)
        now = self._clock.monotonic()
        if changed:
            self._hot_until = now + HOT
        due = [search for search in using if self._is_due(search, now)]
        if not due:
            return 0
        self.trouble = None
        looks = 0
        reliable = await self._is_reliable()
        for search in due:
            self._asked[search] = now
            looks += await self._renew(search, using[search], needs, reliable=reliable)
        return looks

    def findings(self) -> list[str]:
        """What is wrong with the search, for people. The rules that use it are unknown then; nothing else is."""
        return [] if self.trouble is None else [f"the site's search: {self.trouble}"]

    def _is_due(self, search: Search, now: float) -> bool:
        last = self._asked.get(search)
        return last is None or now < self._hot_until or now - last >= RENEW

    async def _is_reliable(self) -> bool:
        """Whether the index may be believed when it does not show something; where it does not say, it may."""
        if not self._has_status:
            return True
        try:
            return await self._client.search_status() not in NOT_RELIABLE
        except SiteError as error:
            if is_of_the_site(error):
                raise
            self._has_status = not isinstance(error, Permanent | Refused)
            return True

    async def _renew(self, search: Search, rules: Iterable[Rule], needs: Needs, *, reliable: bool) -> int:
        before = (await self._store.read(partial(load_hits, site=self._site, searches=[search])))[search]
        try:
            after = await self._ask(search, before, needs, reliable=reliable)
        except SiteError as error:
            if is_of_the_site(error):
                raise
            self.trouble = error
            log.warning("search.failed", site=self._site, query=search.query, error=str(error))
            after = self._without(before, f"the site's search cannot be asked: {error}", wrong=_is_wrong(error))
        if after == before:
            return 0
        now = self._clock.now()
        work = partial(save_hits, site=self._site, search=search, asked=after, rules=rules, now=now)
        return await self._store.write(work)

    async def _ask(self, search: Search, before: Asked, needs: Needs, *, reliable: bool) -> Asked:
        if not reliable:
            return self._without(before, "the site's search index is being rebuilt")
        rows = await self._client.search(search.query, str(search.returns))
        if len(rows) >= MOST_HITS:
            return self._without(before, f"the search has {MOST_HITS} hits or more; narrow the query", wrong=True)
        names = frozenset(_name_of(row, search.returns) for row in rows)
        known = frozenset[str]() if before.hits.reason else before.hits.names
        await self._read_again(search.returns, names - known, needs)
        return Asked(Hits(names), self._clock.now())

    def _without(self, before: Asked, reason: str, *, wrong: bool = False) -> Asked:
        """What is known while there is no answer: the last hits for a while; nothing where the question is wrong."""
        fresh = before.at is not None and self._clock.now() - before.at < GOOD_FOR
        if fresh and not wrong and before is not NEVER:
            return before
        return replace(before, hits=Hits(before.hits.names, reason))

    async def _read_again(self, level: Level, names: frozenset[str], needs: Needs) -> None:
        """Read what came among the hits: the index may show what was changed or deleted since."""
        nodes = await self._store.read(partial(nodes_named, site=self._site, level=level, names=names))
        keys = [key for node in nodes if (key := _address_of(node)) is not None]
        keys = list(dict.fromkeys(keys))
        if len(keys) > FEW:
            keys = await self._not_listed(keys, needs)
        for start in range(0, len(keys), SAMPLE):
            await self._taking.call_roll(keys[start : start + SAMPLE], needs, source="poll")

    async def _not_listed(self, keys: list[NodeKey], needs: Needs) -> list[NodeKey]:
        """Read many through the lists of their levels; those that these do not show are asked for by address."""
        shown: set[NodeKey] = set()
        for level in {key.level for key in keys}:
            async for rows in self._client.iterate(str(level)):
                shown |= {NodeKey(self._site, level, str(row["id"])) for row in rows}
                await self._taking.take(level, rows, needs, source="poll")
        return [key for key in keys if key not in shown]


def _is_wrong(error: SiteError) -> bool:
    """Whether asking the same again is of no use: the query is refused."""
    return isinstance(error, Permanent)


def _name_of(row: dict[str, object], level: Level) -> str:
    if level is not Level.FILE:
        return str(row.get("_id") or row.get("id"))
    parent = row.get("parent")
    holder = parent.get("_id") or parent.get("id") if isinstance(parent, dict) else None
    return file_name(holder, row.get("name"))


def _address_of(node: Node) -> NodeKey | None:
    """What is asked for to see a hit as it is: itself; for a file without an address of its own its container."""
    if node.level is not Level.FILE or "/" not in node.id:
        return node.key
    holder = node.doc.get("parent_ref")
    kind = holder.get("type") if isinstance(holder, dict) else None
    level = next((one for one in CONTAINERS if one == kind), None)
    return None if level is None else NodeKey(node.key.site, level, node.id.partition("/")[0])
