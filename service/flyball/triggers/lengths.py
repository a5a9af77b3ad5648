"""How long a site's pages are: whether a page is the whole answer, or was cut by a site that gives less than was asked.

The probe sees it where a list is long enough. Otherwise it is learned: a page that is followed by an empty one, or by
nothing new, was whole, and so is every shorter one from then on.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from flyball.clients.flywheel.client import FlywheelClient
from flyball.ledger.noticing import load_fact, save_fact
from flyball.model.ports import Clock, Store
from flyball.triggers.paging import Page

log = structlog.get_logger()
TELLING = 10  # two cut pages of so many rows are no coincidence


class Lengths:
    """Of one site.

    Args:
        site: configured name.
        client: of the site; a page size that was learned becomes part of its dialect.
        store: keeps what was learned for the next run.
        clock: the time.

    Attributes:
        whole: the longest page that was seen to be the whole answer.
    """

    def __init__(self, site: str, client: FlywheelClient, store: Store, clock: Clock) -> None:
        self._site = site
        self._client = client
        self._store = store
        self._clock = clock
        self._stored = 0
        self.whole = 0

    @property
    def _name(self) -> str:
        return f"pages/{self._site}"

    async def recall(self) -> None:
        """Take up what was learned in earlier runs."""
        found = await self._store.read(lambda connection: load_fact(connection, self._name)) or {}
        self.whole = self._stored = int(found.get("uncut", 0))

    async def remember(self) -> None:
        """Store what was learned."""
        if self.whole > self._stored:
            self._stored = self.whole
            value, now = {"uncut": self.whole}, self._clock.now()
            await self._store.write(lambda connection: save_fact(connection, self._name, value, now))

    def followed(self, before: int, now: int) -> int:
        """One page came after another, of so many rows: one that is followed by an empty one was whole. `now` again."""
        if before and not now:
            self.whole = max(self.whole, before)
        return now

    def is_whole(self, page: Page, before: Page | None) -> bool:
        """Whether a page is all there is.

        Until a longer page was seen to be the whole answer, the next one is asked for: what it brings beyond the rows
        that are known already shows that the first was cut.

        Args:
            page: the one.
            before: the one before it in the same round, whose last time it was asked from.
        """
        number = len(page.rows)
        if before is not None and len(before.rows) < before.limit:
            seen = {(row.get("id"), row.get("modified")) for row in before.rows}
            known = all((row.get("id"), row.get("modified")) in seen for row in page.rows)
            if known and number < len(before.rows):
                self.whole = max(self.whole, len(before.rows))
                return True
            if number == len(before.rows) >= TELLING:
                self._cut_at(number)
            if number == len(before.rows):
                return False
        if number >= page.limit:
            return False
        return number == 0 or number < self.whole or self._client.dialect.page_size is not None

    def seems_whole(self, page: Page, changes: int) -> bool:
        """Whether a page may be believed to be all, so that a quiet round does not cost two requests.

        It is as long as the longest that was whole, and brought nothing new. Should it be cut just there, what lies
        behind it comes when the window closes.
        """
        return not changes and len(page.rows) == self.whole < page.limit

    def _cut_at(self, size: int) -> None:
        if self._client.dialect.page_size is None:
            log.info("site.cuts_pages", site=self._site, rows=size)
            self._client.dialect = replace(self._client.dialect, page_size=size)
