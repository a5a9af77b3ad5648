"""Presence: what the lists do not show any more is asked for by its own address before anything is believed.

404 means gone, 403 hidden. A site may answer 404 for what a key must not see, too; permissions go by project. So a
404 counts as gone only while its project can be read (or for an administrator); otherwise the project is hidden, with
everything in it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flyball.clients.flywheel.dialect import Dialect
from flyball.concurrency import each
from flyball.ledger.mirror import find
from flyball.model.errors import Gone, Permanent, Refused
from flyball.model.levels import Level
from flyball.model.node import NodeKey, Presence
from flyball.model.ports import Store

AT_ONCE = 32  # single reads under way at a time; the site's pace holds them back further
SAMPLE = 20  # missing ones that are asked for before a list with many gaps is believed

Row = dict[str, Any]


class Reads(Protocol):
    """What is asked of the client."""

    @property
    def dialect(self) -> Dialect:
        """How the site speaks."""
        ...

    async def get(self, level: str, id_: str, *, fresh: bool = False) -> Row:
        """One container, file, analysis or job."""
        ...

    async def get_container(self, id_: str) -> Row:
        """One container whose level is not known."""
        ...


@dataclass(slots=True)
class Asked:
    """What came of asking.

    Attributes:
        lost: nodes that are gone or hidden.
        there: rows of those that are still there.
        believed: False when so many of a sample were still there that the rest was not asked for: the list that left
            them out is wrong.
        requests: how many were made.
    """

    lost: list[tuple[NodeKey, Presence]] = field(default_factory=list)
    there: list[tuple[Level, Row]] = field(default_factory=list)
    believed: bool = True
    requests: int = 0


class Roll:
    """Calls the roll of one site's nodes.

    Args:
        site: configured name.
        client: of the site.
        store: the mirror, for the nodes' projects.
    """

    def __init__(self, site: str, client: Reads, store: Store) -> None:
        self._site = site
        self._client = client
        self._store = store

    async def call(self, keys: Sequence[NodeKey], *, readable: Collection[str] = ()) -> Asked:
        """Ask for each of these nodes by its own address.

        Args:
            keys: nodes that the mirror has and a list does not.
            readable: projects that were seen to be readable just now.

        Raises:
            SiteError: the site could not be asked; nothing is concluded.
        """
        asked = Asked()
        await self._ask(keys[:SAMPLE], asked)
        if len(keys) > SAMPLE and not asked.lost:
            asked.believed = False
            return asked
        await self._ask(keys[SAMPLE:], asked)
        await self._doubt(asked, set(readable))
        return asked

    async def _ask(self, keys: Sequence[NodeKey], asked: Asked) -> None:
        inside: dict[str, list[NodeKey]] = {}  # files without an address of their own, by container
        alone: list[NodeKey] = []
        for key in keys:
            if key.level is Level.FILE and "/" in key.id:
                inside.setdefault(key.id.partition("/")[0], []).append(key)
            else:
                alone.append(key)

        async def one(key: NodeKey) -> None:
            asked.requests += 1
            try:
                row = await self._client.get(str(key.level), key.id)
            except Permanent as error:
                if isinstance(error, Gone):
                    asked.lost.append((key, Presence.GONE))
            except Refused as error:
                _reraise_if_locked_out(error)
                asked.lost.append((key, Presence.HIDDEN))
            else:
                if row.get("deleted"):
                    asked.lost.append((key, Presence.GONE))
                else:
                    asked.there.append((key.level, row))

        async def container(ident: str) -> None:
            asked.requests += 1
            mine = inside[ident]
            try:
                row = await self._client.get_container(ident)
            except Gone:
                asked.lost.extend((key, Presence.GONE) for key in mine)
            except Refused as error:
                _reraise_if_locked_out(error)
                asked.lost.extend((key, Presence.HIDDEN) for key in mine)
            else:
                files = row.get("files")
                shown = {entry.get("name") for entry in files if isinstance(entry, dict)} if files else set()
                asked.lost.extend((key, Presence.GONE) for key in mine if key.id.partition("/")[2] not in shown)

        await each(alone, one, at_once=AT_ONCE)
        await each(inside, container, at_once=AT_ONCE)

    async def _doubt(self, asked: Asked, readable: set[str]) -> None:
        """Take a 404 for gone only where the project itself can be read."""
        gone = [key for key, presence in asked.lost if presence is Presence.GONE]
        if not gone:
            return
        nodes = await self._store.read(lambda connection: find(connection, gone))
        projects = {key: _project_of(key, nodes.get(key)) for key in gone}
        hidden: set[str] = set()

        async def ask(ident: str) -> None:
            asked.requests += 1
            try:
                await self._client.get(str(Level.PROJECT), ident)
            except (Gone, Refused) as error:
                _reraise_if_locked_out(error)
                hidden.add(ident)

        unsure = {ident for key, ident in projects.items() if ident and key.level is not Level.PROJECT} - readable
        await each(sorted(unsure), ask, at_once=AT_ONCE)
        hidden |= {key.id for key in gone if key.level is Level.PROJECT}
        asked.lost = [
            (key, Presence.HIDDEN if projects.get(key) in hidden else presence) for key, presence in asked.lost
        ]
        known = {key for key, _ in asked.lost}
        extra = [NodeKey(self._site, Level.PROJECT, ident) for ident in sorted(hidden)]
        asked.lost[:0] = [(key, Presence.HIDDEN) for key in extra if key not in known]


def _project_of(key: NodeKey, node: Any) -> str | None:
    if key.level is Level.PROJECT:
        return key.id
    return None if node is None else node.parents.get("project")


def _reraise_if_locked_out(error: Exception) -> None:
    """A key that is refused as such says nothing about the object."""
    if isinstance(error, Refused) and error.status in (401, 402, 407):
        raise error
