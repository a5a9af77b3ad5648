"""One table of documents a level, with the indexes that keep a large site answering.

Documents are plain dicts and are shared, never copied: a change replaces a value inside, and what
hands a document out makes a shallow copy of what it alters. Indexes: ids in order, ids below each
ancestor, ids by tag, and a log of `modified` that polls by time read from its end.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

Doc = dict[str, Any]
Anchor = tuple[str, str]
"""A container above a document: its level (or `parent`, `destination`) and its id."""

_NONE: list[str] = []


class Table:
    """The documents of one level, by id."""

    def __init__(self, key: str, anchors: Callable[[Doc], Iterable[Anchor]]) -> None:
        """`key` names the id field; `anchors` lists the containers above a document."""
        self.key = key
        self._anchors = anchors
        self.rows: dict[str, Doc] = {}
        self.ids: list[str] = []
        self._under: dict[Anchor, list[str]] = {}
        self._tagged: dict[str, dict[str, None]] = {}
        self._log: list[tuple[datetime, int, str]] = []
        self._latest: dict[str, int] = {}
        self._serial = 0
        self.feed: Callable[[str, Doc | None], None] | None = None
        """Who is told of each change: the id, and the document or None when it is gone."""

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self.rows)

    def add(self, doc: Doc) -> Doc:
        """Take in a new document."""
        own = doc[self.key]
        self.rows[own] = doc
        _insert(self.ids, own)
        for anchor in self._anchors(doc):
            _insert(self._under.setdefault(anchor, []), own)
        for tag in doc.get("tags") or ():
            self._tagged.setdefault(tag, {})[own] = None
        self._note(doc)
        return doc

    def drop(self, own: str) -> Doc:
        """Forget a document and give it back."""
        doc = self.rows.pop(own)
        _remove(self.ids, own)
        for anchor in self._anchors(doc):
            _remove(self._under.get(anchor, []), own)
        for tag in doc.get("tags") or ():
            self._tagged.get(tag, {}).pop(own, None)
        self._latest.pop(own, None)
        if self.feed is not None:
            self.feed(own, None)
        return doc

    def moved(self, doc: Doc, now: datetime) -> None:
        """Set `modified` and count up `revision`."""
        doc["modified"] = now
        doc["revision"] = doc.get("revision", 0) + 1
        self._note(doc)

    def retag(self, doc: Doc, tags: list[str]) -> None:
        """Replace the document's tags."""
        own = doc[self.key]
        for tag in doc.get("tags") or ():
            self._tagged.get(tag, {}).pop(own, None)
        doc["tags"] = tags
        for tag in tags:
            self._tagged.setdefault(tag, {})[own] = None

    def under(self, anchor: Anchor) -> list[str]:
        """The ids below a container, in order (not to be changed by the caller)."""
        return self._under.get(anchor, _NONE)

    def below(self, anchor: Anchor) -> list[Doc]:
        """The documents below a container, in the order of their ids."""
        return [self.rows[own] for own in self._under.get(anchor, ())]

    def is_below(self, doc: Doc, anchor: Anchor) -> bool:
        """Whether a document lies below a container."""
        return anchor in self._anchors(doc)

    def tagged(self, tag: str) -> list[str]:
        """The ids with a tag, in order."""
        return sorted(self._tagged.get(tag, ()))

    def tag_count(self, tag: str) -> int:
        """How many documents carry the tag."""
        return len(self._tagged.get(tag, ()))

    def count_since(self, since: datetime) -> int:
        """About how many documents were modified at or after a moment (never too few)."""
        return len(self._log) - bisect_left(self._log, (since, -1, ""))

    def since(self, since: datetime) -> Iterator[Doc]:
        """Documents modified at or after a moment, oldest change first."""
        for position in range(bisect_left(self._log, (since, -1, "")), len(self._log)):
            _, serial, own = self._log[position]
            if self._latest.get(own) == serial:
                yield self.rows[own]

    def newest(self) -> Iterator[Doc]:
        """All documents, the latest change first."""
        for _, serial, own in reversed(self._log):
            if self._latest.get(own) == serial:
                yield self.rows[own]

    def after(self, ids: list[str], own: str) -> list[str]:
        """The part of an ordered id list that follows an id."""
        return ids[bisect_right(ids, own) :]

    def changed(self, doc: Doc) -> None:
        """Tell of a change that does not move the document."""
        if self.feed is not None:
            self.feed(doc[self.key], doc)

    def _note(self, doc: Doc) -> None:
        """Write the document's `modified` to the log; its older entries become stale."""
        self.changed(doc)
        self._serial += 1
        entry = (doc["modified"], self._serial, doc[self.key])
        self._latest[doc[self.key]] = self._serial
        if not self._log or entry >= self._log[-1]:
            self._log.append(entry)
        else:
            insort(self._log, entry)
        if len(self._log) > 2 * len(self.rows) + 1000:
            self._log = [e for e in self._log if self._latest.get(e[2]) == e[1]]


def _insert(ordered: list[str], own: str) -> None:
    if not ordered or own > ordered[-1]:
        ordered.append(own)
    else:
        insort(ordered, own)


def _remove(ordered: list[str], own: str) -> None:
    place = bisect_left(ordered, own)
    if place < len(ordered) and ordered[place] == own:
        del ordered[place]
