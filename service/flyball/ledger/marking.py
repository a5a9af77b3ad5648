"""Marking: what the site shows of tags that rules want, noted whether or not a decision follows.

Without this, a tag of ours that a person removed, and set again before the rule decided anew, would still be taken for
ours, and be removed with its condition.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from flyball.ledger.book import load_subjects, store_book
from flyball.ledger.mirror import Change, chunks
from flyball.ledger.tables import marks
from flyball.model.node import Node
from flyball.rules.claims import Book, Subject
from flyball.rules.reconciling import settle_tag


def note_removed(connection: Connection, changes: Iterable[Change], now: datetime) -> int:
    """Note which tags of ours, or of people's that rules want, were taken away; how many these were.

    Args:
        connection: of the transaction; the mirror has the changes already.
        changes: as seen on the site, our own left out.
        now: the present, UTC.
    """
    gone = sorted({subject for change in changes if not change.own for subject in _gone(change)})
    if not gone:
        return 0
    marked: list[Subject] = []
    for some in chunks(gone):
        query = select(marks.c.site, marks.c.subject).where(marks.c.subject.in_([subject for _, subject in some]))
        wanted = set(some)
        marked += [(row.site, row.subject) for row in connection.execute(query) if (row.site, row.subject) in wanted]
    if not marked:
        return 0
    book = Book()
    load_subjects(connection, book, marked)
    for site, subject in marked:
        if book.marks.get((site, subject)) in ("ours", "people"):
            settle_tag(book, site, subject)
    noted = len(book.changed_marks)
    store_book(connection, book, now)
    return noted


def _gone(change: Change) -> Iterable[Subject]:
    before, node = change.before, change.node
    if before is None or not before.tags_known or not node.tags_known:
        return
    for tag in _tags(before) - _tags(node):
        yield (node.key.site, f"{node.level}/{node.id}/{tag}")


def _tags(node: Node) -> set[str]:
    found = node.doc.get("tags")
    return {tag for tag in found if isinstance(tag, str)} if isinstance(found, list) else set()
