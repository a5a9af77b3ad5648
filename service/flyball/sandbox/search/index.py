"""The index that searches look into: the site's documents, each with its ancestors, some time behind.

Without a lag the index is the site itself. With one it keeps what it last knew of each document, and
takes in a change only when it is old enough.
"""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from flyball.sandbox.filters import reach
from flyball.sandbox.tables import Doc, Table

LEVELS = ("group", "project", "subject", "session", "acquisition", "analysis", "file", "collection")
Rows = dict[str, Doc]


class Tables(Protocol):
    """What the index needs of the site."""

    now: datetime

    def table(self, level: str) -> Table:
        """The table of a level."""


class Entry:
    """A document of the index, with its ancestors by level."""

    __slots__ = ("_rows", "doc", "level")

    def __init__(self, rows: Callable[[str], Rows], level: str, doc: Doc) -> None:
        """`rows` gives the documents of a level as the index knows them."""
        self._rows = rows
        self.level = level
        self.doc = doc

    def at(self, level: str) -> Doc | None:
        """The document itself or its ancestor of a level."""
        if level == self.level:
            return self.doc
        own = self.doc.get("parents", {}).get(level)
        return None if own is None else self._rows(level).get(own)

    def values(self, parts: list[str]) -> Iterator[Any]:
        """The values of a field such as `session.info.visit`."""
        if parts[0] in LEVELS:
            doc = self.at(parts[0])
            return iter(()) if doc is None else reach(doc, parts, 1)
        return reach(self._own_fields(), parts)

    def _own_fields(self) -> Doc:
        """Fields that belong to no level."""
        fields: Doc = {"container_type": self.level}
        parent = self.parent()
        return fields if parent is None else {**fields, "parent": parent}

    def parent(self) -> Doc | None:
        """What a file or an analysis hangs on."""
        ref = self.doc.get("parent_ref" if self.level == "file" else "parent")
        return {"_id": ref["id"], "type": ref["type"]} if isinstance(ref, dict) else None

    def text(self) -> Iterator[str]:
        """Every text of the document and its ancestors."""
        for level in LEVELS:
            doc = self.at(level)
            if doc is not None:
                yield from _texts({k: v for k, v in doc.items() if k not in {"files", "parents", "permissions"}})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


class SearchIndex:
    """What the search knows of a site."""

    def __init__(self, site: Tables) -> None:
        """An index without lag."""
        self._site = site
        self.lag = timedelta()
        self._known: dict[str, Rows] | None = None
        self._coming: deque[tuple[datetime, str, str, Doc | None]] = deque()

    def _table(self, level: str) -> Table:
        return self._site.table("files" if level == "file" else level)

    def fall_behind(self, lag: timedelta) -> None:
        """Be this much late from now on; everything that is there is known."""
        self.lag = lag
        self._coming.clear()
        self._known = None
        if lag > timedelta():
            self._known = {level: {own: dict(doc) for own, doc in self._table(level).rows.items()} for level in LEVELS}
        for level in LEVELS:
            self._table(level).feed = self._feed(level) if self._known is not None else None

    def _feed(self, level: str) -> Callable[[str, Doc | None], None]:
        def take(own: str, doc: Doc | None) -> None:
            self._coming.append((self._site.now, level, own, None if doc is None else dict(doc)))

        return take

    def _catch_up(self) -> None:
        while self._known is not None and self._coming and self._coming[0][0] + self.lag <= self._site.now:
            _, level, own, doc = self._coming.popleft()
            if doc is None:
                self._known[level].pop(own, None)
            else:
                self._known[level][own] = doc

    def is_behind(self) -> bool:
        """Whether changes wait to be taken in."""
        self._catch_up()
        return bool(self._coming)

    def rows(self, level: str) -> Rows:
        """The documents of a level as the index knows them."""
        return self._table(level).rows if self._known is None else self._known[level]

    def entries(self, levels: tuple[str, ...] = LEVELS) -> Iterator[Entry]:
        """The documents of some levels, in the order of their ids."""
        self._catch_up()
        for level in levels:
            rows = self.rows(level)
            for own in self._table(level).ids if self._known is None else sorted(rows):
                yield Entry(self.rows, level, rows[own])
