"""Named objects: what a hook names is read from the site; many containers at once with one list request.

A list by ids is a short cut that nothing depends on. It is taken where lists were seen to show what a single read
shows. What did not come with it is read singly: it may be gone or hidden, or the site may not take ids in lists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from flyball.clients.exchange import BodyTooLarge
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.filters import any_id, is_object_id
from flyball.concurrency import Together
from flyball.ledger.mirror import tags_on
from flyball.model.errors import Gone, Permanent, Refused, Transient
from flyball.model.levels import CONTAINERS, HIERARCHY, Level
from flyball.model.node import Node, NodeKey
from flyball.model.ports import Store
from flyball.triggers.needs import Needs
from flyball.triggers.reading import Reading
from flyball.triggers.webhook import read_target

log = structlog.get_logger()
Row = Mapping[str, Any]
TOGETHER = 100  # ids in one list request: 2.5 KB of address, which every proxy takes
FEW = 4  # fewer are read singly, side by side
PATIENCE = 3  # lists that bring none of what they were asked for, after which no more are asked for
REMEMBERED = 50  # ids that were read singly, one of which may prove what lists show
_LEVELS = frozenset({*HIERARCHY, Level.ANALYSIS, Level.JOB})


@dataclass(frozen=True, slots=True)
class Found:
    """An object as it was read just now.

    Attributes:
        level: of it.
        row: as the site gave it.
        nodes: the object, and the files on it that are taken from its row.
    """

    level: Level
    row: Row
    nodes: Sequence[Node]

    @property
    def ident(self) -> str:
        """The object's id."""
        return str(self.row["id"])


@dataclass(slots=True)
class _Lists:
    """What is known of the lists by ids of one level.

    Attributes:
        useless: they do not bring what they were asked for, or hide its tags.
        empty: how many in a row brought nothing.
        read: ids that were read singly, the newest last.
    """

    useless: bool = False
    empty: int = 0
    read: list[str] = field(default_factory=list)


class Named:
    """Reads the objects that hooks name, of one site.

    Args:
        site: the configured name.
        client: of the site.
        store: the mirror.
        reading: knows what the site's lists show.
        needs: of the rules; replaced when they are.
    """

    def __init__(self, site: str, client: FlywheelClient, store: Store, reading: Reading, needs: Needs) -> None:
        self._site = site
        self._client = client
        self._store = store
        self._reading = reading
        self.needs = needs
        self._lists = {level: _Lists() for level in CONTAINERS}
        self._together: dict[Level, Together[str, Found | None]] = {
            level: Together(_on(self, level), most=TOGETHER) for level in CONTAINERS
        }

    async def find(self, target: str) -> Found | None:
        """The object that a target names (see `webhook.read_target`); None when the site shows none.

        Raises SiteError.
        """
        word, ident, path = read_target(target)
        level = next((one for one in CONTAINERS if one == word), None)
        if level is not None and ident is not None and is_object_id(ident):
            listed = await self._together[level].do(ident)
            if listed is not None:
                return listed
        try:
            return await self._singly(word, ident, path)
        except Gone:
            return None

    async def _singly(self, word: str | None, ident: str | None, path: tuple[str, ...]) -> Found | None:
        if path:
            row = await self._client.lookup(*path)
        elif word is not None and ident is not None:
            row = {**await self._client.get(word, ident), "container_type": word}
        else:
            row = await self._client.get_container(str(ident))
        kind = str(row.get("container_type") or "")
        if kind not in _LEVELS:
            return None
        if path or word is None:  # lookups may leave `info` out: read it again, in full
            row = await self._client.get(kind, str(row["id"]))
        level = Level(kind)
        if level in self._lists:
            self._remember(self._lists[level], str(row["id"]))
        return Found(level, row, self._reading.whole(level, row, self.needs))

    async def list_by_id(self, level: Level, idents: Sequence[str]) -> list[Found | None]:
        """What a list brings of some containers; None for what has to be read singly."""
        nothing: list[Found | None] = [None] * len(idents)
        lists = self._lists[level]
        if len(idents) < FEW or lists.useless:
            return nothing
        witness = None if self._reading.shows_tags(level) else await self._tagged(level)
        if witness is None and not self._reading.shows_tags(level):
            return nothing
        wanted = list(dict.fromkeys([*idents, *([] if witness is None else [witness])]))
        chosen = any_id(wanted, self._client.dialect)
        if chosen is None:
            return nothing
        try:
            rows = await self._client.page(str(level), filter=chosen, limit=len(wanted))
        except BodyTooLarge:
            return nothing
        except (Permanent, Refused, Transient) as error:
            if not isinstance(error, Permanent) and error.status not in (403, 500):
                raise
            self._give_up(level, str(error))
            return nothing
        return self._found(level, idents, {str(row["id"]): row for row in rows}, witness)

    def _found(
        self, level: Level, idents: Sequence[str], rows: Mapping[str, Row], witness: str | None
    ) -> list[Found | None]:
        lists = self._lists[level]
        lists.empty = 0 if rows.keys() & set(idents) else lists.empty + 1
        if lists.empty >= PATIENCE:
            self._give_up(level, "they bring nothing")
        if witness is not None and witness in rows:
            self._reading.listed(level, rows[witness], self.needs)
            if not self._reading.shows_tags(level):
                self._give_up(level, "they hide tags")
        found: list[Found | None] = []
        for ident in idents:
            nodes = self._reading.listed(level, rows[ident], self.needs) if ident in rows else None
            found.append(None if nodes is None else Found(level, rows[ident], nodes))
        return found

    async def _tagged(self, level: Level) -> str | None:
        """One of the containers read before that has tags, as the mirror knows: a list that shows them shows its."""
        keys = [NodeKey(self._site, level, ident) for ident in self._lists[level].read]
        if not keys:
            return None
        tags = await self._store.read(lambda connection: tags_on(connection, keys))
        return next((key.id for key in reversed(keys) if tags.get(key)), None)

    @staticmethod
    def _remember(lists: _Lists, ident: str) -> None:
        lists.read = [*lists.read[1 - REMEMBERED :], ident]

    def _give_up(self, level: Level, reason: str) -> None:
        self._lists[level].useless = True
        log.info("site.not_listed_by_id", site=self._site, of=str(level), reason=reason)


def _on(named: Named, level: Level) -> Callable[[Sequence[str]], Awaitable[Sequence[Found | None]]]:
    """The work on ids of one level."""

    async def work(idents: Sequence[str]) -> Sequence[Found | None]:
        return await named.list_by_id(level, idents)

    return work
